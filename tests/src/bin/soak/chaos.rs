//! What happens, at random; and every few seconds nothing, to compare the books.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use fastrand::Rng;
use sig_core::Tasks;
use sig_router::LinkState;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use crate::Over;
use crate::books::Books;
use crate::flat::{Flat, SETTLED};
use crate::gauges::Gauges;
use crate::publish::EVENTS;
use crate::world::{Fault, Member, Side, World};
use crate::{hear, publish};

/// How long things happen before the books are compared.
const ROUND: Duration = Duration::from_secs(5);

/// After so many of these times everybody leaves, and a line is printed.
const ROUNDS: usize = 2;

const CLIENTS: std::ops::RangeInclusive<usize> = 10..=20;
const SENDERS: usize = 24;
const LISTENERS: usize = 48;

/// How soon after each other things happen, in milliseconds.
const PACE: std::ops::Range<u64> = 1..40;

struct Chaos {
    world: World,
    books: Arc<Books>,
    random: Rng,
    tasks: Tasks,
    /// The program of the server, a client that stays, and then the others.
    members: Vec<Member>,
    last_name: u64,
    resting: watch::Sender<bool>,
    /// How many senders emit, or have something on its way.
    busy: watch::Sender<usize>,
}

/// Those who never leave: the program of the server, and a client.
const STAYING: usize = 2;

/// Runs for so long. Gives how memory and tasks fared.
///
/// # Errors
///
/// What failed.
pub(crate) async fn run(seed: u64, lasts: Duration, over: Option<Over>) -> Result<String, String> {
    let books = Books::new();
    books.failure.ends(go_on(seed, lasts, over, &books)).await
}

async fn go_on(seed: u64, lasts: Duration, over: Option<Over>, books: &Arc<Books>) -> Result<String, String> {
    let text = |fault: Fault| fault.to_string();
    let mut chaos = Chaos::new(seed, over, Arc::clone(books)).await.map_err(text)?;
    chaos.settle().await?;
    let (began, mut flat) = (Instant::now(), Flat::new(Gauges::read().tasks));
    let mut peak = 0;
    for round in 1.. {
        chaos.resting.send_replace(false);
        let ends = ROUND.min(lasts.saturating_sub(began.elapsed()).max(Duration::from_secs(1)));
        let ends = Instant::now() + ends;
        while Instant::now() < ends {
            chaos.step().await.map_err(text)?;
            peak = peak.max(Gauges::read().in_use);
            sleep(Duration::from_millis(chaos.random.u64(PACE))).await;
        }
        chaos.settle().await?;
        let is_last = began.elapsed() >= lasts;
        if is_last || round % ROUNDS == 0 {
            let resting = Gauges::read();
            chaos.print(began.elapsed(), resting, peak);
            chaos.empty().await;
            println!("        all gone: {}", flat.note(resting, SETTLED).await?);
            peak = 0;
        }
        if is_last {
            break;
        }
    }
    chaos.end().await;
    Ok(flat.to_string())
}

impl Chaos {
    async fn new(seed: u64, over: Option<Over>, books: Arc<Books>) -> Result<Self, Fault> {
        let (world, tasks) = (World::new(over)?, Tasks::new()?);
        let (own, veteran) = (world.own(&tasks), world.veteran(&tasks).await?);
        veteran.spawn("listener", hear::stay(Arc::clone(&books), veteran.side.clone()));
        Ok(Self {
            world,
            books,
            random: Rng::with_seed(seed),
            tasks,
            members: vec![own, veteran],
            last_name: 0,
            resting: watch::Sender::new(false),
            busy: watch::Sender::new(0),
        })
    }

    async fn step(&mut self) -> Result<(), Fault> {
        let index = self.random.usize(0..self.members.len());
        match self.random.u32(0..100) {
            0..30 => self.join(index),
            30..50 => self.unjoin(index),
            50..65 => self.publish(index),
            65..72 => self.retire(index),
            72..85 => self.cut(index).await,
            85..90 => self.kick(),
            _ => self.come_or_go(index).await?,
        }
        Ok(())
    }

    /// One more client, or one less.
    async fn come_or_go(&mut self, index: usize) -> Result<(), Fault> {
        let clients = self.members.len() - STAYING;
        let grows = clients < *CLIENTS.start() || (clients < *CLIENTS.end() && self.random.bool());
        if grows {
            self.members
                .push(self.world.client(&mut self.random, &self.tasks).await?);
        } else if index >= STAYING {
            self.members.swap_remove(index).leave().await;
        }
        Ok(())
    }

    fn count(&self, of: impl Fn(&Member) -> usize) -> usize {
        self.members.iter().map(of).sum()
    }

    fn join(&mut self, index: usize) {
        if self.count(|member| member.listeners.len()) >= LISTENERS {
            return self.unjoin(index);
        }
        let event = EVENTS[self.random.usize(0..EVENTS.len())];
        let names: Vec<_> = self.members.iter().flat_map(|member| &member.senders).collect();
        let name = self.random.choice(names).map(|(name, _)| name.clone());
        let topic = match (self.random.u32(0..10), name) {
            (0..5, Some(name)) => format!("{name}/{event}"),
            (5..8, Some(name)) => name,
            (8, _) => "#alarm".to_owned(),
            _ => "*".to_owned(),
        };
        let (member, seed) = (&mut self.members[index], self.random.u64(..));
        let life = hear::live(
            Arc::clone(&self.books),
            member.side.clone(),
            topic,
            seed,
            self.resting.subscribe(),
        );
        let stop = member.spawn("listener", life);
        member.listeners.push(stop);
    }

    fn unjoin(&mut self, index: usize) {
        let listeners = &mut self.members[index].listeners;
        if !listeners.is_empty() {
            listeners.swap_remove(self.random.usize(0..listeners.len())).cancel();
        }
    }

    fn publish(&mut self, index: usize) {
        if self.count(|member| member.senders.len()) >= SENDERS {
            return self.retire(index);
        }
        self.last_name += 1;
        let (name, seed) = (format!("s{}", self.last_name), self.random.u64(..));
        let member = &mut self.members[index];
        let (books, side) = (Arc::clone(&self.books), member.side.clone());
        let (resting, busy) = (self.resting.subscribe(), self.busy.clone());
        let stop = member.spawn("sender", publish::live(books, side, name.clone(), seed, resting, busy));
        member.senders.push((name, stop));
    }

    fn retire(&mut self, index: usize) {
        let senders = &mut self.members[index].senders;
        if !senders.is_empty() {
            let (_, stop) = senders.swap_remove(self.random.usize(0..senders.len()));
            stop.cancel();
        }
    }

    async fn cut(&mut self, index: usize) {
        let member = &self.members[index];
        if member.has_cable() {
            self.books.totals.cuts.fetch_add(1, Ordering::Relaxed);
            member.cut(&mut self.random).await;
        }
    }

    /// A cut that every carrier has.
    fn kick(&mut self) {
        let clients = self.world.server.clients();
        if let Some(client) = self.random.choice(&clients) {
            self.books.totals.cuts.fetch_add(1, Ordering::Relaxed);
            self.world.server.kick(client.id, "the soak");
        }
    }

    /// Nothing new happens: everything that was emitted comes, or is reported.
    async fn settle(&mut self) -> Result<(), String> {
        self.resting.send_replace(true);
        for member in &self.members {
            if let Side::Client(client) = &member.side {
                let mut states = client.states();
                let linked = timeout(SETTLED, states.wait_for(|state| *state == LinkState::Connected));
                linked
                    .await
                    .map_err(|_| format!("a client has no link: {:?}", client.state()))?
                    .ok();
            }
        }
        let mut busy = self.busy.subscribe();
        let rest = timeout(SETTLED, busy.wait_for(|busy| *busy == 0));
        rest.await
            .map_err(|_| "some senders do not come to rest".to_owned())?
            .ok();
        let began = Instant::now();
        while let Some(unsettled) = self.books.unsettled() {
            if began.elapsed() > SETTLED {
                return Err(unsettled);
            }
            sleep(Duration::from_millis(10)).await;
        }
        Ok(())
    }

    /// Everybody leaves who does not stay for the whole run, and those fall silent.
    async fn empty(&mut self) {
        for member in self.members.split_off(STAYING) {
            member.leave().await;
        }
        self.members.iter_mut().for_each(Member::fall_silent);
        self.books.forget_retired();
    }

    fn print(&self, at: Duration, gauges: Gauges, peak: usize) {
        let totals = &self.books.totals;
        let of = |count: &std::sync::atomic::AtomicU64| count.load(Ordering::Relaxed);
        println!(
            "{:>5} s: {} emitted, {} received, {} skipped, {} lost and reported; {} listeners came, {} cuts; \
             {} clients, {} senders, {} listeners; {gauges}, {peak} KiB at most",
            at.as_secs(),
            of(&totals.emitted),
            of(&totals.received),
            of(&totals.skipped),
            of(&totals.lost),
            of(&totals.joined),
            of(&totals.cuts),
            self.members.len() - 1,
            self.count(|member| member.senders.len()),
            self.count(|member| member.listeners.len()),
        );
    }

    async fn end(self) {
        for member in self.members {
            member.leave().await;
        }
        self.world.server.close(Duration::from_secs(5)).await;
        self.tasks.shutdown(Duration::from_secs(5)).await;
    }
}
