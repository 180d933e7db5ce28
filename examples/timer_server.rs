//! First of the timer trio: a server on TCP with a sender of its own, `timer`, that triggers `tic`.
//!
//! Run the three in three terminals, in any order, and stop and start any of them meanwhile:
//!
//! ```sh
//! cargo run --example timer_server
//! cargo run --example another_timer
//! cargo run --example timer_listener
//! ```
//!
//! Each takes `[HOST:PORT] [--period SECONDS] [--seconds SECONDS]`.

use std::error::Error;
use std::sync::Arc;

use sig_examples::Options;
use sig_router::{DEFAULT_GRACE, ServerRouter};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::from_args()?;

    // The port is bound here; clients are taken from `attach` on. More carriers may be attached to the same router.
    let carrier = sig_carrier_tcp::listen(&options.address)?;
    let address = carrier.medium().local_addr();
    let server = ServerRouter::new()?;
    server.attach(Arc::new(carrier));
    println!("listening on tcp://{address}");

    // A sender of this very program. Every client can listen to it.
    let timer = server.add_sender("timer").event("tic").connect()?;
    let tic = timer.signal("tic")?;

    let ticking = async {
        let mut ticks = tokio::time::interval(options.period);
        for count in 1_u64.. {
            ticks.tick().await;
            // Waits when a listener has no room; with nobody listening it is done at once.
            tic.trigger(&count).await?;
        }
        Ok::<(), Box<dyn Error>>(())
    };
    tokio::select! {
        done = ticking => done?,
        () = options.end() => {}
    }

    // Says goodbye to the clients, which will look for the next server on this port.
    server.close(DEFAULT_GRACE).await;
    println!("done");
    Ok(())
}
