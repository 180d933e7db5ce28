//! Our own parties: each is a program of its own, as a user would write it.

mod asking;
mod echo;
mod publish;
mod subscribe;

use std::time::Duration;

use sig_bench_party::Args;
use sig_core::Schemes;
use sig_router::ClientRouter;

use crate::error::Failure;

/// How long a party waits for its router.
const PATIENCE: Duration = Duration::from_secs(10);

/// Where the events of the publisher with this number come from.
fn name_of(publisher: u64) -> String {
    format!("pub{publisher}")
}

#[tokio::main]
pub(crate) async fn run(args: Args) -> Result<(), Failure> {
    match args.role.as_str() {
        "sub" => subscribe::run(&args).await,
        "pub" => publish::run(&args).await,
        "ping" => echo::ping(&args).await,
        "pong" => echo::pong(&args).await,
        "req" => asking::ask(&args).await,
        "rep" => asking::answer(&args).await,
        role => Err(Failure::new(format!(
            "there is no role `{role}`; there are sub, pub, ping, pong, req, rep, and `run tcp` or `run ipc` for broker, sub and pub in one go"
        ))),
    }
}

async fn connect(url: &str) -> Result<ClientRouter, Failure> {
    let schemes = Schemes::new()
        .with("tcp", sig_carrier_tcp::TcpFactory::default())
        .with("ipc", sig_carrier_ipc::IpcFactory);
    let client = ClientRouter::connect(schemes.dial(url)?)?;
    client.ready(PATIENCE).await?;
    Ok(client)
}
