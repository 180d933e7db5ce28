//! Events are published.

use futures::stream::{SelectAll, StreamExt as _};
use serde_json::json;
use sig_carrier_zmq::{Message, Socket};
use sig_router::RemoteEventStream;

use super::{Relayed, failure};
use crate::args::RelayTo;
use crate::cmd::zeromq::exposed;
use crate::connect::{Link, connect, lost};
use crate::context::Context;
use crate::exit::{Code, Failure};

pub(super) async fn run(args: &RelayTo, context: &mut Context) -> Result<Code, Failure> {
    let socket = Socket::pub_().map_err(failure)?;
    if args.connect {
        socket.connect(&args.endpoint).await.map_err(failure)?;
    } else {
        exposed(&args.endpoint, args.insecure)?;
        socket.bind(&args.endpoint).await.map_err(failure)?;
    }
    let link = connect(&args.target, context).await?;
    let result = relay(args, &socket, &link, context).await;
    socket.close().await;
    link.close().await;
    result
}

async fn relay(args: &RelayTo, socket: &Socket, link: &Link, context: &mut Context) -> Result<Code, Failure> {
    let mut events: SelectAll<RemoteEventStream> = SelectAll::new();
    for topic in &args.topics {
        let stream = link.client.listen_remote(topic).await;
        events.push(stream.map_err(|error| lost(&link.url, &error))?);
    }
    let at = socket.bound().unwrap_or_else(|| args.endpoint.clone());
    let text = format_args!("publishing events of {} at {at}", link.url);
    context
        .out
        .show(text, "publishing", &json!({ "endpoint": at, "connects": args.connect }))?;
    context.out.flush()?;
    let mut relayed = Relayed::default();
    loop {
        let event = tokio::select! {
            biased;
            () = context.stop.requested() => break,
            event = events.next() => event.ok_or_else(|| lost(&link.url, &"the stream of events ended"))?,
        };
        match event {
            Ok(event) => {
                let data = event
                    .bytes()
                    .map_err(|error| Failure::new(Code::Failed, "relay", error))?;
                let topic = (!args.bare).then(|| format!("{}/{}", event.sender(), event.name()).into_bytes());
                let message = Message::frames(topic.into_iter().chain([data.into_owned()]));
                socket.send(message).await.map_err(failure)?;
                relayed.messages += 1;
            }
            Err(lagged) => relayed.lost += lagged.count(),
        }
    }
    context.out.show(relayed, "relayed", &relayed)?;
    Ok(Code::Done)
}
