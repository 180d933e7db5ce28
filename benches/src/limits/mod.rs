//! What the machine reaches without us: sockets with nothing between them, and a broker that does nothing but move bytes.

mod ideal;
mod outgoing;
mod raw;

use sig_bench_party::Args;

use crate::error::Failure;

#[tokio::main]
pub(crate) async fn run(args: &Args) -> Result<(), Failure> {
    match args.role.as_str() {
        "ideal-broker" => ideal::broker(args).await,
        "ideal-sub" => ideal::subscribe(args).await,
        "ideal-pub" => ideal::publish(args).await,
        "ideal-ping" => ideal::ping(args).await,
        "ideal-pong" => ideal::pong(args).await,
        "raw-sub" => raw::subscribe(args).await,
        "raw-pub" => raw::publish(args).await,
        "raw-ping" => raw::ping(args).await,
        "raw-pong" => raw::pong(args).await,
        role => Err(Failure::new(format!("there is no limit `{role}`"))),
    }
}
