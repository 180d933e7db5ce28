//! Two processes on one machine: the program starts itself a second time, and the two talk over a local socket.
//!
//! The parent is the server. The child brings a sender to it, answers its requests, and leaves when the parent says so.

use std::error::Error;
use std::process::{Command, id};
use std::sync::Arc;
use std::time::Duration;

use sig_router::{ClientRouter, DEFAULT_GRACE, LinkState, Presence, Request, ServerRouter};

/// The name of the socket, in the well-known directory of this user.
fn socket_of(parent: u32) -> String {
    format!("ipc-pair-{parent}")
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().collect();
    match args.get(1) {
        Some(parent) => child(parent.parse()?).await,
        None => parent().await,
    }
}

async fn parent() -> Result<(), Box<dyn Error>> {
    let carrier = sig_carrier_ipc::listen(&socket_of(id()))?;
    println!("parent: process {} listens", id());
    let server = ServerRouter::new()?;
    server.attach(Arc::new(carrier));
    let boss = server.add_sender("boss").event("stop").connect()?;
    let mut events = server.listen("worker")?;
    let mut child = Command::new(std::env::current_exe()?).arg(id().to_string()).spawn()?;

    while let Some(event) = tokio::time::timeout(Duration::from_secs(10), events.recv()).await? {
        let event = event?;
        match event.name().as_str() {
            "#connect" => {
                let pid: u32 = server.request("worker", "pid", &()).await?.parse()?;
                // The system vouches for who is at the other end of a local socket.
                let client = server.clients().into_iter().map(|client| client.address).next();
                println!("parent: the worker is process {pid}, at {}", client.unwrap_or_default());
                assert_eq!(pid, child.id());
                let total: u64 = server
                    .request("worker", "sum", &(1..=100).collect::<Vec<u64>>())
                    .await?
                    .parse()?;
                println!("parent: 1 + 2 + .. + 100 = {total}");
                boss.signal("stop")?.trigger(&()).await?;
            }
            "#disconnect" => {
                println!(
                    "parent: the worker left ({})",
                    event.decode::<Presence>()?.reason.unwrap_or_default()
                );
                break;
            }
            name => println!("parent: the worker says {name}: {}", event.decode::<String>()?),
        }
    }
    println!("parent: {}", child.wait()?);
    server.close(DEFAULT_GRACE).await;
    Ok(())
}

async fn child(parent: u32) -> Result<(), Box<dyn Error>> {
    let client = ClientRouter::connect(Arc::new(sig_carrier_ipc::dial(&socket_of(parent))?))?;
    let mut stop = client.listen_remote("boss/stop").await?;
    let worker = client
        .add_remote_sender("worker")
        .event("progress")
        .request("pid", |_| Ok(id()))
        .request("sum", |request: Request| {
            Ok(request.params::<Vec<u64>>()?.iter().sum::<u64>())
        })
        .connect()
        .await?;
    // Without the parent there is nothing to do. (Other programs just go on: the link heals when the server is back.)
    let mut states = client.states();
    tokio::select! {
        _ = stop.recv() => {}
        _ = states.wait_for(|state| matches!(state, LinkState::Waiting { .. })) => return Err("lost the parent".into()),
    }
    worker.signal("progress")?.trigger(&"all done").await?;
    // Everything that was triggered is sent before the goodbye.
    client.close(DEFAULT_GRACE).await;
    Ok(())
}
