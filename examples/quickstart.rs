//! The quick start of the README: a server with a sender, and a client that listens to it and asks it.

use std::sync::Arc;

use sig_router::{ClientRouter, ServerRouter};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // A router on TCP (port 0: any free one) with a sender of its own.
    let server = ServerRouter::new()?;
    let carrier = sig_carrier_tcp::listen("127.0.0.1:0")?;
    let address = carrier.medium().local_addr().to_string();
    server.attach(Arc::new(carrier));
    let timer = server
        .add_sender("timer")
        .event("tic")
        .request("period", |_| Ok(1.5))
        .connect()?;

    // A client: usually another program, which may start first and survives a restart of the server.
    let client = ClientRouter::connect(Arc::new(sig_carrier_tcp::dial(&address)?))?;
    let mut tics = client.listen_remote("timer/tic").await?;

    timer.signal("tic")?.trigger(&"hello").await?;
    if let Some(event) = tics.recv().await.transpose()? {
        println!("{} says {}", event.sender(), event.decode::<String>()?);
    }
    let period: f64 = client.remote_request("timer", "period", &()).await?.parse()?;
    println!("a tic every {period} s");
    Ok(())
}
