//! Many connections of one process that speak a protocol by hand, so that a thousand subscribers or ten thousand idle
//! clients cost the machine as little as they can.

mod conversation;
mod fan;
mod idle;
mod nats;
mod sig1;

use sig_bench_party::Args;

use crate::error::Failure;

#[tokio::main]
pub(crate) async fn run(args: &Args) -> Result<(), Failure> {
    match args.role.as_str() {
        "fan" => fan::run(args).await,
        "idle" => idle::run(args).await,
        role => Err(Failure::new(format!("there is no raw client `{role}`"))),
    }
}
