//! NATS: `sub`, `pub`, `ping`, `pong`, `req` and `rep` beside a nats-server with its defaults.

use std::error::Error;
use std::time::{Duration, Instant};

use async_nats::Client;
use bytes::Bytes;
use futures::StreamExt as _;
use sig_bench_party::{Args, Source, Stamper, Tally, check, now_ns, published, ready, ready_to_publish, round_trips};
use tokio::task::JoinSet;

type Outcome = Result<(), Box<dyn Error + Send + Sync>>;

const PATIENCE: Duration = Duration::from_secs(10);

#[tokio::main]
async fn main() -> Outcome {
    let args = Args::of_process()?;
    match args.role.as_str() {
        "sub" => subscribe(&args).await,
        "pub" => publish(&args).await,
        "ping" => ping(&args).await,
        "pong" => pong(&args).await,
        "req" => ask(&args).await,
        "rep" => answer(&args).await,
        role => Err(format!("no role {role}").into()),
    }
}

async fn subscribe(args: &Args) -> Outcome {
    let client = async_nats::connect(&args.url).await?;
    let subject = if args.topics > 1 { "tick.*" } else { "tick" };
    let mut subscription = client.subscribe(subject).await?;
    client.flush().await?;
    ready();
    Tally::new(args.publishers)
        .listen(async |tally| match subscription.next().await {
            Some(message) => !tally.take(&message.payload),
            None => false,
        })
        .await;
    Ok(())
}

async fn publish(args: &Args) -> Outcome {
    let mut clients = Vec::new();
    for _ in 0..args.publishers {
        let client = async_nats::connect(&args.url).await?;
        client.flush().await?;
        clients.push(client);
    }
    if !ready_to_publish(args) {
        return Ok(());
    }
    let begun = now_ns();
    let mut tasks = JoinSet::new();
    for (number, client) in (0..).zip(clients) {
        let args = args.clone();
        tasks.spawn(async move { send(&args, number, &client).await });
    }
    let mut sent = 0;
    while let Some(count) = tasks.join_next().await {
        sent += count??;
    }
    published(sent, begun);
    Ok(())
}

async fn send(args: &Args, number: u64, client: &Client) -> Result<u64, Box<dyn Error + Send + Sync>> {
    let subjects: Vec<async_nats::Subject> = match args.topics {
        1 => vec!["tick".into()],
        topics => (0..topics).map(|topic| format!("tick.{topic}").into()).collect(),
    };
    let mut subjects = subjects.iter().cycle();
    let mut source = Source::new(args, number);
    while let (Some(subject), Some(payload)) = (subjects.next(), source.next()) {
        client.publish(subject.clone(), Bytes::from(payload)).await?;
        while let Some(pause) = source.pause() {
            tokio::time::sleep(pause).await;
        }
    }
    client.flush().await?;
    Ok(source.sent())
}

async fn pong(args: &Args) -> Outcome {
    let client = async_nats::connect(&args.url).await?;
    let mut there = client.subscribe("there").await?;
    client.flush().await?;
    ready();
    while let Some(message) = there.next().await {
        client.publish("back", message.payload).await?;
    }
    Ok(())
}

async fn ping(args: &Args) -> Outcome {
    let client = async_nats::connect(&args.url).await?;
    let mut back = client.subscribe("back").await?;
    client.flush().await?;
    let stamper = Stamper::new(args.size, 0);
    ready();
    round_trips(
        args,
        async |sequence| -> Result<Duration, Box<dyn Error + Send + Sync>> {
            let payload = stamper.make(sequence, false, 0);
            let began = Instant::now();
            client.publish("there", Bytes::from(payload)).await?;
            let message = tokio::time::timeout(PATIENCE, back.next()).await?;
            let took = began.elapsed();
            let message = message.ok_or("the subscription is over")?;
            if !check(&message.payload).is_ok_and(|seen| seen.number == sequence) {
                return Err("another message came back".into());
            }
            Ok(took)
        },
    )
    .await
}

async fn answer(args: &Args) -> Outcome {
    let client = async_nats::connect(&args.url).await?;
    let mut asked = client.subscribe("echo").await?;
    client.flush().await?;
    ready();
    while let Some(message) = asked.next().await {
        if let Some(reply) = message.reply {
            client.publish(reply, message.payload).await?;
        }
    }
    Ok(())
}

async fn ask(args: &Args) -> Outcome {
    let client = async_nats::connect(&args.url).await?;
    let stamper = Stamper::new(args.size, 0);
    ready();
    round_trips(
        args,
        async |sequence| -> Result<Duration, Box<dyn Error + Send + Sync>> {
            let payload = Bytes::from(stamper.make(sequence, false, 0));
            let began = Instant::now();
            let answer = client.request("echo", payload.clone()).await?;
            let took = began.elapsed();
            if answer.payload != payload {
                return Err("another answer came".into());
            }
            Ok(took)
        },
    )
    .await
}
