//! ZeroMQ: libzmq's own proxies as brokers (XSUB/XPUB that drops nothing, ROUTER/DEALER), and clients on plain threads,
//! as libzmq has them. URLs are pairs: `FRONT,BACK`.

use std::error::Error;
use std::time::{Duration, Instant};

use sig_bench_party::{Args, Source, Stamper, Tally, check, now_ns, published, ready, ready_to_publish, round_trips};
use zmq::{Context, Socket, SocketType};

type Outcome<T = ()> = Result<T, Box<dyn Error + Send + Sync>>;

/// From `zmq.h`; the crate does not name it.
const XPUB_NODROP: i32 = 69;
/// Up to this size a copy is cheaper than handing over the memory.
const COPIED: usize = 4096;
const PATIENCE_MS: i32 = 10_000;
/// How long a subscription may take through the proxy; nothing tells when it is there.
const SETTLE: Duration = Duration::from_millis(150);

#[tokio::main]
async fn main() -> Outcome {
    let args = Args::of_process()?;
    let context = Context::new();
    let (front, back) = args.url.split_once(',').ok_or("the URL is to be FRONT,BACK")?;
    match args.role.as_str() {
        "broker" => broker(&context, front, back),
        "request-broker" => request_broker(&context, front, back),
        "sub" => subscribe(&args, &context, back).await,
        "pub" => publish(&args, &context, front),
        "ping" => ping(&args, &context, front, back).await,
        "pong" => pong(&context, front, back),
        "req" => ask(&args, &context, front).await,
        "rep" => answer(&context, back),
        role => Err(format!("no role {role}").into()),
    }
}

/// A socket without an end of its own: what is not sent when the process ends is waited for.
fn socket(context: &Context, kind: SocketType, url: &str) -> Outcome<Socket> {
    let socket = context.socket(kind)?;
    socket.set_rcvtimeo(PATIENCE_MS)?;
    socket.connect(url)?;
    Ok(socket)
}

/// Makes a publishing socket wait for room instead of dropping.
fn drop_nothing(socket: &mut Socket) -> Outcome {
    let on: i32 = 1;
    // SAFETY: the socket is open for as long as it is borrowed, and the option takes an int that is copied.
    let status = unsafe {
        zmq_sys::zmq_setsockopt(
            socket.as_mut_ptr(),
            XPUB_NODROP,
            (&raw const on).cast(),
            size_of::<i32>(),
        )
    };
    if status == 0 {
        Ok(())
    } else {
        Err("XPUB_NODROP is not known here".into())
    }
}

fn broker(context: &Context, front: &str, back: &str) -> Outcome {
    let (from, mut to) = (context.socket(zmq::XSUB)?, context.socket(zmq::XPUB)?);
    drop_nothing(&mut to)?;
    from.bind(front)?;
    to.bind(back)?;
    ready();
    Ok(zmq::proxy(&from, &to)?)
}

fn request_broker(context: &Context, front: &str, back: &str) -> Outcome {
    let (from, to) = (context.socket(zmq::ROUTER)?, context.socket(zmq::DEALER)?);
    from.bind(front)?;
    to.bind(back)?;
    ready();
    Ok(zmq::proxy(&from, &to)?)
}

async fn subscribe(args: &Args, context: &Context, back: &str) -> Outcome {
    let socket = socket(context, zmq::SUB, back)?;
    socket.set_subscribe(b"")?;
    // The tally's own patience is for async streams.
    socket.set_rcvtimeo(3000)?;
    std::thread::sleep(SETTLE);
    ready();
    let mut message = zmq::Message::new();
    Tally::new(args.publishers)
        .listen(async |tally| {
            loop {
                match socket.recv(&mut message, 0) {
                    Ok(()) => return !tally.take(&message),
                    // The publisher may take its time to begin.
                    Err(zmq::Error::EAGAIN) if tally.received() == 0 => {}
                    Err(_) => return false,
                }
            }
        })
        .await;
    Ok(())
}

fn publish(args: &Args, context: &Context, front: &str) -> Outcome {
    let mut sockets = Vec::new();
    for _ in 0..args.publishers {
        // XPUB, since it tells when the subscription is there.
        let mut socket = context.socket(zmq::XPUB)?;
        socket.set_rcvtimeo(PATIENCE_MS)?;
        drop_nothing(&mut socket)?;
        socket.connect(front)?;
        socket.recv_bytes(0)?;
        sockets.push(socket);
    }
    if !ready_to_publish(args) {
        return Ok(());
    }
    let begun = now_ns();
    let threads: Vec<_> = (0..)
        .zip(sockets)
        .map(|(number, socket)| {
            let args = args.clone();
            std::thread::spawn(move || send(&args, number, &socket))
        })
        .collect();
    let mut sent = 0;
    for thread in threads {
        sent += thread.join().map_err(|_| "a publisher panicked")??;
    }
    published(sent, begun);
    Ok(())
}

fn send(args: &Args, number: u64, socket: &Socket) -> Outcome<u64> {
    let mut source = Source::new(args, number);
    while let Some(payload) = source.next() {
        if payload.len() <= COPIED {
            socket.send(&payload[..], 0)?;
        } else {
            socket.send(payload, 0)?;
        }
        while let Some(pause) = source.pause() {
            std::thread::sleep(pause);
        }
    }
    Ok(source.sent())
}

/// A pair that publishes to the front and hears `topic` from the back.
fn pair(context: &Context, front: &str, back: &str, topic: &[u8]) -> Outcome<(Socket, Socket)> {
    let (to, from) = (socket(context, zmq::PUB, front)?, socket(context, zmq::SUB, back)?);
    from.set_subscribe(topic)?;
    std::thread::sleep(2 * SETTLE);
    Ok((to, from))
}

fn pong(context: &Context, front: &str, back: &str) -> Outcome {
    let (to, from) = pair(context, front, back, b"there")?;
    from.set_rcvtimeo(-1)?;
    ready();
    loop {
        from.recv_bytes(0)?;
        let payload = from.recv_bytes(0)?;
        to.send("back", zmq::SNDMORE)?;
        to.send(payload, 0)?;
    }
}

async fn ping(args: &Args, context: &Context, front: &str, back: &str) -> Outcome {
    let (to, from) = pair(context, front, back, b"back")?;
    let stamper = Stamper::new(args.size, 0);
    ready();
    round_trips(args, async |sequence| -> Outcome<Duration> {
        let payload = stamper.make(sequence, false, 0);
        let began = Instant::now();
        to.send("there", zmq::SNDMORE)?;
        to.send(payload, 0)?;
        from.recv_bytes(0)?;
        let back = from.recv_bytes(0)?;
        let took = began.elapsed();
        if !check(&back).is_ok_and(|seen| seen.number == sequence) {
            return Err("another message came back".into());
        }
        Ok(took)
    })
    .await
}

fn answer(context: &Context, back: &str) -> Outcome {
    let socket = socket(context, zmq::DEALER, back)?;
    socket.set_rcvtimeo(-1)?;
    std::thread::sleep(SETTLE);
    ready();
    loop {
        let parts = socket.recv_multipart(0)?;
        socket.send_multipart(parts, 0)?;
    }
}

async fn ask(args: &Args, context: &Context, front: &str) -> Outcome {
    let socket = socket(context, zmq::DEALER, front)?;
    let stamper = Stamper::new(args.size, 0);
    ready();
    round_trips(args, async |sequence| -> Outcome<Duration> {
        let payload = stamper.make(sequence, false, 0);
        let began = Instant::now();
        socket.send(&payload, 0)?;
        let answer = socket.recv_bytes(0)?;
        let took = began.elapsed();
        if answer != payload {
            return Err("another answer came".into());
        }
        Ok(took)
    })
    .await
}
