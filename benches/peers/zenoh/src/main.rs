//! zenoh: a router, and clients of it. Congestion control is `block`, so that nothing is dropped; round trips are sent
//! `express`, without waiting for a batch.

use std::error::Error;
use std::time::{Duration, Instant};

use sig_bench_party::{Args, Source, Stamper, Tally, check, now_ns, published, ready, ready_to_publish, round_trips};
use tokio::task::JoinSet;
use zenoh::Session;
use zenoh::qos::CongestionControl;

type Outcome<T = ()> = Result<T, Box<dyn Error + Send + Sync>>;

const PATIENCE: Duration = Duration::from_secs(10);
/// How long a declaration may take through the router; nothing tells a subscriber when it is there.
const SETTLE: Duration = Duration::from_millis(200);
/// After so many events another publisher of the same process has its turn.
const TURN: u64 = 16;

#[tokio::main]
async fn main() -> Outcome {
    let args = Args::of_process()?;
    match args.role.as_str() {
        "broker" => broker(&args.url).await,
        "sub" => subscribe(&args).await,
        "pub" => publish(&args).await,
        "ping" => ping(&args).await,
        "pong" => pong(&args).await,
        "req" => ask(&args).await,
        "rep" => answer(&args).await,
        role => Err(format!("no role {role}").into()),
    }
}

async fn open(mode: &str, section: &str, url: &str) -> Outcome<Session> {
    let mut config = zenoh::Config::default();
    for (key, value) in [
        ("mode", format!("\"{mode}\"")),
        (section, format!("[\"{url}\"]")),
        ("scouting/multicast/enabled", "false".to_owned()),
        ("scouting/gossip/enabled", "false".to_owned()),
    ] {
        config.insert_json5(key, &value)?;
    }
    if mode == "router" {
        config.insert_json5("transport/unicast/max_sessions", "20000")?;
    }
    zenoh::open(config).await
}

async fn client(args: &Args) -> Outcome<Session> {
    open("client", "connect/endpoints", &args.url).await
}

async fn broker(url: &str) -> Outcome {
    let _session = open("router", "listen/endpoints", url).await?;
    ready();
    std::future::pending().await
}

async fn subscribe(args: &Args) -> Outcome {
    let session = client(args).await?;
    let key = if args.topics > 1 { "bench/tick/*" } else { "bench/tick" };
    let subscriber = session.declare_subscriber(key).await?;
    tokio::time::sleep(SETTLE).await;
    ready();
    Tally::new(args.publishers)
        .listen(async |tally| match subscriber.recv_async().await {
            Ok(sample) => !tally.take(&sample.payload().to_bytes()),
            Err(_) => false,
        })
        .await;
    Ok(())
}

/// A client that knows of the subscriber.
async fn publisher(args: &Args) -> Outcome<Session> {
    let session = client(args).await?;
    let until = Instant::now() + PATIENCE;
    let publisher = session.declare_publisher("bench/tick").await?;
    while args.topics == 1 && !publisher.matching_status().await?.matching() {
        if Instant::now() > until {
            return Err("no subscriber is known".into());
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    publisher.undeclare().await?;
    Ok(session)
}

async fn publish(args: &Args) -> Outcome {
    let mut connecting = JoinSet::new();
    for _ in 0..args.publishers {
        let args = args.clone();
        connecting.spawn(async move { publisher(&args).await });
    }
    let mut sessions = Vec::new();
    while let Some(session) = connecting.join_next().await {
        sessions.push(session??);
    }
    if !ready_to_publish(args) {
        return Ok(());
    }
    let begun = now_ns();
    let mut tasks = JoinSet::new();
    for (number, session) in (0..).zip(sessions) {
        let args = args.clone();
        tasks.spawn(async move { send(&args, number, session).await });
    }
    let mut sent = 0;
    let mut sessions = Vec::new();
    while let Some(done) = tasks.join_next().await {
        let (count, session) = done??;
        sent += count;
        sessions.push(session);
    }
    published(sent, begun);
    for session in sessions {
        session.close().await?;
    }
    Ok(())
}

async fn send(args: &Args, number: u64, session: Session) -> Outcome<(u64, Session)> {
    let keys: Vec<String> = match args.topics {
        1 => vec!["bench/tick".to_owned()],
        topics => (0..topics).map(|topic| format!("bench/tick/{topic}")).collect(),
    };
    let mut publishers = Vec::new();
    for key in keys {
        publishers.push(
            session
                .declare_publisher(key)
                .congestion_control(CongestionControl::Block)
                .await?,
        );
    }
    let mut source = Source::new(args, number);
    let mut at = 0;
    while let Some(payload) = source.next() {
        publishers[at].put(payload).await?;
        at = (at + 1) % publishers.len();
        // Waiting for room blocks the thread instead of the task: without this two of a hundred send at a time.
        if args.publishers > 1 && source.sent().is_multiple_of(TURN) {
            tokio::task::yield_now().await;
        }
        while let Some(pause) = source.pause() {
            tokio::time::sleep(pause).await;
        }
    }
    drop(publishers);
    Ok((source.sent(), session))
}

async fn pong(args: &Args) -> Outcome {
    let session = client(args).await?;
    let there = session.declare_subscriber("bench/there").await?;
    let back = session
        .declare_publisher("bench/back")
        .congestion_control(CongestionControl::Block)
        .express(true)
        .await?;
    tokio::time::sleep(SETTLE).await;
    ready();
    while let Ok(sample) = there.recv_async().await {
        back.put(sample.payload().clone()).await?;
    }
    Ok(())
}

async fn ping(args: &Args) -> Outcome {
    let session = client(args).await?;
    let back = session.declare_subscriber("bench/back").await?;
    let there = session
        .declare_publisher("bench/there")
        .congestion_control(CongestionControl::Block)
        .express(true)
        .await?;
    tokio::time::sleep(SETTLE).await;
    let stamper = Stamper::new(args.size, 0);
    ready();
    round_trips(args, async |sequence| -> Outcome<Duration> {
        let payload = stamper.make(sequence, false, 0);
        let began = Instant::now();
        there.put(payload).await?;
        let sample = tokio::time::timeout(PATIENCE, back.recv_async()).await??;
        let took = began.elapsed();
        if !check(&sample.payload().to_bytes()).is_ok_and(|seen| seen.number == sequence) {
            return Err("another sample came back".into());
        }
        Ok(took)
    })
    .await
}

async fn answer(args: &Args) -> Outcome {
    let session = client(args).await?;
    let asked = session.declare_queryable("bench/echo").await?;
    tokio::time::sleep(SETTLE).await;
    ready();
    while let Ok(query) = asked.recv_async().await {
        let payload = query.payload().cloned().ok_or("a query without a payload")?;
        query.reply(query.key_expr().clone(), payload).express(true).await?;
    }
    Ok(())
}

async fn ask(args: &Args) -> Outcome {
    let session = client(args).await?;
    tokio::time::sleep(SETTLE).await;
    let stamper = Stamper::new(args.size, 0);
    ready();
    round_trips(args, async |sequence| -> Outcome<Duration> {
        let payload = stamper.make(sequence, false, 0);
        let began = Instant::now();
        let replies = session.get("bench/echo").payload(payload.clone()).express(true).await?;
        let reply = tokio::time::timeout(PATIENCE, replies.recv_async()).await??;
        let took = began.elapsed();
        let sample = reply.into_result()?;
        if *sample.payload().to_bytes() != payload[..] {
            return Err("another answer came".into());
        }
        Ok(took)
    })
    .await
}
