//! Who is connected to a forwarder.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use fastrand::Rng;
use sig_carrier_zmq::{Error, Kind, Message, Options, Socket};
use sig_core::CancellationToken;
use tokio::sync::watch;
use tokio::time::sleep;

use super::{Books, Middle, add};

/// What the topics begin with, in frames of topic, name, number and more.
const TOPIC: &str = "soak.";
const LAST: &[u8] = b"last";

/// How long a publisher waits until somebody listens.
const PATIENCE: Duration = Duration::from_secs(20);

/// Somebody who sends numbered messages.
pub(super) struct Publisher {
    kind: Kind,
    front: String,
    options: Options,
    random: Rng,
    name: u64,
    busy: watch::Sender<usize>,
}

impl Publisher {
    pub(super) fn new(middle: &Middle, random: Rng, name: u64, busy: &watch::Sender<usize>) -> Self {
        busy.send_modify(|busy| *busy += 1);
        Self {
            kind: match middle.forwarder.pattern().kinds() {
                (Kind::Pull, _) => Kind::Push,
                _ => Kind::Xpub,
            },
            front: middle.front.clone(),
            // What it drops itself nobody could count, so it does not.
            options: middle.options.clone().no_drop(true),
            random,
            name,
            busy: busy.clone(),
        }
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        self.busy.send_modify(|busy| *busy -= 1);
    }
}

/// The life of a publisher, or of one who hands out work. Ends with a last message.
pub(super) async fn publish(books: Arc<Books>, mut publisher: Publisher, stop: CancellationToken) {
    if let Err(error) = sends(&books, &mut publisher, &stop).await {
        books.fault("a publisher", &error);
    }
}

async fn sends(books: &Books, publisher: &mut Publisher, stop: &CancellationToken) -> Result<(), Error> {
    let options = publisher
        .options
        .clone()
        .receive_timeout(PATIENCE)
        .send_timeout(PATIENCE);
    let socket = Socket::open(publisher.kind, options)?.connect(&publisher.front).await?;
    let is_work = publisher.kind == Kind::Push;
    if !is_work {
        // Somebody listens.
        socket.recv().await?;
    }
    let (topic, name) = (format!("{TOPIC}{}", publisher.name), publisher.name.to_string());
    let mut number = 0_u64;
    loop {
        let ends = stop.is_cancelled();
        for at in (0..publisher.random.u32(1..40)).rev() {
            number += 1;
            let rest = match (ends, at) {
                (true, 0) => LAST.to_vec(),
                _ => vec![b'.'; publisher.random.usize(0..2000)],
            };
            let frames = [
                topic.clone().into_bytes(),
                name.clone().into_bytes(),
                number.to_string().into_bytes(),
                rest,
            ];
            // Before it can be pulled.
            add(if is_work { &books.pushed } else { &books.published });
            socket.send(Message::frames(frames)).await?;
        }
        if ends {
            socket.close().await;
            return Ok(());
        }
        let pause = Duration::from_millis(publisher.random.u64(0..30));
        stop.run_until_cancelled(sleep(pause)).await;
    }
}

/// Somebody who hears all publishers.
pub(super) struct Listener {
    back: String,
    options: Options,
    random: Rng,
    /// Nothing is dropped for it.
    is_strict: bool,
}

impl Listener {
    pub(super) fn new(middle: &Middle, random: Rng, is_strict: bool) -> Self {
        Self {
            back: middle.back.clone(),
            options: middle.options.clone(),
            random,
            is_strict,
        }
    }
}

/// The last numbers that were heard, by the name of the publisher.
struct Heard<'a> {
    books: &'a Books,
    last: HashMap<u64, u64>,
    is_strict: bool,
}

impl Heard<'_> {
    fn take(&mut self, message: &Message) {
        let Some((name, number)) = numbers(message) else {
            return self.books.fail(format!("a message was torn: {message:?}"));
        };
        add(&self.books.received);
        match self.last.insert(name, number) {
            None if self.is_strict => add(&self.books.unended),
            None => {}
            Some(before) if number <= before => self
                .books
                .fail(format!("publisher {name}: {number} came after {before}")),
            Some(before) => {
                let skipped = number - before - 1;
                if self.is_strict && skipped > 0 {
                    self.books.fail(format!(
                        "publisher {name}: {number} came after {before}, and nothing is dropped here"
                    ));
                }
                self.books.skipped.fetch_add(skipped, Ordering::Relaxed);
            }
        }
        if message.frame(3) == Some(LAST) {
            self.forget(name);
        }
    }

    fn forget(&mut self, name: u64) {
        if self.last.remove(&name).is_some() && self.is_strict {
            self.books.unended.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl Drop for Heard<'_> {
    /// Whoever leaves hears no end.
    fn drop(&mut self) {
        let names: Vec<_> = self.last.keys().copied().collect();
        names.into_iter().for_each(|name| self.forget(name));
    }
}

/// The life of a listener.
pub(super) async fn listen(books: Arc<Books>, mut listener: Listener, stop: CancellationToken) {
    let hears = hears(&books, &mut listener);
    if let Some(Err(error)) = stop.run_until_cancelled(hears).await {
        books.fault("a listener", &error);
    }
}

async fn hears(books: &Books, listener: &mut Listener) -> Result<(), Error> {
    let socket = Socket::open(Kind::Sub, listener.options.clone().linger(Duration::ZERO))?;
    let socket = socket.connect(&listener.back).await?.subscribe(TOPIC).await?;
    let mut heard = Heard {
        books,
        last: HashMap::new(),
        is_strict: listener.is_strict,
    };
    loop {
        heard.take(&socket.recv().await?);
        if !listener.is_strict && listener.random.u32(0..50) == 0 {
            // Long enough for what waits to be too much.
            sleep(Duration::from_millis(listener.random.u64(0..60))).await;
        }
    }
}

/// The life of one who does the work. It never leaves, for what it has would leave with it.
pub(super) async fn pull(books: Arc<Books>, back: String, options: Options) {
    if let Err(error) = pulls(&books, &back, options).await {
        books.fault("a puller", &error);
    }
}

async fn pulls(books: &Books, back: &str, options: Options) -> Result<(), Error> {
    let socket = Socket::open(Kind::Pull, options)?.connect(back).await?;
    let mut last = HashMap::new();
    loop {
        let message = socket.recv().await?;
        match numbers(&message) {
            None => books.fail(format!("work was torn: {message:?}")),
            Some((name, number)) => {
                if last.insert(name, number).is_some_and(|before| number <= before) {
                    books.fail(format!("work of {name}: {number} came after a later one"));
                }
            }
        }
        add(&books.pulled);
    }
}

/// Whose message it is, and its number.
fn numbers(message: &Message) -> Option<(u64, u64)> {
    let number = |index| std::str::from_utf8(message.frame(index)?).ok()?.parse().ok();
    Some((number(1)?, number(2)?))
}
