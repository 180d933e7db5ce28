//! MQTT: `sub`, `pub`, `ping` and `pong` beside a mosquitto, with QoS 0. The URL is `HOST:PORT`.

use std::error::Error;
use std::time::{Duration, Instant};

use rumqttc::{AsyncClient, Event, EventLoop, MqttOptions, NetworkOptions, Outgoing, Packet, Publish, QoS};
use sig_bench_party::{Args, Source, Stamper, Tally, check, now_ns, published, ready, ready_to_publish, round_trips};
use tokio::task::JoinSet;

type Outcome<T = ()> = Result<T, Box<dyn Error + Send + Sync>>;

const PATIENCE: Duration = Duration::from_secs(10);
/// The client's own queue of what is to be sent.
const QUEUE: usize = 1000;
const LARGEST: usize = 128 << 20;

#[tokio::main]
async fn main() -> Outcome {
    let args = Args::of_process()?;
    match args.role.as_str() {
        "sub" => subscribe(&args).await,
        "pub" => publish(&args).await,
        "ping" => ping(&args).await,
        "pong" => pong(&args).await,
        role => Err(format!("no role {role}").into()),
    }
}

/// A client that is connected, and has what it subscribes to.
async fn connect(args: &Args, name: &str, topic: Option<&str>) -> Outcome<(AsyncClient, EventLoop)> {
    let (host, port) = args.url.split_once(':').ok_or("the URL is to be HOST:PORT")?;
    let mut options = MqttOptions::new(format!("{name}-{}", std::process::id()), host, port.parse()?);
    options.set_max_packet_size(LARGEST, LARGEST);
    let (client, mut events) = AsyncClient::new(options, QUEUE);
    let mut network = NetworkOptions::new();
    network.set_tcp_nodelay(true);
    events.set_network_options(network);
    if let Some(topic) = topic {
        client.subscribe(topic, QoS::AtMostOnce).await?;
    }
    loop {
        match (events.poll().await?, topic) {
            (Event::Incoming(Packet::ConnAck(_)), None) => break,
            (Event::Incoming(Packet::SubAck(_)), _) => break,
            _ => {}
        }
    }
    Ok((client, events))
}

/// The next message.
async fn message(events: &mut EventLoop) -> Outcome<Publish> {
    loop {
        if let Event::Incoming(Packet::Publish(publish)) = events.poll().await? {
            return Ok(publish);
        }
    }
}

async fn subscribe(args: &Args) -> Outcome {
    let topic = if args.topics > 1 { "tick/+" } else { "tick" };
    let (_client, mut events) = connect(args, "sub", Some(topic)).await?;
    ready();
    Tally::new(args.publishers)
        .listen(async |tally| match message(&mut events).await {
            Ok(publish) => !tally.take(&publish.payload),
            Err(_) => false,
        })
        .await;
    Ok(())
}

async fn publish(args: &Args) -> Outcome {
    let mut clients = Vec::new();
    for number in 0..args.publishers {
        clients.push(connect(args, &format!("pub{number}"), None).await?);
    }
    if !ready_to_publish(args) {
        return Ok(());
    }
    let begun = now_ns();
    let mut tasks = JoinSet::new();
    for (number, (client, events)) in (0..).zip(clients) {
        let args = args.clone();
        tasks.spawn(async move {
            let (sent, ()) = tokio::try_join!(send(&args, number, &client), until_sent(events))?;
            Outcome::Ok(sent)
        });
    }
    let mut sent = 0;
    while let Some(count) = tasks.join_next().await {
        sent += count??;
    }
    published(sent, begun);
    Ok(())
}

async fn until_sent(mut events: EventLoop) -> Outcome {
    while !matches!(events.poll().await?, Event::Outgoing(Outgoing::Disconnect)) {}
    Ok(())
}

async fn send(args: &Args, number: u64, client: &AsyncClient) -> Outcome<u64> {
    let topics: Vec<String> = match args.topics {
        1 => vec!["tick".to_owned()],
        topics => (0..topics).map(|topic| format!("tick/{topic}")).collect(),
    };
    let mut topics = topics.iter().cycle();
    let mut source = Source::new(args, number);
    while let (Some(topic), Some(payload)) = (topics.next(), source.next()) {
        client.publish(topic, QoS::AtMostOnce, false, payload).await?;
        while let Some(pause) = source.pause() {
            tokio::time::sleep(pause).await;
        }
    }
    client.disconnect().await?;
    Ok(source.sent())
}

async fn pong(args: &Args) -> Outcome {
    let (client, mut events) = connect(args, "pong", Some("there")).await?;
    ready();
    loop {
        let publish = message(&mut events).await?;
        client.publish("back", QoS::AtMostOnce, false, publish.payload).await?;
    }
}

async fn ping(args: &Args) -> Outcome {
    let (client, mut events) = connect(args, "ping", Some("back")).await?;
    let stamper = Stamper::new(args.size, 0);
    ready();
    round_trips(args, async |sequence| -> Outcome<Duration> {
        let payload = stamper.make(sequence, false, 0);
        let began = Instant::now();
        client.publish("there", QoS::AtMostOnce, false, payload).await?;
        let publish = tokio::time::timeout(PATIENCE, message(&mut events)).await??;
        let took = began.elapsed();
        if !check(&publish.payload).is_ok_and(|seen| seen.number == sequence) {
            return Err("another message came back".into());
        }
        Ok(took)
    })
    .await
}
