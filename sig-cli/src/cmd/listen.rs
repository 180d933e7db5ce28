//! `sig listen`

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use futures::stream::{BoxStream, SelectAll, StreamExt as _};
use sig_core::Topic;
use sig_router::{Event, Lagged, LinkState};

use crate::args::Listen;
use crate::connect::{Link, connect, lost};
use crate::context::Context;
use crate::exit::{Code, Failure};
use crate::unmatched;

/// What a topic's stream yields, with the topic's place on the command line.
type Item = (usize, Result<Event<'static>, Lagged>);

/// Prints events until it is told to end, or has enough.
pub(crate) async fn run(args: &Listen, context: &mut Context) -> Result<Code, Failure> {
    let link = connect(&args.target, context).await?;
    let result = listen(args, &link, context).await;
    link.close().await;
    result
}

async fn listen(args: &Listen, link: &Link, context: &mut Context) -> Result<Code, Failure> {
    let listening = context.unless_stopped(async {
        let hints = unmatched::hints(&args.topics, link).await;
        subscribe(args, link).await.map(|events| (hints, events))
    });
    let (hints, events) = listening.await??;
    for hint in hints {
        context.out.note("unmatched", hint);
    }
    let names: Vec<String> = args.topics.iter().map(ToString::to_string).collect();
    context.out.note(
        "listening",
        format_args!("listening to {} at {}", names.join(", "), link.url),
    );
    let mut printer = Printer {
        topics: &args.topics,
        context,
        wanted: args.count,
        printed: 0,
    };
    let end = printer.run(events, link, after(args.timeout)).await?;
    printer.context.out.flush()?;
    let enough = printer.printed >= printer.wanted.unwrap_or(1);
    match end {
        End::Stopped if args.count.is_some() => Err(context.stop.failure()),
        End::TimedOut if !enough => {
            let text = format_args!(
                "{} events came in {:?}",
                printer.printed,
                args.timeout.unwrap_or_default()
            );
            Err(Failure::new(Code::TimedOut, "timed_out", text))
        }
        _ => Ok(Code::Done),
    }
}

async fn subscribe(args: &Listen, link: &Link) -> Result<SelectAll<BoxStream<'static, Item>>, Failure> {
    let mut events = SelectAll::new();
    for (index, topic) in args.topics.iter().enumerate() {
        let listen = sig_router::Listen::from(topic).policy(args.policy.unwrap_or_default());
        let stream = link
            .client
            .listen_remote(listen)
            .await
            .map_err(|error| lost(&link.url, &error))?;
        events.push(stream.map(move |item| (index, item)).boxed());
    }
    Ok(events)
}

async fn after(time: Option<Duration>) {
    match time {
        Some(time) => tokio::time::sleep(time).await,
        None => std::future::pending().await,
    }
}

/// Why the printing ended.
enum End {
    Enough,
    Stopped,
    TimedOut,
}

struct Printer<'a> {
    topics: &'a [Topic],
    context: &'a mut Context,
    wanted: Option<u64>,
    printed: u64,
}

impl Printer<'_> {
    async fn run(
        &mut self,
        mut events: SelectAll<BoxStream<'static, Item>>,
        link: &Link,
        deadline: impl Future<Output = ()>,
    ) -> Result<End, Failure> {
        let mut deadline = pin!(deadline);
        let mut states = link.client.states();
        let (mut up, mut flushed) = (true, true);
        while self.wanted.is_none_or(|wanted| self.printed < wanted) {
            tokio::select! {
                biased;
                () = self.context.stop.requested() => return Ok(End::Stopped),
                () = &mut deadline => return Ok(End::TimedOut),
                Ok(()) = states.changed() => {
                    let state = states.borrow_and_update().clone();
                    self.tell(&state, &mut up, link)?;
                }
                item = events.next() => {
                    let (index, item) = item.ok_or_else(|| lost(&link.url, &"the stream of events ended"))?;
                    self.print(index, &item)?;
                    flushed = false;
                }
                // Nothing else is ready: only now it pays to hand over what was printed.
                () = std::future::ready(()), if !flushed => {
                    self.context.out.flush()?;
                    flushed = true;
                }
            }
        }
        Ok(End::Enough)
    }

    /// An event that falls under several topics comes once for each; it is printed for the first of them.
    fn print(&mut self, index: usize, item: &Result<Event<'static>, Lagged>) -> Result<(), Failure> {
        let event = match item {
            Ok(event) => event,
            Err(lagged) => {
                self.context.out.note("lagged", lagged);
                return Ok(());
            }
        };
        let (sender, name) = (event.sender(), event.name());
        if self.topics.iter().position(|topic| topic.matches(sender, name)) != Some(index) {
            return Ok(());
        }
        self.context.out.event(event)?;
        self.printed += 1;
        Ok(())
    }

    /// Says that the link broke, and that it is back.
    fn tell(&self, state: &LinkState, up: &mut bool, link: &Link) -> Result<(), Failure> {
        match state {
            LinkState::Waiting { error, .. } if *up => {
                *up = false;
                let text = format_args!("lost the router at {} ({error}); waiting for it", link.url);
                self.context.out.note("link_lost", text);
            }
            LinkState::Connected if !*up => {
                *up = true;
                self.context
                    .out
                    .note("link_back", format_args!("the router at {} is back", link.url));
            }
            LinkState::Refused { text, .. } => {
                let text = format_args!("the router at {} refused: {text}", link.url);
                return Err(Failure::new(Code::Refused, "refused", text));
            }
            _ => {}
        }
        Ok(())
    }
}
