//! Round trips of requests: `req` asks, `rep` answers with what it was asked.

use std::time::{Duration, Instant};

use sig_bench_party::{Args, ready, round_trips};
use sig_core::RawJson;
use sig_router::{ClientRouter, Request};

use crate::error::Failure;

pub(super) async fn answer(client: &ClientRouter) -> Result<(), Failure> {
    let _sender = client
        .add_remote_sender("oracle")
        .request("echo", |request: Request| Ok(request.raw_params().clone()))
        .connect()
        .await?;
    ready();
    std::future::pending().await
}

pub(super) async fn ask(args: &Args, client: &ClientRouter) -> Result<(), Failure> {
    ready();
    round_trips(args, async |sequence| {
        // JSON text of the wanted size, with the number in it.
        let width = args.size.saturating_sub(2);
        let params = format!("\"{sequence:0>width$}\"");
        let params = RawJson::from_text(params)?;
        let began = Instant::now();
        let answer = client.remote_request("oracle", "echo", &params).await?;
        let took = began.elapsed();
        if answer.text() != params.text() {
            return Err(Failure::new(format!("another answer came than to number {sequence}")));
        }
        Ok(took)
    })
    .await?;
    client.close(Duration::from_secs(1)).await;
    Ok(())
}
