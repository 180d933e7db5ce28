//! A program that is asked and never answers: `callee tcp|ipc ADDRESS`.
//!
//! Ends when standard input does, so that nothing outlives a test.

use std::error::Error;
use std::io::Read as _;

use sig_router::{ClientRouter, HandlerError, Request};
use sig_tests::rig;

type Outcome = Result<(), Box<dyn Error + Send + Sync>>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Outcome {
    let mut args = std::env::args().skip(1);
    let (Some(carrier), Some(address)) = (args.next(), args.next()) else {
        return Err("usage: callee tcp|ipc ADDRESS".into());
    };
    let client = match carrier.as_str() {
        "tcp" => rig::client_of(&address),
        "ipc" => rig::client_over(sig_carrier_ipc::dial(&address)?),
        other => return Err(format!("no such carrier: {other}").into()),
    };
    let ended = tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new()));
    tokio::select! {
        outcome = run(&client) => outcome,
        _ = ended => Ok(()),
    }
}

async fn run(client: &ClientRouter) -> Outcome {
    let _callee = client
        .add_remote_sender("callee")
        .request_async("hang", |_: Request| async {
            println!("asked");
            std::future::pending::<Result<(), HandlerError>>().await
        })
        .connect()
        .await?;
    println!("ready");
    std::future::pending().await
}
