//! `sig forward`

use serde_json::json;
use sig_carrier_zmq::{Endpoint, Error, Forwarder, Kind, Options, Pattern, Socket, Statistics};

use super::zeromq::{exposed, failure};
use crate::args::{Forward, ForwardPattern};
use crate::context::Context;
use crate::exit::{Code, Failure};
use crate::output::Output;

/// How many topics a report names.
const NAMED: usize = 20;

/// Passes messages on until it is told to end.
pub(crate) async fn run(args: &Forward, context: &mut Context) -> Result<Code, Failure> {
    for (endpoint, connects) in [
        (Some(&args.front), args.connect_front),
        (Some(&args.back), args.connect_back),
        (args.capture.as_ref(), false),
    ] {
        if let Some(endpoint) = endpoint
            && !connects
        {
            exposed(endpoint, args.insecure)?;
        }
    }
    let (forwarder, capture) = start(args).await.map_err(|error| failure("forward", error))?;
    let (front, back) = forwarder.pattern().kinds();
    tell("front", front, &forwarder.front(), &mut context.out)?;
    tell("back", back, &forwarder.back(), &mut context.out)?;
    if let Some(capture) = &capture {
        tell("capture", capture.kind(), &capture.endpoints(), &mut context.out)?;
    }
    context.out.show("Ready. Ctrl-C ends it.", "ready", &true)?;
    context.out.flush()?;

    let end = until_stopped(args, &forwarder, context).await;
    let passed = forwarder.terminate().await;
    if let Some(capture) = capture {
        capture.close().await;
    }
    report(&passed, &mut context.out).and(end)
}

async fn start(args: &Forward) -> Result<(Forwarder, Option<Socket>), Error> {
    let options = Options::default()
        .send_high_water(args.high_water)
        .receive_high_water(args.high_water);
    let mut builder = Forwarder::of(match args.pattern {
        ForwardPattern::Topics => Pattern::Topics,
        ForwardPattern::Broadcast => Pattern::Broadcast,
        ForwardPattern::Requests => Pattern::Requests,
        ForwardPattern::Pipeline => Pattern::Pipeline,
    })
    .options(options.clone());
    builder = match args.connect_front {
        true => builder.connect_front(&args.front),
        false => builder.bind_front(&args.front),
    };
    builder = match args.connect_back {
        true => builder.connect_back(&args.back),
        false => builder.bind_back(&args.back),
    };
    let mut capture = None;
    if let Some(endpoint) = &args.capture {
        let socket = Socket::open(Kind::Pub, options)?.bind(endpoint).await?;
        builder = builder.capture(socket.clone());
        capture = Some(socket);
    }
    Ok((builder.start().await?, capture))
}

async fn until_stopped(args: &Forward, forwarder: &Forwarder, context: &mut Context) -> Result<Code, Failure> {
    let mut reports = args.report.map(tokio::time::interval);
    if let Some(reports) = &mut reports {
        reports.tick().await; // the first is due at once
    }
    loop {
        let due = async {
            match &mut reports {
                Some(reports) => {
                    reports.tick().await;
                }
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = context.stop.requested() => return Ok(Code::Done),
            ended = forwarder.ended() => {
                return ended.map(|()| Code::Done).map_err(|error| Failure::new(Code::Failed, "forward", error));
            }
            () = due => {
                report(&forwarder.statistics(), &mut context.out)?;
                context.out.flush()?;
            }
        }
    }
}

fn tell(side: &'static str, kind: Kind, endpoints: &[Endpoint], out: &mut Output) -> Result<(), Failure> {
    for endpoint in endpoints {
        let (does, at) = match endpoint {
            Endpoint::Connected(at) => ("connects to", at),
            other => ("listens at", &other.as_str().to_owned()),
        };
        let connects = does == "connects to";
        out.show(
            format_args!("The {side} ({kind}) {does} {at}"),
            side,
            &json!({ "endpoint": at, "connects": connects, "type": kind.name() }),
        )?;
    }
    Ok(())
}

fn report(passed: &Statistics, out: &mut Output) -> Result<(), Failure> {
    let mut topics: Vec<_> = passed.topics.counted.iter().collect();
    topics.sort_by_key(|(_, count)| std::cmp::Reverse(count.messages));
    if out.is_json() {
        let named: Vec<_> = topics
            .iter()
            .map(|(topic, count)| json!({ "topic": shown(topic), "messages": count.messages, "bytes": count.bytes }))
            .collect();
        return out.object(&json!({ "passed": {
            "messages": passed.there.messages, "bytes": passed.there.bytes,
            "back": passed.back.messages, "dropped": passed.dropped, "not_captured": passed.not_captured,
            "topics": named, "other_topics": passed.topics.others.messages,
        }}));
    }
    let (there, back) = (passed.there, passed.back);
    let mut text = format!(
        "Passed {} messages ({} bytes), {} back",
        there.messages, there.bytes, back.messages
    );
    for (what, count) in [("dropped", passed.dropped), ("not captured", passed.not_captured)] {
        if count > 0 {
            text.push_str(&format!(", {count} {what}"));
        }
    }
    out.show(text, "passed", &())?;
    for (topic, count) in topics.iter().take(NAMED) {
        out.show(format_args!("  {:>10}  {}", count.messages, shown(topic)), "topic", &())?;
    }
    let rest: u64 = topics.iter().skip(NAMED).map(|(_, count)| count.messages).sum();
    match rest + passed.topics.others.messages {
        0 => Ok(()),
        rest => out.show(format_args!("  {rest:>10}  (other topics)"), "topic", &()),
    }
}

/// A topic is any bytes, and some of them would drive a terminal.
fn shown(topic: &[u8]) -> String {
    topic.escape_ascii().to_string()
}
