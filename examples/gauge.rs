//! A fast gauge and a slow display: last values for who comes late, and how much each listener wants.

use std::error::Error;
use std::sync::Arc;

use sig_carrier_local::Local;
use sig_router::{ClientRouter, Listen, Policy, ServerRouter};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let hub = Arc::new(Local::new());
    let server = ServerRouter::new()?;
    server.attach(hub.clone());

    // The router keeps the last value for as long as the gauge is there.
    let gauge = server.add_sender("gauge").event("bar").keep_last().connect()?;
    let bar = gauge.signal("bar")?;
    for value in 1..=100 {
        bar.trigger(&value).await?;
    }

    // A display that wants the newest value, whenever it looks. It is not blank until the next one comes.
    let room = ClientRouter::connect(Arc::new(hub.dialer()))?;
    let newest = Listen::to("gauge/bar")?.policy(Policy::Latest);
    let mut display = room.listen_remote(newest).await?;
    let shown = display.recv().await.ok_or("the router is closed")??;
    println!(
        "the display begins with {}, which was there: {}",
        shown.decode::<i32>()?,
        shown.retained().is_some()
    );

    // A recorder that wants all of them. It holds the gauge up rather than lose one.
    let mut recorder = room.listen_remote("gauge/bar").await?;
    for value in 101..=1000 {
        bar.trigger(&value).await?;
    }
    let mut recorded = 0;
    loop {
        let event = recorder.recv().await.ok_or("the router is closed")??;
        recorded += u64::from(event.retained().is_none());
        if event.number() == 1000 {
            break;
        }
    }
    println!("the recorder got {recorded}");

    // The display did not look for a while: it gets the newest, and how many that leaves out.
    let shown = display.recv().await.ok_or("the router is closed")??;
    println!(
        "the display shows {} and skipped {}",
        shown.decode::<i32>()?,
        shown.skipped()
    );
    Ok(())
}
