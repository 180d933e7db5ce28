//! A program that is asked and never answers: `callee tcp|ipc ADDRESS`, a client, or `callee server ADDRESS`, which
//! prints where it listens.
//!
//! Ends when standard input does, so that nothing outlives a test.

use std::error::Error;
use std::io::Read as _;
use std::sync::Arc;

use sig_router::{ClientRouter, HandlerError, Request, SenderBuilder, ServerRouter};
use sig_tests::rig;

type Outcome = Result<(), Box<dyn Error + Send + Sync>>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Outcome {
    let mut args = std::env::args().skip(1);
    let (Some(carrier), Some(address)) = (args.next(), args.next()) else {
        return Err("usage: callee tcp|ipc|server ADDRESS".into());
    };
    let ended = tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new()));
    tokio::select! {
        outcome = run(&carrier, &address) => outcome,
        _ = ended => Ok(()),
    }
}

async fn run(carrier: &str, address: &str) -> Outcome {
    match carrier {
        "tcp" => client(&rig::client_of(address)).await,
        "ipc" => client(&rig::client_over(sig_carrier_ipc::dial(address)?)).await,
        "server" => server(address).await,
        other => Err(format!("no such carrier: {other}").into()),
    }
}

fn hanging<T>(builder: SenderBuilder<T>) -> SenderBuilder<T> {
    builder.request_async("hang", |_: Request| async {
        println!("asked");
        std::future::pending::<Result<(), HandlerError>>().await
    })
}

async fn client(client: &ClientRouter) -> Outcome {
    let _callee = hanging(client.add_remote_sender("callee")).connect().await?;
    println!("ready");
    std::future::pending().await
}

async fn server(address: &str) -> Outcome {
    let server = ServerRouter::new()?;
    let listener = sig_carrier_tcp::listen(address)?;
    let address = listener.medium().local_addr();
    server.attach(Arc::new(listener));
    let _callee = hanging(server.add_sender("callee")).connect()?;
    println!("{address}");
    std::future::pending().await
}
