//! Presence: who comes and who leaves, and why. The router tells it; senders do nothing for it.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use sig_carrier_local::Local;
use sig_router::{ClientRouter, Presence, RemoteEventStream, ServerRouter};

/// Waits for the next piece of news and prints it.
async fn show(news: &mut RemoteEventStream) -> Result<(), Box<dyn Error>> {
    let event = news.recv().await.ok_or("the router is closed")??;
    // `#connect` and `#disconnect` carry the sender's events and requests, and more.
    let Presence {
        events,
        requests,
        reason,
        ..
    } = event.decode()?;
    match reason {
        None => println!("{} is here: events {events:?}, requests {requests:?}", event.sender()),
        Some(reason) => println!("{} left: {reason}", event.sender()),
    }
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let hub = Arc::new(Local::new());
    let server = ServerRouter::new()?;
    server.attach(hub.clone());
    let connect = || ClientRouter::connect(Arc::new(hub.dialer()));

    // `#connect` and `#disconnect` are channels: here every sender's. `"lamp/#connect"` would be the lamp's alone.
    let watcher = connect()?;
    let mut arrivals = watcher.listen_remote("#connect").await?;
    let mut departures = watcher.listen_remote("#disconnect").await?;

    let house = connect()?;
    let lamp = house
        .add_remote_sender("lamp")
        .events(["on", "off"])
        .request("toggle", |_| Ok(()))
        .connect()
        .await?;
    show(&mut arrivals).await?;

    // The reason tells apart: a sender that was removed,
    lamp.remove().await;
    show(&mut departures).await?;

    // a program that ended in good order,
    let _lamp = house.add_remote_sender("lamp").event("on").connect().await?;
    show(&mut arrivals).await?;
    house.close(Duration::from_secs(1)).await;
    show(&mut departures).await?;

    // one that was thrown out,
    let guest = connect()?;
    let _radio = guest.add_remote_sender("radio").event("song").connect().await?;
    show(&mut arrivals).await?;
    for client in server.clients().iter().filter(|client| client.senders > 0) {
        server.kick(client.id, "too loud");
    }
    show(&mut departures).await?;

    // (which heals itself and comes back,)
    show(&mut arrivals).await?;

    // and one that crashed.
    drop(guest);
    show(&mut departures).await?;
    Ok(())
}
