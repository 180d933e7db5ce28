//! One end of a link with a short heartbeat: `beating server|client HOST:PORT PERIOD_MS`. Prints what it hears of the
//! sender at the other end.
//!
//! Ends when standard input does, so that nothing outlives a test.

use std::error::Error;
use std::io::Read as _;
use std::sync::Arc;
use std::time::Duration;

use sig_core::StreamCarrier;
use sig_router::{Event, Presence, ServerRouter};
use sig_tests::media::Beating;
use sig_tests::rig;

type Outcome = Result<(), Box<dyn Error + Send + Sync>>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Outcome {
    let mut args = std::env::args().skip(1);
    let (Some(role), Some(address), Some(period)) = (args.next(), args.next(), args.next()) else {
        return Err("usage: beating server|client HOST:PORT PERIOD_MS".into());
    };
    let period = Duration::from_millis(period.parse()?);
    let ended = tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new()));
    tokio::select! {
        outcome = run(&role, &address, period) => outcome,
        _ = ended => Ok(()),
    }
}

fn print(event: &Event<'_>) {
    let reason = event.decode::<Presence>().ok().and_then(|presence| presence.reason);
    println!("{} {}", event.name(), reason.unwrap_or_default());
}

async fn run(role: &str, address: &str, period: Duration) -> Outcome {
    match role {
        "server" => {
            let server = ServerRouter::new()?;
            let inner = sig_carrier_tcp::Listener::bind(address)?;
            server.attach(Arc::new(StreamCarrier::new(Beating { inner, period })));
            let _near = server.add_sender("near").event("e").connect()?;
            let _listener = server.add_listener("far", print)?;
            std::future::pending().await
        }
        "client" => {
            let client = rig::beating_client(address, period);
            let _far = client.add_remote_sender("far").event("e").connect().await?;
            let _connects = client.add_remote_listener("near/#connect", print).await?;
            let _disconnects = client.add_remote_listener("near/#disconnect", print).await?;
            std::future::pending().await
        }
        other => Err(format!("no such role: {other}").into()),
    }
}
