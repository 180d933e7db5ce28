//! The life of one listener.

use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use sig_router::{Event, EventStream, Lagged, Listen, Policy, RemoteEventStream};
use tokio::sync::watch;
use tokio::time::sleep;

use crate::books::{Books, Hearing};
use crate::world::Side;

/// Any policy.
pub(crate) fn policy(random: &mut Rng) -> Policy {
    match random.u32(0..6) {
        0 | 1 => Policy::Block(Duration::from_millis(random.u64(0..200))),
        2 => Policy::DropOldest(random.usize(1..500)),
        3 => Policy::DropNewest(random.usize(1..500)),
        4 => Policy::Latest,
        _ => Policy::Rate([2.0, 20.0, 200.0][random.usize(0..3)]),
    }
}

enum Stream {
    Local(EventStream),
    Remote(RemoteEventStream),
}

impl Stream {
    async fn next(&mut self) -> Option<Result<Event<'static>, Lagged>> {
        match self {
            Self::Local(stream) => stream.recv().await,
            Self::Remote(stream) => stream.recv().await,
        }
    }
}

/// Closes its account when the listener ends.
struct Open {
    books: Arc<Books>,
    hearing: Arc<Hearing>,
}

impl Drop for Open {
    fn drop(&mut self) {
        self.books.close(&self.hearing);
    }
}

/// Listens until it is dropped.
pub(crate) async fn live(books: Arc<Books>, side: Side, topic: String, seed: u64, resting: watch::Receiver<bool>) {
    let mut random = Rng::with_seed(seed);
    let policy = policy(&mut random);
    let Ok(wanted) = Listen::to(topic.as_str()) else {
        return books.fail(format!("{topic} is no topic"));
    };
    let wanted = wanted.policy(policy);
    let place = match &side {
        Side::Client(_) => "a client",
        Side::Router(_) => "the router",
    };
    let name = format!("the listener of {place} to {topic} under {policy:?}");
    if let (Side::Client(client), 0) = (&side, random.u32(0..5)) {
        return call(books, client, wanted, name).await;
    }
    // One in three takes its time, and one in six nothing at all now and then.
    let (slow, freezes) = (random.u32(0..3) == 0, random.u32(0..6) == 0);
    let pause = |random: &mut Rng| {
        let pause = if slow && random.u32(0..20) == 0 {
            10
        } else if freezes && random.u32(0..2000) == 0 {
            500
        } else {
            return Duration::ZERO;
        };
        Duration::from_millis(random.u64(0..pause))
    };
    listen(books, &side, wanted, name, || {
        if *resting.borrow() {
            Duration::ZERO
        } else {
            pause(&mut random)
        }
    })
    .await;
}

/// Listens to everything from beginning to end, as fast as it can, without ever holding anybody up.
pub(crate) async fn stay(books: Arc<Books>, side: Side) {
    let Ok(wanted) = Listen::to("*") else {
        return books.fail("* is no topic".to_owned());
    };
    let wanted = wanted.policy(Policy::DropOldest(1000));
    listen(books, &side, wanted, "the listener that stays".to_owned(), || {
        Duration::ZERO
    })
    .await;
}

/// Listens and keeps its account, with a pause after each event.
async fn listen(books: Arc<Books>, side: &Side, wanted: Listen, name: String, mut pause: impl FnMut() -> Duration) {
    let stream = match side {
        Side::Client(client) => client.listen_remote(wanted).await.map(Stream::Remote),
        Side::Router(router) => router.listen(wanted).map(Stream::Local),
    };
    let Ok(mut stream) = stream else { return };
    let hearing = books.open(name);
    let open = Open { books, hearing };
    while let Some(delivery) = stream.next().await {
        match &delivery {
            Ok(event) => open.hearing.take(&open.books, event),
            Err(lagged) => open.hearing.lose(&open.books, lagged),
        }
        let pause = pause();
        if !pause.is_zero() {
            sleep(pause).await;
        }
    }
}

/// A function that listens: what was lost is told with the next event alone, so nobody waits for the end of its account.
async fn call(books: Arc<Books>, client: &sig_router::ClientRouter, wanted: Listen, name: String) {
    let hearing = books.open(name);
    books.close(&hearing);
    let listener = client.add_remote_listener(wanted, move |event: &Event<'_>| hearing.take(&books, event));
    // It ends with this future.
    if let Ok(_listener) = listener.await {
        std::future::pending::<()>().await;
    }
}
