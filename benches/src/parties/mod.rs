//! Our own parties: each is a program of its own, as a user would write it.

mod asking;
mod echo;
mod forwarded;
mod inside;
mod local;
mod publish;
mod subscribe;

use std::time::Duration;

use sig_bench_party::Args;
use sig_core::Schemes;
use sig_router::ClientRouter;

use crate::error::Failure;

/// How long a party waits for its router.
const PATIENCE: Duration = Duration::from_secs(10);

/// The sender of the publisher with this number.
fn name_of(publisher: u64) -> String {
    format!("pub{publisher}")
}

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let mut runtime = match args.role.as_str() {
        // What has one core has one thread, and so has `sig forward`.
        "omq-ping" | "omq-pong" | "omq-req" | "omq-rep" | "omq-broker" | "omq-request-broker" => {
            tokio::runtime::Builder::new_current_thread()
        }
        _ => tokio::runtime::Builder::new_multi_thread(),
    };
    runtime.enable_all().build()?.block_on(party(args))
}

async fn party(args: &Args) -> Result<(), Failure> {
    let url = args.url.as_str();
    match args.role.as_str() {
        "sub" => {
            let client = connect(url).await?;
            let listening = subscribe::Listening::to(args, &client).await?;
            sig_bench_party::ready();
            listening.run(args).await;
            client.close(Duration::from_secs(1)).await;
            Ok(())
        }
        "pub" => {
            let mut clients = Vec::new();
            for _ in 0..args.publishers {
                clients.push(connect(url).await?);
            }
            publish::run(args, clients).await
        }
        "ping" => echo::ping(args, &connect(url).await?).await,
        "pong" => echo::pong(&connect(url).await?).await,
        "req" => asking::ask(args, &connect(url).await?).await,
        "rep" => asking::answer(&connect(url).await?).await,
        "local-inside" => inside::run(args).await,
        role if role.starts_with("omq-") => forwarded::run(args).await,
        role if role.starts_with("local-") => local::run(args).await,
        role => Err(Failure::new(format!(
            "there is no role `{role}`; there are sub, pub, ping, pong, req and rep, and `run tcp` for all of it in one go"
        ))),
    }
}

async fn connect(url: &str) -> Result<ClientRouter, Failure> {
    let schemes = Schemes::new()
        .with("tcp", sig_carrier_tcp::TcpFactory::default())
        .with("ipc", sig_carrier_ipc::IpcFactory)
        .with("zmq", sig_carrier_zmq::ZmqFactory::default());
    let client = ClientRouter::connect(schemes.dial(url)?)?;
    client.ready(PATIENCE).await?;
    Ok(client)
}
