//! The line between one client and the server, and what can happen to it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use sig_conformance::FaultyCarrier;
use sig_core::Carrier;
use sig_router::{CarrierHandle, ServerRouter};

use crate::patch::Patch;

/// The line between one client and the server.
pub(crate) trait Line: fmt::Debug {
    /// The client's carrier, for as long as the line lives.
    fn carrier(&self) -> Arc<dyn Carrier>;

    /// Leads to this server from now on.
    fn lead_to(&mut self, server: &ServerRouter);

    /// Cuts what there is; the next link is fine.
    fn cut(&mut self);

    /// Swallows everything from now on, in both directions and without a sign.
    fn silence(&mut self);

    /// The client goes another way. The server hears nothing of it: the former link is silent.
    fn roam(&mut self, server: &ServerRouter);

    /// Ends all that is wrong with it.
    fn heal(&mut self);

    /// How many faults there were.
    fn faults(&self) -> u64;
}

/// Makes the listening carrier and the dialling one of a way.
pub(crate) type Make = Box<dyn FnMut() -> (Arc<dyn Carrier>, Arc<dyn Carrier>)>;

/// A line of carriers that come in pairs, one pair for each way, with faults at both ends.
pub(crate) struct FaultyLine {
    make: Make,
    seed: u64,
    delay: Duration,
    patch: Arc<Patch>,
    way: Option<Way>,
    former: Option<Way>,
    faults: u64,
}

/// One way between client and server.
struct Way {
    hub: Arc<FaultyCarrier>,
    dialer: Arc<FaultyCarrier>,
    handle: CarrierHandle,
}

impl Way {
    fn silence(&self, silent: bool) {
        self.hub.set_half_open(silent);
        self.dialer.set_half_open(silent);
    }

    /// Takes it down at the server, and gives what went wrong on it.
    fn end(self) -> u64 {
        self.dialer.heal();
        self.dialer.cut_now();
        let handle = self.handle;
        tokio::spawn(async move { handle.stop().await });
        self.hub.faults().total() + self.dialer.faults().total()
    }
}

impl FaultyLine {
    pub(crate) fn new(seed: u64, delay: Duration, mut make: Make) -> Self {
        let (_, nowhere) = make();
        Self {
            make,
            seed,
            delay,
            patch: Patch::new(nowhere),
            way: None,
            former: None,
            faults: 0,
        }
    }

    fn faulty(&mut self, carrier: Arc<dyn Carrier>) -> Arc<FaultyCarrier> {
        self.seed += 1;
        let faulty = FaultyCarrier::new(carrier, self.seed).split(0.3);
        Arc::new(if self.delay.is_zero() {
            faulty
        } else {
            faulty.delay(Duration::ZERO..self.delay)
        })
    }

    fn open(&mut self, server: &ServerRouter) {
        let (hub, dialer) = (self.make)();
        let (hub, dialer) = (self.faulty(hub), self.faulty(dialer));
        let handle = server.attach(hub.clone());
        self.patch.set(dialer.clone());
        self.way = Some(Way { hub, dialer, handle });
    }

    fn ways(&self) -> impl Iterator<Item = &Way> {
        self.way.iter().chain(&self.former)
    }
}

impl Line for FaultyLine {
    fn carrier(&self) -> Arc<dyn Carrier> {
        self.patch.clone()
    }

    fn lead_to(&mut self, server: &ServerRouter) {
        let over = [self.former.take(), self.way.take()];
        self.faults += over.into_iter().flatten().map(Way::end).sum::<u64>();
        self.open(server);
    }

    fn cut(&mut self) {
        if let Some(way) = &self.way {
            way.dialer.cut_now();
        }
    }

    fn silence(&mut self) {
        if let Some(way) = &self.way {
            way.silence(true);
        }
    }

    fn roam(&mut self, server: &ServerRouter) {
        self.faults += self.former.take().map_or(0, Way::end);
        let Some(way) = self.way.take() else { return };
        // First the server hears no more, so that it does not hear the end either.
        way.hub.set_half_open(true);
        self.open(server);
        way.dialer.heal();
        way.dialer.cut_now();
        self.former = Some(way);
    }

    fn heal(&mut self) {
        self.faults += self.former.take().map_or(0, Way::end);
        self.ways().for_each(|way| way.silence(false));
    }

    fn faults(&self) -> u64 {
        let count = |way: &Way| way.hub.faults().total() + way.dialer.faults().total();
        self.faults + self.ways().map(count).sum::<u64>()
    }
}

impl fmt::Debug for FaultyLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FaultyLine")
            .field("faults", &self.faults())
            .finish_non_exhaustive()
    }
}
