//! A carrier that goes wrong on purpose.

mod between;
mod counts;
mod link;
mod pieces;
mod plan;

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use dashmap::DashMap;
use fastrand::Rng;
use sig_core::{Carrier, ClientId};
use tokio::sync::watch;

use counts::Counters;
pub use counts::{Fault, Faults};
use link::Link;
use pieces::Piece;
use plan::{Fate, Plan};

/// Wraps any carrier and lets things go wrong between it and the router, both ways.
///
/// It is a carrier itself: hand it to a `ServerRouter` or a `ClientRouter`, and keep an [`Arc`] of it to cut links, to
/// make them half-open, and to count. Random faults come from a seed: each direction of each link has dice of its own,
/// so that the same batches meet the same faults whatever else runs. All waiting is tokio's time, so that a test with a
/// paused clock takes no time at all.
///
/// A link that is cut or loses messages must cost what the contract says and nothing more; a test with faults that
/// never happened proves nothing, so end it with [`assert_injected`](Self::assert_injected).
///
/// | fault | unit | what happens |
/// |---|---|---|
/// | [`delay`](Self::delay) | batch | it waits before it goes on; order stays |
/// | [`split`](Self::split) | batch | it goes on in several batches, in order |
/// | [`rate_limit`](Self::rate_limit) | link and direction | bytes take their time |
/// | [`cut`](Self::cut), [`cut_now`](Self::cut_now) | batch, all links | a part of the batch goes on, then the link is lost |
/// | [`set_half_open`](Self::set_half_open) | carrier | everything is swallowed, in both directions, without a sign |
/// | [`duplicate`](Self::duplicate), [`lose`](Self::lose) | message | **breaks the contract of carriers**: for tests of what notices it |
///
/// ```
/// use std::sync::Arc;
/// use std::time::Duration;
///
/// use sig_conformance::{Fault, FaultyCarrier};
/// use sig_core::Carrier;
///
/// fn over_a_bad_line(carrier: Arc<dyn Carrier>) -> Arc<FaultyCarrier> {
///     let faulty = FaultyCarrier::new(carrier, 42)
///         .delay(Duration::ZERO..Duration::from_millis(20))
///         .split(0.5)
///         .cut(0.001);
///     Arc::new(faulty)
/// }
///
/// # struct Server;
/// # impl Server { fn attach(&self, _: Arc<dyn Carrier>) {} }
/// fn test(carrier: Arc<dyn Carrier>, server: Server) {
///     let faulty = over_a_bad_line(carrier);
///     server.attach(faulty.clone());
///     // ... use the server; then let everything settle, and look:
///     faulty.heal();
///     faulty.assert_injected();
///     println!("{} links were cut", faulty.faults().of(Fault::Cut));
/// }
/// ```
pub struct FaultyCarrier {
    inner: Arc<dyn Carrier>,
    seed: u64,
    plan: Plan,
    links_so_far: AtomicU64,
    healed: AtomicBool,
    half_open: watch::Sender<bool>,
    counters: Counters,
    links: DashMap<ClientId, Arc<Link>>,
    /// [`cut_now`](Self::cut_now) or [`set_half_open`](Self::set_half_open) was called.
    asked_by_hand: AtomicBool,
}

impl FaultyCarrier {
    /// Wraps `inner`, without any fault yet.
    #[must_use]
    pub fn new(inner: Arc<dyn Carrier>, seed: u64) -> Self {
        Self {
            inner,
            seed,
            plan: Plan::default(),
            links_so_far: AtomicU64::new(0),
            healed: AtomicBool::new(false),
            half_open: watch::Sender::new(false),
            counters: Counters::default(),
            links: DashMap::new(),
            asked_by_hand: AtomicBool::new(false),
        }
    }

    /// Every batch waits, for a time out of this range. On the way in batches wait side by side, as on a long line; on
    /// the way out one after the other, as at a slow one.
    #[must_use]
    pub fn delay(mut self, range: Range<Duration>) -> Self {
        self.plan.delay = Some(range);
        self
    }

    /// With this probability a batch of two or more messages goes on in several batches.
    #[must_use]
    pub fn split(mut self, probability: f64) -> Self {
        self.plan.split = probability;
        self
    }

    /// With this probability a message goes on twice. No carrier may do that: it shows what the router makes of it.
    #[must_use]
    pub fn duplicate(mut self, probability: f64) -> Self {
        self.plan.duplicate = probability;
        self
    }

    /// With this probability a message is lost, while its link goes on. No carrier may do that: it shows what the router
    /// makes of it.
    #[must_use]
    pub fn lose(mut self, probability: f64) -> Self {
        self.plan.loss = probability;
        self
    }

    /// With this probability, thrown for each batch, the link is cut: a part of the batch goes on, the rest and
    /// everything that is under way is lost with the link. A dialler comes back when its router runs it again.
    #[must_use]
    pub fn cut(mut self, probability: f64) -> Self {
        self.plan.cut = probability;
        self
    }

    /// Each direction of each link passes so many bytes in a second. Messages of an in-process carrier count as their
    /// data and 18 bytes.
    #[must_use]
    pub fn rate_limit(mut self, bytes_per_second: u64) -> Self {
        self.plan.rate = Some(bytes_per_second.max(1));
        self
    }

    /// The carrier that is wrapped.
    #[must_use]
    pub fn inner(&self) -> &Arc<dyn Carrier> {
        &self.inner
    }

    /// How many links there are now.
    #[must_use]
    pub fn links(&self) -> usize {
        self.links.len()
    }

    /// Cuts every link at once; what is under way is lost. Returns how many that were.
    pub fn cut_now(&self) -> usize {
        self.asked_by_hand.store(true, Ordering::Relaxed);
        self.every_link().iter().filter(|link| link.cut()).count()
    }

    /// Makes every link half-open, new ones included, or ends that.
    ///
    /// A half-open link swallows everything in both directions without a sign: `handle_tx` succeeds, nothing is heard,
    /// and even the end of the inner link does not come through, until the router closes the client by itself. A dialler
    /// that is run meanwhile gets no connection, and gives up after ten seconds.
    ///
    /// Set back to `false`, links that swallowed something are cut, since they cannot go on as if nothing had been; the
    /// others go on.
    pub fn set_half_open(&self, half_open: bool) {
        if half_open {
            self.asked_by_hand.store(true, Ordering::Relaxed);
        }
        if self.half_open.send_replace(half_open) && !half_open {
            self.every_link().iter().filter(|link| link.is_torn()).for_each(|link| {
                link.cut();
            });
        }
    }

    /// Ends every fault: nothing is half-open any more, and no more random faults happen. What waits already, waits.
    pub fn heal(&self) {
        self.healed.store(true, Ordering::Relaxed);
        self.set_half_open(false);
    }

    /// Lets random faults happen again after [`heal`](Self::heal).
    pub fn relapse(&self) {
        self.healed.store(false, Ordering::Relaxed);
    }

    /// What was injected so far.
    #[must_use]
    pub fn faults(&self) -> Faults {
        self.counters.read()
    }

    /// Asserts that every kind of fault that was asked for happened, and at least one of any kind.
    ///
    /// # Panics
    ///
    /// When it did not: the test then did not test what it says.
    #[track_caller]
    pub fn assert_injected(&self) {
        let faults = self.faults();
        let missing: Vec<_> = self
            .plan
            .kinds()
            .filter(|kind| faults.of(*kind) == 0)
            .map(|kind| kind.to_string())
            .collect();
        assert!(
            missing.is_empty(),
            "no fault of the kind {} was injected (injected: {faults}); send more, raise the probability, or choose another seed than {}",
            missing.join(", "),
            self.seed
        );
        assert!(
            faults.total() > 0,
            "nothing was injected{}; a test over a FaultyCarrier without a fault proves nothing",
            if self.asked_by_hand.load(Ordering::Relaxed) {
                ", although it was asked for by hand: was there a link, and traffic on it?"
            } else {
                ": no fault was asked for"
            }
        );
    }

    fn every_link(&self) -> Vec<Arc<Link>> {
        self.links.iter().map(|entry| Arc::clone(&entry)).collect()
    }

    fn is_half_open(&self) -> bool {
        *self.half_open.borrow()
    }

    fn is_disturbed(&self) -> bool {
        self.is_half_open() || (!self.healed.load(Ordering::Relaxed) && self.plan.kinds().next().is_some())
    }

    /// What becomes of a batch.
    fn decide(&self, dice: &mut Rng, pieces: Vec<Piece>) -> Fate {
        if self.healed.load(Ordering::Relaxed) {
            return Fate {
                parts: vec![pieces],
                ..Fate::default()
            };
        }
        self.plan.decide(dice, pieces, &self.counters)
    }

    /// How long the rate limit makes a batch wait.
    fn transfer(&self, fate: &Fate) -> Duration {
        let transfer = self.plan.duration(fate.cost);
        if !transfer.is_zero() {
            self.counters.add(Fault::RateLimit, 1);
        }
        transfer
    }

    /// The dice of a new link: for the way out and for the way in.
    fn dice(&self) -> (Rng, Rng) {
        let link = self.links_so_far.fetch_add(1, Ordering::Relaxed);
        let mut dice = Rng::with_seed(self.seed.rotate_left(32) ^ link);
        let (out, way_in) = (dice.fork(), dice.fork());
        (out, way_in)
    }
}

impl fmt::Debug for FaultyCarrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FaultyCarrier")
            .field("inner", &self.inner)
            .field("seed", &self.seed)
            .field("plan", &self.plan)
            .field("links", &self.links())
            .field("half_open", &self.is_half_open())
            .field("injected", &self.faults().to_string())
            .finish_non_exhaustive()
    }
}
