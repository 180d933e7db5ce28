//! Third of the timer trio: a client that listens to both timers. See `timer_server.rs`.

use std::error::Error;
use std::sync::Arc;

use sig_examples::Options;
use sig_router::{ClientRouter, DEFAULT_GRACE, Event, LinkState};

/// Called for every tic, whoever sent it.
fn on_tic(event: &Event<'_>) {
    match event.decode::<u64>() {
        Ok(count) => println!("'{}' received from '{}' (data: {count})", event.name(), event.sender()),
        Err(error) => println!("'{}' of '{}' is not a tic: {error}", event.name(), event.sender()),
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::from_args()?;
    let client = ClientRouter::connect(Arc::new(sig_carrier_tcp::dial(&options.address)?))?;

    let listening = async {
        // Neither server nor senders need be there yet. The guards keep the listeners, through every reconnect.
        let _timer = client.add_remote_listener("timer/tic", on_tic).await?;
        let _another = client.add_remote_listener("another_timer/tic", on_tic).await?;

        // The router heals the link by itself; whoever wants to know may watch.
        let mut states = client.states();
        loop {
            match states.borrow_and_update().clone() {
                LinkState::Connected => println!("connected to {}", options.address),
                LinkState::Waiting { error, .. } => println!("no link: {error}"),
                LinkState::Refused { text, .. } => return Err(text.into()),
                _ => {}
            }
            if states.changed().await.is_err() {
                return Ok::<(), Box<dyn Error>>(());
            }
        }
    };
    tokio::select! {
        done = listening => done?,
        () = options.end() => {}
    }

    client.close(DEFAULT_GRACE).await;
    println!("done");
    Ok(())
}
