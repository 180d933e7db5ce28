//! The same through forwarders, where nobody is told of anything: who publishes and who listens come and go, and so does who hands out work.
//!
//! Three forwarders run. One drops nothing, so that each message of a publisher follows the one before it, for every listener, from the
//! first that the listener gets to the publisher's last. One drops for listeners that are too slow, which is counted, and only order is
//! asked for. One shares out work, of which nothing is lost.

mod lives;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use fastrand::Rng;
use sig_carrier_zmq::{Endpoint, Error, Forwarder, Options, Pattern};
use sig_core::{CancellationToken, Tasks};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use crate::failure::Failure;
use crate::flat::{Flat, SETTLED};
use crate::gauges::Gauges;

/// As in the other world.
const ROUND: Duration = Duration::from_secs(5);
const PACE: std::ops::Range<u64> = 5..60;

/// How many of each come at most.
const PUBLISHERS: usize = 8;
const LISTENERS: usize = 8;
const PUSHERS: usize = 6;

/// How many wait for a listener of the forwarder that drops.
const FEW: u32 = 32;

/// What was counted, and what went wrong.
#[derive(Debug, Default)]
struct Books {
    published: AtomicU64,
    received: AtomicU64,
    skipped: AtomicU64,
    pushed: AtomicU64,
    pulled: AtomicU64,
    came: AtomicU64,
    /// Publishers of the forwarder that drops nothing of which some listener has not heard the end.
    unended: AtomicU64,
    failure: Failure,
}

impl Books {
    fn fail(&self, what: String) {
        self.failure.say(what);
    }

    fn fault(&self, who: &str, error: &Error) {
        self.fail(format!("{who}: {error}"));
    }
}

fn add(count: &AtomicU64) {
    count.fetch_add(1, Ordering::Relaxed);
}

/// A forwarder, and who is connected to it.
struct Middle {
    forwarder: Forwarder,
    options: Options,
    front: String,
    back: String,
    publishers: Vec<Life>,
    listeners: Vec<Life>,
}

/// Somebody who can be told to leave.
struct Life(CancellationToken);

impl Middle {
    async fn new(pattern: Pattern, options: Options) -> Result<Self, Error> {
        let forwarder = Forwarder::of(pattern)
            .bind_front("tcp://127.0.0.1:*")
            .bind_back("tcp://127.0.0.1:*")
            .options(options.clone())
            .start()
            .await?;
        let at = |endpoints: Vec<Endpoint>| endpoints.first().map(|one| one.as_str().to_owned()).unwrap_or_default();
        Ok(Self {
            front: at(forwarder.front()),
            back: at(forwarder.back()),
            forwarder,
            options,
            publishers: Vec::new(),
            listeners: Vec::new(),
        })
    }
}

struct World {
    random: Rng,
    books: Arc<Books>,
    tasks: Tasks,
    /// Drops nothing.
    strict: Middle,
    /// Drops for who is too slow.
    lossy: Middle,
    work: Middle,
    last_name: u64,
    /// How many publish, or have something on its way.
    busy: watch::Sender<usize>,
}

/// Runs for so long. Gives how memory and tasks fared.
///
/// # Errors
///
/// What failed.
pub(crate) async fn run(seed: u64, lasts: Duration) -> Result<String, String> {
    let books = Arc::new(Books::default());
    books.failure.ends(go_on(seed, lasts, &books)).await
}

async fn go_on(seed: u64, lasts: Duration, books: &Arc<Books>) -> Result<String, String> {
    let world = World::new(seed, Arc::clone(books)).await;
    let mut world = world.map_err(|error| error.to_string())?;
    // Everything once, so that what comes about once is there before it is counted.
    world.happen(ROUND.min(lasts)).await?;
    world.empty().await;
    sleep(Duration::from_secs(1)).await;
    let (began, mut flat) = (Instant::now(), Flat::new(Gauges::read().tasks));
    loop {
        let left = lasts.saturating_sub(began.elapsed()).max(Duration::from_secs(1));
        world.happen((2 * ROUND).min(left)).await?;
        let resting = Gauges::read();
        world.print(began.elapsed(), resting);
        world.empty().await;
        println!("        all gone: {}", flat.note(resting, SETTLED).await?);
        if began.elapsed() >= lasts {
            break;
        }
    }
    world.end().await;
    Ok(flat.to_string())
}

impl World {
    async fn new(seed: u64, books: Arc<Books>) -> Result<Self, Error> {
        let options = || Options::default().linger(SETTLED);
        let world = Self {
            random: Rng::with_seed(seed),
            books,
            tasks: Tasks::new().map_err(|error| Error::Option(error.to_string()))?,
            strict: Middle::new(Pattern::Topics, options().no_drop(true)).await?,
            lossy: Middle::new(Pattern::Topics, options().send_high_water(FEW).receive_high_water(FEW)).await?,
            work: Middle::new(Pattern::Pipeline, options()).await?,
            last_name: 0,
            busy: watch::Sender::new(0),
        };
        // Who stays: without anybody who listens nothing would be sent, and what is pulled must not leave with who has it.
        let (books, never) = (&world.books, CancellationToken::new());
        for middle in [&world.strict, &world.lossy] {
            let listener = lives::Listener::new(middle, Rng::with_seed(seed), middle.options.no_drop);
            world
                .tasks
                .spawn("veteran", lives::listen(Arc::clone(books), listener, never.clone()));
        }
        for _ in 0..3 {
            let (back, options) = (world.work.back.clone(), world.work.options.clone());
            world
                .tasks
                .spawn("puller", lives::pull(Arc::clone(books), back, options));
        }
        Ok(world)
    }

    /// Things happen for so long, and then everything that was sent arrives.
    async fn happen(&mut self, lasts: Duration) -> Result<(), String> {
        let ends = Instant::now() + lasts;
        while Instant::now() < ends {
            self.step();
            sleep(Duration::from_millis(self.random.u64(PACE))).await;
        }
        for life in [&mut self.strict, &mut self.lossy, &mut self.work].map(|middle| &mut middle.publishers) {
            life.drain(..).for_each(|Life(stop)| stop.cancel());
        }
        let mut busy = self.busy.subscribe();
        let rest = timeout(SETTLED, busy.wait_for(|busy| *busy == 0)).await;
        rest.map_err(|_| "some publishers do not come to rest".to_owned())?.ok();
        let began = Instant::now();
        loop {
            let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
            let (pushed, pulled, unended) = (of(&self.books.pushed), of(&self.books.pulled), of(&self.books.unended));
            if pushed == pulled && unended == 0 {
                return Ok(());
            }
            if pulled > pushed || began.elapsed() > SETTLED {
                return Err(format!(
                    "{pulled} of {pushed} were pulled, and of {unended} publishers the end was not heard"
                ));
            }
            sleep(Duration::from_millis(10)).await;
        }
    }

    fn step(&mut self) {
        let dice = self.random.u32(0..100);
        let (is_strict, comes) = (self.random.bool(), self.random.bool());
        self.last_name += 1;
        let (name, seed) = (self.last_name, self.random.u64(..));
        let middle = if is_strict { &mut self.strict } else { &mut self.lossy };
        let (lives, most) = match dice {
            0..35 => (&mut middle.publishers, PUBLISHERS),
            35..70 => (&mut middle.listeners, LISTENERS),
            _ => (&mut self.work.publishers, PUSHERS),
        };
        if lives.len() >= most || !(comes || lives.is_empty()) {
            let Life(stop) = lives.swap_remove(self.random.usize(0..lives.len()));
            return stop.cancel();
        }
        add(&self.books.came);
        let stop = self.tasks.stop_token().child_token();
        lives.push(Life(stop.clone()));
        let (books, random) = (Arc::clone(&self.books), Rng::with_seed(seed));
        match dice {
            35..70 => {
                let listener = lives::Listener::new(middle, random, is_strict);
                self.tasks.spawn("listener", lives::listen(books, listener, stop));
            }
            _ => {
                let middle = if dice < 35 { middle } else { &self.work };
                let publisher = lives::Publisher::new(middle, random, name, &self.busy);
                self.tasks.spawn("publisher", lives::publish(books, publisher, stop));
            }
        }
    }

    /// Everybody leaves who does not stay for the whole run.
    async fn empty(&mut self) {
        for lives in [&mut self.strict, &mut self.lossy].map(|middle| &mut middle.listeners) {
            lives.drain(..).for_each(|Life(stop)| stop.cancel());
        }
        tokio::task::yield_now().await;
    }

    fn print(&self, at: Duration, gauges: Gauges) {
        let books = &self.books;
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        println!(
            "{:>5} s: {} published, {} received, {} skipped by who was too slow; {} pushed, {} pulled; {} came; {gauges}",
            at.as_secs(),
            of(&books.published),
            of(&books.received),
            of(&books.skipped),
            of(&books.pushed),
            of(&books.pulled),
            of(&books.came),
        );
    }

    async fn end(self) {
        self.tasks.shutdown(Duration::from_secs(1)).await;
        for middle in [self.strict, self.lossy, self.work] {
            middle.forwarder.terminate().await;
        }
    }
}
