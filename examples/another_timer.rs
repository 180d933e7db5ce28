//! Second of the timer trio: a client that adds a sender, `another_timer`, to the server. See `timer_server.rs`.

use std::error::Error;
use std::sync::Arc;

use sig_examples::Options;
use sig_router::{ClientRouter, DEFAULT_GRACE, TriggerError};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::from_args()?;

    // Returns at once. The server need not be there yet, and may be restarted later.
    let client = ClientRouter::connect(Arc::new(sig_carrier_tcp::dial(&options.address)?))?;

    let ticking = async {
        // Waits for the server. From then on the router registers it again after every reconnect.
        let timer = client.add_remote_sender("another_timer").event("tic").connect().await?;
        println!("the server at {} knows another_timer", options.address);
        let tic = timer.signal("tic")?;
        let mut ticks = tokio::time::interval(options.period);
        for count in 1_u64.. {
            ticks.tick().await;
            match tic.try_trigger(&count) {
                Ok(()) => {}
                // A tic that cannot be sent now is of no use later: drop it. (`trigger` would wait for the link.)
                Err(TriggerError::Offline { .. } | TriggerError::Busy { .. }) => println!("tic {count} is lost"),
                Err(error) => return Err(error.into()),
            }
        }
        Ok::<(), Box<dyn Error>>(())
    };
    tokio::select! {
        done = ticking => done?,
        () = options.end() => {}
    }

    // Removes the sender at the server, in good order: listeners are told so with `#disconnect`.
    client.close(DEFAULT_GRACE).await;
    println!("done");
    Ok(())
}
