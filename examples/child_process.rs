//! A carrier that is not ours: a server whose client is a child process, over its standard input and output.
//!
//! The carrier is a crate of its own, `stdio-carrier/`, which depends on sig-core alone. The routers take it like any
//! other. The child crashes on purpose; the carrier starts it again and everybody is told.

use std::error::Error;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use sig_core::StreamCarrier;
use sig_example_stdio_carrier::{Children, Parent};
use sig_router::{ClientRouter, DEFAULT_GRACE, LinkState, Presence, ServerRouter};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    match std::env::args().nth(1) {
        Some(_) => child().await,
        None => parent().await,
    }
}

async fn parent() -> Result<(), Box<dyn Error>> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("child");
    let server = ServerRouter::new()?;
    let mut events = server.listen("worker")?;
    server.attach(Arc::new(StreamCarrier::new(Children::new(command))));

    let mut lives = 0;
    while let Some(event) = tokio::time::timeout(Duration::from_secs(20), events.recv()).await? {
        let event = event?;
        match event.name().as_str() {
            "#connect" => {
                lives += 1;
                let squares: Vec<u64> = server.request("worker", "square", &[1, 2, 3]).await?.parse()?;
                println!("life {lives} of the worker: it squares 1, 2, 3 to {squares:?}");
            }
            "#disconnect" => println!("it is gone: {}", event.decode::<Presence>()?.reason.unwrap_or_default()),
            "tired" if lives < 2 => {
                println!("it is tired; let it crash");
                let crash = server.request("worker", "crash", &());
                println!(
                    "and the request fails: {}",
                    crash.await.err().map(|e| e.to_string()).unwrap_or_default()
                );
            }
            _ => break,
        }
    }
    server.close(DEFAULT_GRACE).await;
    println!("done");
    Ok(())
}

async fn child() -> Result<(), Box<dyn Error>> {
    // Standard output is the link: whatever is to be printed goes to standard error.
    let client = ClientRouter::connect(Arc::new(StreamCarrier::new(Parent::new())))?;
    let worker = client
        .add_remote_sender("worker")
        .event("tired")
        .request("square", |request| {
            Ok(request.params::<Vec<u64>>()?.iter().map(|n| n * n).collect::<Vec<_>>())
        })
        .request("crash", |_| -> Result<(), _> { std::process::exit(3) })
        .connect()
        .await?;
    worker.signal("tired")?.trigger(&()).await?;

    // When the link is gone so is the parent.
    let mut states = client.states();
    states
        .wait_for(|state| matches!(state, LinkState::Waiting { .. }))
        .await?;
    Ok(())
}
