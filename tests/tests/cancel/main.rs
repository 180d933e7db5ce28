//! Promise 11: every public future may be dropped at every point at which it waits, while much else goes on.

#![allow(
    clippy::unwrap_used,
    reason = "a broken assumption of a test is a panic with a line number"
)]
#![allow(clippy::disallowed_methods, reason = "what a test begins ends with its runtime")]

mod confirming;
mod docs;
mod drops;
mod others;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use sig_router::{ClientRouter, RemoteSender, Request};
use sig_tests::rig::{TcpServer, soon};
use tokio::task::JoinSet;

/// A future that is dropped instead of being polled once more than this.
struct DroppedAfter<F> {
    future: Option<Pin<Box<F>>>,
    polls: usize,
}

impl<F: Future> Future for DroppedAfter<F> {
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(polls) = self.polls.checked_sub(1) else {
            self.future = None;
            return Poll::Ready(None);
        };
        self.polls = polls;
        let Some(future) = &mut self.future else {
            return Poll::Ready(None);
        };
        match future.as_mut().poll(cx) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending if polls == 0 => {
                // It has waited once more, and is dropped here and now.
                self.future = None;
                Poll::Ready(None)
            }
            Poll::Pending => Poll::Pending,
        }
    }
}

/// Drops the future at its first wait, at its second, and so on, until it comes to its end before; gives what that is,
/// and how often it was dropped.
async fn dropped_everywhere<F: Future>(what: &'static str, mut make: impl FnMut() -> F) -> (F::Output, usize) {
    for polls in 0.. {
        let future = Some(Box::pin(make()));
        if let Some(output) = soon(what, DroppedAfter { future, polls }).await {
            return (output, polls);
        }
    }
    unreachable!("a future that never ends")
}

/// A server and two clients that send, hear and ask all the time.
struct World {
    server: TcpServer,
    client: ClientRouter,
    _other: ClientRouter,
    busy: JoinSet<()>,
    stop: Arc<AtomicBool>,
    heard: Arc<AtomicU64>,
    _answering: RemoteSender,
}

impl World {
    async fn new() -> Self {
        let server = TcpServer::start();
        let (client, other) = (server.client(), server.client());
        let answering = other
            .add_remote_sender("busy")
            .event("tic")
            .request("echo", |request: Request| Ok(request.params::<u64>()?))
            .connect()
            .await
            .expect("all is well");
        let signal = answering.signal("tic").expect("all is well");
        let (stop, heard) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let mut stream = client.listen_remote("busy/tic").await.expect("all is well");
        let (stopped, count) = (Arc::clone(&stop), Arc::clone(&heard));
        let mut busy = JoinSet::new();
        busy.spawn(async move {
            let mut last = 0;
            while let Some(event) = stream.recv().await {
                let number = event.expect("nothing is lost").number();
                assert_eq!(number, last + 1);
                last = number;
                count.store(number, Ordering::Relaxed);
            }
        });
        busy.spawn(async move {
            let mut n = 0_u64;
            while !stopped.load(Ordering::Relaxed) {
                n += 1;
                signal.trigger(&n).await.expect("all is well");
                if n.is_multiple_of(8) {
                    tokio::time::sleep(Duration::from_micros(300)).await;
                }
            }
        });
        let (asker, stopped) = (client.clone(), Arc::clone(&stop));
        busy.spawn(async move {
            while !stopped.load(Ordering::Relaxed) {
                let answer = asker.remote_request("busy", "echo", &7_u64).await.expect("all is well");
                assert_eq!(answer.parse::<u64>().expect("all is well"), 7);
            }
        });
        Self {
            server,
            client,
            _other: other,
            busy,
            stop,
            heard,
            _answering: answering,
        }
    }

    /// Everything that went on still does, and ends well.
    async fn end(mut self) {
        let before = self.heard.load(Ordering::Relaxed);
        sig_tests::rig::holds("events go on", || self.heard.load(Ordering::Relaxed) > before + 10).await;
        self.stop.store(true, Ordering::Relaxed);
        for _ in 0..2 {
            soon("the end of who sends and of who asks", self.busy.join_next())
                .await
                .expect("all is well")
                .expect("all is well");
        }
        self.client.close(Duration::from_secs(2)).await;
        soon("the listener's end", self.busy.join_next())
            .await
            .expect("all is well")
            .expect("all is well");
        self.server.router.close(Duration::from_secs(2)).await;
    }
}
