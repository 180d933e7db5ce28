//! pysig's trio, one role per process: `trio server|publisher|listener HOST:PORT`, or with the path of a local
//! socket.
//!
//! Ends when standard input does, so that nothing outlives a test.

use std::error::Error;
use std::io::Read as _;
use std::sync::Arc;
use std::time::Duration;

use sig_router::{ClientRouter, Event, LinkState, SenderState, ServerRouter, TriggerError};
use sig_tests::rig;

type Outcome = Result<(), Box<dyn Error + Send + Sync>>;

const PERIOD: Duration = Duration::from_millis(5);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Outcome {
    let mut args = std::env::args().skip(1);
    let (Some(role), Some(address)) = (args.next(), args.next()) else {
        return Err("usage: trio server|publisher|listener HOST:PORT|PATH".into());
    };
    let ended = tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new()));
    tokio::select! {
        outcome = run(&role, &address) => outcome,
        _ = ended => Ok(()),
    }
}

async fn run(role: &str, address: &str) -> Outcome {
    match role {
        "server" => server(address).await,
        "publisher" => publisher(client(address).await?).await,
        "listener" => listener(client(address).await?).await,
        other => Err(format!("no such role: {other}").into()),
    }
}

/// A client that has connected, or has tried to; it says so.
async fn client(address: &str) -> Result<ClientRouter, Box<dyn Error + Send + Sync>> {
    let client = match address.starts_with('/') {
        true => rig::client_over(sig_carrier_ipc::dial(address)?),
        false => rig::client_of(address),
    };
    let mut states = client.states();
    states.wait_for(|state| *state != LinkState::Connecting).await?;
    println!("started");
    Ok(client)
}

/// The router, with the sender `timer`; its events carry the process's id.
async fn server(address: &str) -> Outcome {
    let server = ServerRouter::new()?;
    match address.starts_with('/') {
        true => server.attach(Arc::new(sig_carrier_ipc::listen(address)?)),
        false => server.attach(Arc::new(sig_carrier_tcp::listen(address)?)),
    };
    let timer = server.add_sender("timer").event("tic").connect()?;
    let tic = timer.signal("tic")?;
    println!("listening");
    loop {
        tic.trigger(&std::process::id()).await?;
        tokio::time::sleep(PERIOD).await;
    }
}

/// A client with the sender `another_timer`; its events count. Prints the count whenever the router has it (again).
async fn publisher(client: ClientRouter) -> Outcome {
    let timer = client.add_remote_sender("another_timer").event("tic").connect().await?;
    let tic = timer.signal("tic")?;
    let mut states = timer.states();
    states.mark_changed();
    for count in 0_u64.. {
        if states.has_changed()? && *states.borrow_and_update() == SenderState::Live {
            println!("live {count}");
        }
        match tic.trigger(&count).await {
            Ok(()) | Err(TriggerError::Offline { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        tokio::time::sleep(PERIOD).await;
    }
    Ok(())
}

/// A client that prints both timers' events.
async fn listener(client: ClientRouter) -> Outcome {
    let print = |event: &Event<'_>| println!("{} {}", event.sender(), event.decode::<u64>().unwrap_or_default());
    let _timer = client.add_remote_listener("timer/tic", print).await?;
    let _another = client.add_remote_listener("another_timer/tic", print).await?;
    println!("listening");
    std::future::pending().await
}
