//! `sig demo`

use std::borrow::Cow;
use std::ffi::OsStr;
use std::path::{Component, Path};
use std::pin::pin;
use std::time::Duration;

use sig_core::{CarrierError, CarrierUrl};
use sig_router::{Event, Lagged};

use crate::args::Demo;
use crate::carriers;
use crate::context::Context;
use crate::exit::{Code, Failure};
use crate::exposure::Exposure;
use crate::output::Output;
use crate::serving::{Listening, Serving};

/// Time between the figures of the host.
const PERIOD: Duration = Duration::from_secs(1);

/// Most characters of an event's data that are shown: one line or two of a terminal.
const WIDTH: usize = 110;

/// Shows a router, a sender and a listener at work until it is told to end.
pub(crate) async fn run(args: &Demo, context: &mut Context) -> Result<Code, Failure> {
    context.out.set_width(WIDTH);
    let listening = open(&context.out)?;
    let urls: Vec<CarrierUrl> = listening.iter().map(|one| one.url.clone()).collect();
    let mut serving = Serving::start(listening, context)?;
    let end = until_stopped(args, &urls, &mut serving, context).await;
    serving.close(&mut context.out).await.and(end)
}

async fn until_stopped(
    args: &Demo,
    urls: &[CarrierUrl],
    serving: &mut Serving,
    context: &mut Context,
) -> Result<Code, Failure> {
    let events = serving.server.listen("*");
    let mut events = events.map_err(|error| Failure::new(Code::Failed, "listen", error))?;
    serving.add_host(PERIOD, &mut context.out)?;
    invite(urls, &mut context.out)?;
    let mut end = pin!(after(args.seconds));
    loop {
        context.out.flush()?;
        tokio::select! {
            biased;
            () = context.stop.requested() => return Ok(Code::Done),
            () = &mut end => return Ok(Code::Done),
            (word, text) = serving.news() => context.out.note(word, text),
            Some(item) = events.recv() => print(&item, &mut context.out)?,
        }
    }
}

/// The usual addresses, or others in their place when they are taken. One of them is enough.
fn open(out: &Output) -> Result<Vec<Listening>, Failure> {
    let (mut listening, mut failures) = (Vec::new(), Vec::new());
    for url in carriers::usual() {
        let exposure = Exposure::of(&url);
        let opened = match Listening::open(&url, exposure) {
            Err(error) if carriers::is_taken(&error) => {
                out.note(
                    "address_taken",
                    format_args!("{url} is taken, so the demo listens elsewhere"),
                );
                elsewhere(&url).and_then(|url| Listening::open(&url, exposure))
            }
            opened => opened,
        };
        match opened {
            Ok(one) => listening.push(one),
            Err(error) => failures.push(error.to_string()),
        }
    }
    if listening.is_empty() {
        return Err(Failure::new(Code::Failed, "cannot_listen", failures.join("; ")));
    }
    for failure in failures {
        out.note("cannot_listen", failure);
    }
    Ok(listening)
}

/// An address of the same kind that nobody else uses.
fn elsewhere(url: &CarrierUrl) -> Result<CarrierUrl, CarrierError> {
    if url.scheme() == "tcp" {
        return "tcp://127.0.0.1:0".parse();
    }
    format!("{}://demo-{}", url.scheme(), std::process::id()).parse()
}

/// Says what to type in a second terminal.
fn invite(urls: &[CarrierUrl], out: &mut Output) -> Result<(), Failure> {
    let Some(url) = urls.iter().find(|url| url.scheme() == "tcp").or_else(|| urls.first()) else {
        return Ok(());
    };
    let sig = command(
        std::env::args_os()
            .next()
            .as_deref()
            .unwrap_or_else(|| OsStr::new("sig")),
    );
    let lines = [
        format!("{sig} listen host/cpu --url {url}"),
        format!("{sig} request host snapshot --url {url}"),
        format!("{sig} trigger me hello --text world --url {url}"),
        format!("{sig} ls --events --url {url}"),
    ];
    let text = format!(
        "In a second terminal, try:\n  {}\nThe events, until Ctrl-C:",
        lines.join("\n  ")
    );
    out.show(text, "try", &lines)
}

/// How this very program is called from where it was started: `cargo run` does not put it on the path.
fn command(program: &OsStr) -> String {
    let path = Path::new(program);
    let text = path.to_string_lossy();
    let text = match path.components().next() {
        Some(Component::Normal(_)) if path.components().nth(1).is_some() => Cow::Owned(format!("./{text}")),
        _ => text,
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || "/\\._-:".contains(c);
    if text.chars().all(plain) {
        text.into_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

fn print(item: &Result<Event<'static>, Lagged>, out: &mut Output) -> Result<(), Failure> {
    match item {
        Ok(event) => out.event(event),
        Err(lagged) => {
            out.note("lagged", lagged);
            Ok(())
        }
    }
}

async fn after(seconds: Option<u64>) {
    match seconds {
        Some(seconds) => tokio::time::sleep(Duration::from_secs(seconds)).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_to_paste_call_the_program_as_it_was_called() {
        for (called, pasted) in [
            ("sig", "sig"),
            ("target/release/sig", "./target/release/sig"),
            ("./sig", "./sig"),
            ("/opt/sig/sig", "/opt/sig/sig"),
            ("../my tools/sig", "'../my tools/sig'"),
        ] {
            assert_eq!(command(OsStr::new(called)), pasted);
        }
    }
}
