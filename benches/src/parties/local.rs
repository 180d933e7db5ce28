//! All parties in one process: a server, and clients over the local carrier.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use sig_bench_party::Args;
use sig_carrier_local::Local;
use sig_router::{ClientRouter, ServerRouter};
use tokio::task::JoinSet;

use super::{PATIENCE, asking, echo, publish, subscribe};
use crate::error::Failure;

pub(super) async fn run(args: &Args) -> Result<(), Failure> {
    let server = ServerRouter::new()?;
    let hub = Arc::new(Local::new());
    server.attach(Arc::<Local>::clone(&hub));
    let connect = async || -> Result<ClientRouter, Failure> {
        let client = ClientRouter::connect(Arc::new(hub.dialer()))?;
        client.ready(PATIENCE).await?;
        Ok(client)
    };
    let mut others = JoinSet::new();
    match args.role.as_str() {
        "local-pub" => {
            let listening = FuturesUnordered::new();
            for _ in 0..args.subscribers {
                let client = connect().await?;
                let one = subscribe::Listening::to(args, &client).await?;
                listening.push(async move {
                    one.run(args).await;
                    client.close(Duration::ZERO).await;
                });
            }
            let mut clients = Vec::new();
            for _ in 0..args.publishers {
                clients.push(connect().await?);
            }
            let listened = listening.collect::<()>();
            tokio::join!(publish::run(args, clients), listened).0
        }
        "local-ping" => {
            let client = connect().await?;
            others.spawn(async move {
                let _ = echo::pong(&client).await;
            });
            echo::ping(args, &connect().await?).await
        }
        "local-req" => {
            let client = connect().await?;
            others.spawn(async move {
                let _ = asking::answer(&client).await;
            });
            asking::ask(args, &connect().await?).await
        }
        role => Err(Failure::new(format!("there is no role `{role}`"))),
    }
}
