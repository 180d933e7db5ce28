//! Programs on bare ZeroMQ sockets of ours, with something in the middle: our forwarder, or libzmq's proxy. URLs are pairs: `FRONT,BACK`.

use std::time::{Duration, Instant};

use sig_bench_party::{Args, RoundTrips, Source, Stamper, Tally, check, now_ns, published, ready, ready_to_publish};
use sig_carrier_zmq::{Forwarder, Kind, Options, Pattern, Socket};
use tokio::task::JoinSet;

use super::PATIENCE;
use crate::error::Failure;

/// How long a subscription may take through the middle; nothing tells a PUB when it is there.
const SETTLE: Duration = Duration::from_millis(150);

pub(super) async fn run(args: &Args) -> Result<(), Failure> {
    let Some((front, back)) = args.url.split_once(',') else {
        return Err(Failure::new("the URL is to be FRONT,BACK"));
    };
    match args.role.as_str() {
        "omq-broker" => forward(Pattern::Topics, front, back).await,
        "omq-request-broker" => forward(Pattern::Requests, front, back).await,
        "omq-sub" => subscribe(args, back).await,
        "omq-pub" => publish(args, front).await,
        _ => alone(args.clone(), front.to_owned(), back.to_owned()).await,
    }
}

/// One end of round trips, as a task: on one thread what is no task has its turn only after the reactor was asked once more.
async fn alone(args: Args, front: String, back: String) -> Result<(), Failure> {
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        match args.role.as_str() {
            "omq-ping" => ping(&args, &front, &back).await,
            "omq-pong" => pong(&front, &back).await,
            "omq-req" => ask(&args, &front).await,
            "omq-rep" => answer(&back).await,
            role => Err(Failure::new(format!("there is no role `{role}`"))),
        }
    });
    tasks.join_all().await.into_iter().collect()
}

/// With libzmq's defaults where the proxies beside it have them, and as they do it drops nothing.
fn options() -> Options {
    Options::default().no_drop(true).send_timeout(PATIENCE)
}

async fn socket(kind: Kind, endpoint: &str) -> Result<Socket, Failure> {
    Ok(Socket::open(kind, options())?.connect(endpoint).await?)
}

/// For round trips, one at a time. They wait without a limit, for whoever started them waits with one.
async fn patient(kind: Kind, endpoint: &str) -> Result<Socket, Failure> {
    let options = Options::default().no_drop(true).low_latency(true);
    Ok(Socket::open(kind, options)?.connect(endpoint).await?)
}

async fn forward(pattern: Pattern, front: &str, back: &str) -> Result<(), Failure> {
    let forwarder = Forwarder::of(pattern)
        .bind_front(front)
        .bind_back(back)
        .options(options())
        .start()
        .await?;
    ready();
    forwarder.ended().await.map_err(|error| Failure::new(error.to_string()))
}

async fn subscribe(args: &Args, back: &str) -> Result<(), Failure> {
    let socket = socket(Kind::Sub, back).await?.subscribe("").await?;
    tokio::time::sleep(SETTLE).await;
    ready();
    Tally::new(args.publishers)
        .listen(async |tally| match socket.recv().await {
            Ok(message) => !tally.take(message.frame(0).unwrap_or_default()),
            Err(_) => false,
        })
        .await;
    Ok(())
}

async fn publish(args: &Args, front: &str) -> Result<(), Failure> {
    let mut sockets = Vec::new();
    for _ in 0..args.publishers {
        // XPUB, since it tells when the subscription is there.
        let socket = socket(Kind::Xpub, front).await?;
        socket.recv_within(PATIENCE).await?;
        sockets.push(socket);
    }
    if !ready_to_publish(args) {
        return Ok(());
    }
    let begun = now_ns();
    let mut tasks = JoinSet::new();
    for (number, socket) in (0..).zip(sockets) {
        let args = args.clone();
        tasks.spawn(async move {
            let mut source = Source::new(&args, number);
            while let Some(payload) = source.next() {
                socket.send(payload).await?;
                while let Some(pause) = source.pause() {
                    tokio::time::sleep(pause).await;
                }
            }
            Ok::<_, Failure>((source.sent(), socket))
        });
    }
    let (mut sent, mut sockets) = (0, Vec::new());
    while let Some(done) = tasks.join_next().await {
        let (count, socket) = done??;
        sent += count;
        sockets.push(socket);
    }
    published(sent, begun);
    for socket in sockets {
        socket.close().await;
    }
    Ok(())
}

/// A pair that publishes to the front and hears `topic` from the back.
async fn pair(front: &str, back: &str, topic: &str) -> Result<(Socket, Socket), Failure> {
    let to = patient(Kind::Pub, front).await?;
    let from = patient(Kind::Sub, back).await?.subscribe(topic).await?;
    tokio::time::sleep(2 * SETTLE).await;
    Ok((to, from))
}

async fn pong(front: &str, back: &str) -> Result<(), Failure> {
    let (to, from) = pair(front, back, "there").await?;
    ready();
    loop {
        let mut message = from.recv().await?;
        message.pop_front();
        to.send(message.with_front("back")).await?;
    }
}

async fn ping(args: &Args, front: &str, back: &str) -> Result<(), Failure> {
    let (to, from) = pair(front, back, "back").await?;
    let stamper = Stamper::new(args.size, 0);
    ready();
    let mut trips = RoundTrips::new(args);
    while let Some(sequence) = trips.next() {
        let payload = stamper.make(sequence, false, 0);
        let began = Instant::now();
        to.send(["there".into(), payload]).await?;
        let message = from.recv().await?;
        trips.took(began.elapsed());
        let seen = check(message.frame(1).unwrap_or_default());
        if !seen.is_ok_and(|seen| seen.number == sequence) {
            return Err(Failure::new(format!(
                "another message came back than number {sequence}"
            )));
        }
    }
    trips.say();
    Ok(())
}

async fn answer(back: &str) -> Result<(), Failure> {
    let socket = patient(Kind::Dealer, back).await?;
    tokio::time::sleep(SETTLE).await;
    ready();
    loop {
        let message = socket.recv().await?;
        socket.send(message).await?;
    }
}

async fn ask(args: &Args, front: &str) -> Result<(), Failure> {
    let socket = patient(Kind::Dealer, front).await?;
    let stamper = Stamper::new(args.size, 0);
    ready();
    let mut trips = RoundTrips::new(args);
    while let Some(sequence) = trips.next() {
        let payload = stamper.make(sequence, false, 0);
        let began = Instant::now();
        socket.send(&payload[..]).await?;
        let message = socket.recv().await?;
        trips.took(began.elapsed());
        if message.frame(0) != Some(&payload[..]) {
            return Err(Failure::new(format!("another answer came than to number {sequence}")));
        }
    }
    trips.say();
    Ok(())
}
