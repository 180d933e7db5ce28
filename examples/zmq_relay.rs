//! A publisher of ZeroMQ becomes a sender of a router, and what a router's senders trigger is published for SUB sockets: each in ten lines.
//!
//! `sig relay` does both without a program. Here the publisher, the router and the subscriber are in one process, over `inproc`.

use std::error::Error;

use sig_carrier_zmq::Socket;
use sig_router::{Payload, Router};

type Outcome = Result<(), Box<dyn Error>>;

/// Whatever is published under `frame` comes as the event `frame` of the sender `camera`, as it is.
async fn from(publisher: &str, router: &Router) -> Outcome {
    let socket = Socket::sub()?.connect(publisher).await?.subscribe("frame").await?;
    let sender = router.add_sender("camera").event("frame").connect()?;
    let signal = sender.signal("frame")?;
    loop {
        let message = socket.recv().await?;
        let data = message.frame_bytes(1).unwrap_or_default();
        signal.trigger(&Payload::from_bytes(data)).await?;
    }
}

/// Every event of the sender `camera` is published, as two frames: `camera/EVENT` and the data.
async fn to(socket: &Socket, router: &Router) -> Outcome {
    let mut events = router.listen("camera")?;
    while let Some(event) = events.recv().await {
        let event = event?;
        let topic = format!("{}/{}", event.sender(), event.name());
        socket.send([topic.into_bytes(), event.bytes()?.to_vec()]).await?;
    }
    Ok(())
}

#[tokio::main]
async fn main() -> Outcome {
    let router = Router::new();
    let camera = Socket::xpub()?.bind("inproc://camera").await?;
    let published = Socket::xpub()?.bind("inproc://published").await?;
    let subscriber = Socket::sub()?.connect("inproc://published").await?;
    subscriber.subscribe("camera/frame").await?;
    published.recv().await?; // it has arrived

    let take_pictures = async {
        camera.recv().await?; // the relay has subscribed
        for picture in ["a cat", "a dog"] {
            camera.send(["frame", picture]).await?;
            let message = subscriber.recv().await?.into_frames();
            println!("{} is {}", message[0].escape_ascii(), message[1].escape_ascii());
        }
        Ok(())
    };
    tokio::select! {
        ended = from("inproc://camera", &router) => ended,
        ended = to(&published, &router) => ended,
        done = take_pictures => done,
    }
}
