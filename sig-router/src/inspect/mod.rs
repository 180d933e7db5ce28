//! How a router fares: its own sender `#router`, and the same for Rust programs.
//!
//! Every [`ServerRouter`](crate::ServerRouter), and every [`Router`](crate::Router) of one process, has a sender of the
//! name `#router`, which answers requests and, at a server, tells what happens as events. Whoever can reach the router
//! can ask it, over every carrier and in every dialect. It is heard by those alone who name it: it is in no list of
//! senders, and its events reach neither broadcast nor channel listeners.
//!
//! | request | parameters | response |
//! |---|---|---|
//! | `info` | none | [`RouterReport`] |
//! | `clients` | [`Query`] | [`Page`] of [`ClientReport`] |
//! | `carriers` | none | [`Page`] of [`CarrierReport`] |
//! | `senders` | [`Query`] | [`Page`] of [`SenderReport`] |
//! | `listeners` | [`Query`] | [`Page`] of [`ListenerReport`] |
//! | `links` | none | [`Page`] of [`LinkReport`] |
//!
//! | event | data | when |
//! |---|---|---|
//! | `client_connected` | [`ClientConnected`] | a client has said what it speaks |
//! | `client_disconnected` | [`ClientDisconnected`] | it left |
//! | `carrier` | [`CarrierReport`] | a carrier started, failed, or was stopped |
//! | `link` | [`LinkReport`] | a link that a carrier watches, such as a serial port, came, went, or fares otherwise |
//! | `lagging` | [`Lagging`] | a listener does not keep up; once for each episode and sender |
//! | `stats` | [`Stats`] | every second, while somebody listens to it |
//!
//! Nothing is counted for the sake of this that costs anything for each event: the counters are those that the router
//! has anyway, or are raised once for each batch, and rates are worked out of two readings when somebody asks.
//!
//! ```
//! use sig_router::inspect::{Page, Query, SenderReport};
//! use sig_router::Router;
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! let router = Router::new();
//! let timer = router.add_sender("timer").event("tic").connect()?;
//! timer.signal("tic")?.try_trigger(&1)?;
//!
//! // The same twice: as a request, which works from anywhere, and as a call in this process.
//! let asked = router.request("#router", "senders", &Query::new()).await?;
//! let page: Page<SenderReport> = asked.parse()?;
//! assert_eq!(page.rows[0].events[0].number, 1);
//! assert_eq!(router.inspect().senders(&Query::new()).rows[0].name, "timer");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # }).unwrap();
//! ```

mod listeners;
mod nearest;
mod news;
mod query;
mod rates;
mod report;
mod rows;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, OnceLock, Weak};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use parking_lot::Mutex;
use sig_core::{ClientId, EventName, SenderName};
pub use sig_core::{LinkReport, LinkState, Verdict};

pub(crate) use news::{News, Story, tell};
pub use query::{Cursor, Order, Page, Query};
use rates::Rates;
pub use report::{
    Busy, CarrierReport, ClientConnected, ClientDisconnected, ClientReport, Deep, EventReport, Lagging, ListenerReport,
    RouterReport, SenderReport, Stats, Unmatched,
};

use crate::clock;
use crate::hub::Hub;
use crate::request::{Handler, HandlerError, Request, Requests};

/// The name of the sender that tells how its router fares.
pub const ROUTER: &str = "#router";

/// The event of a client that is there.
pub const CLIENT_CONNECTED: &str = "client_connected";

/// The event of a client that left.
pub const CLIENT_DISCONNECTED: &str = "client_disconnected";

/// The event of a carrier that started, failed, or was stopped.
pub const CARRIER: &str = "carrier";

/// The event of a link that a carrier watches and that came, went, or fares otherwise.
pub const LINK: &str = "link";

/// The event of a listener that does not keep up.
pub const LAGGING: &str = "lagging";

/// The event that comes every second while somebody listens to it.
pub const STATS: &str = "stats";

/// What went over the link to one client so far, or to all.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Traffic {
    pub(crate) events_in: u64,
    pub(crate) bytes_in: u64,
    pub(crate) events_out: u64,
    pub(crate) bytes_out: u64,
    pub(crate) lost: u64,
    pub(crate) skipped: u64,
    pub(crate) waiting: usize,
}

impl Traffic {
    pub(crate) fn add(&mut self, other: Self) {
        self.events_in += other.events_in;
        self.bytes_in += other.bytes_in;
        self.events_out += other.events_out;
        self.bytes_out += other.bytes_out;
        self.lost += other.lost;
        self.skipped += other.skipped;
        self.waiting += other.waiting;
    }
}

/// The links of a router that has some.
pub(crate) trait Links: Send + Sync {
    /// The router's id, and its epoch.
    fn identity(&self) -> (String, u64);

    /// Visits every client.
    fn each_client(&self, visit: &mut dyn FnMut(ClientId, Traffic));

    /// How many clients there are.
    fn count_clients(&self) -> usize;

    /// What is known of a client; its rates are left out.
    fn client(&self, id: ClientId, now: Instant) -> Option<ClientReport>;

    /// The same, and gives the sum, in which the clients are that have left.
    fn total(&self, visit: &mut dyn FnMut(ClientId, Traffic)) -> Traffic;

    fn carriers(&self) -> Vec<CarrierReport>;

    fn links(&self) -> Vec<LinkReport>;
}

/// What a router keeps to tell how it fares.
pub(crate) struct Inspection {
    links: OnceLock<Weak<dyn Links>>,
    began: Instant,
    rates: Mutex<Rates>,
}

impl Default for Inspection {
    fn default() -> Self {
        Self {
            links: OnceLock::new(),
            began: clock::now(),
            rates: Mutex::default(),
        }
    }
}

impl Inspection {
    /// Gives the router of this hub its own sender. One that has links tells what happens as well.
    pub(crate) fn install(hub: &Arc<Hub>, links: Option<Weak<dyn Links>>) {
        let mut events: &[&str] = &[];
        if let Some(links) = links {
            events = &[CLIENT_CONNECTED, CLIENT_DISCONNECTED, CARRIER, LINK, LAGGING, STATS];
            let _ = hub.inspection().links.set(links);
        }
        let events: Result<BTreeSet<_>, _> = events.iter().map(EventName::new).collect();
        let (Ok(name), Ok(events)) = (SenderName::new(ROUTER), events) else {
            return;
        };
        hub.add_own_sender(&name, events, requests(hub));
    }

    fn links(&self) -> Option<Arc<dyn Links>> {
        self.links.get().and_then(Weak::upgrade)
    }

    /// How much goes through, unless there is only one reading yet.
    fn stats(&self, hub: &Hub) -> Option<Stats> {
        let links = self.links();
        let mut rates = self.rates.lock();
        rates.refresh(clock::now(), hub, links.as_deref());
        rates.are_there().then(|| rows::stats(hub, links.as_deref(), &rates))
    }

    /// Nobody listens to the statistics.
    fn rest(&self) {
        self.rates.lock().forget_unused(clock::now());
    }
}

impl fmt::Debug for Inspection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inspection").finish_non_exhaustive()
    }
}

/// What the router's own sender answers.
fn requests(hub: &Arc<Hub>) -> Requests {
    let mut requests = Requests::default();
    let mut answer = |method: &str, handler: Handler| requests.set(Some(method.to_owned()), handler);
    let ask = || {
        let hub = Arc::downgrade(hub);
        move || {
            let gone = || HandlerError::new("the router is gone").with_code("closing");
            hub.upgrade().map(|hub| Inspector { hub }).ok_or_else(gone)
        }
    };
    let router = ask();
    answer("info", Handler::sync(move |_| Ok(router()?.info())));
    let router = ask();
    answer("carriers", Handler::sync(move |_| Ok(Page::all(router()?.carriers()))));
    let router = ask();
    answer("links", Handler::sync(move |_| Ok(Page::all(router()?.links()))));
    let router = ask();
    answer(
        "clients",
        Handler::sync(move |request| Ok(router()?.clients(&query(&request)?))),
    );
    let router = ask();
    answer(
        "senders",
        Handler::sync(move |request| Ok(router()?.senders(&query(&request)?))),
    );
    let router = ask();
    answer(
        "listeners",
        Handler::sync(move |request| Ok(router()?.listeners(&query(&request)?))),
    );
    requests
}

fn query(request: &Request) -> Result<Query, HandlerError> {
    if request.raw_params().is_null() {
        return Ok(Query::new());
    }
    request.params().map_err(|error| {
        let text = format!(
            "{}: {error}; an object such as {{\"limit\": 100}} is wanted, or null",
            request.method()
        );
        HandlerError::new(text).with_code("invalid_params")
    })
}

/// How a router fares, for its own program: [`Router::inspect`](crate::Router::inspect) and
/// [`ServerRouter::inspect`](crate::ServerRouter::inspect) give it. Other programs ask the sender `#router`.
#[derive(Clone)]
pub struct Inspector {
    hub: Arc<Hub>,
}

impl Inspector {
    pub(crate) fn of(hub: &Arc<Hub>) -> Self {
        Self { hub: Arc::clone(hub) }
    }

    fn inspection(&self) -> &Inspection {
        self.hub.inspection()
    }

    /// The router as a whole.
    #[must_use]
    pub fn info(&self) -> RouterReport {
        let links = self.inspection().links();
        rows::info(&self.hub, links.as_deref(), self.inspection().began)
    }

    /// The clients.
    #[must_use]
    pub fn clients(&self, query: &Query) -> Page<ClientReport> {
        let Some(links) = self.inspection().links() else {
            return Page::all(Vec::new());
        };
        self.rated(|rates| rows::clients(&*links, rates, query))
    }

    /// The carriers that were attached and not stopped.
    #[must_use]
    pub fn carriers(&self) -> Vec<CarrierReport> {
        self.inspection()
            .links()
            .map(|links| links.carriers())
            .unwrap_or_default()
    }

    /// The links that carriers watch whether or not somebody is at their ends, such as serial ports: the newest report of
    /// each, for as long as its carrier is not stopped.
    #[must_use]
    pub fn links(&self) -> Vec<LinkReport> {
        (self.inspection().links())
            .map(|links| links.links())
            .unwrap_or_default()
    }

    /// The senders and their events.
    #[must_use]
    pub fn senders(&self, query: &Query) -> Page<SenderReport> {
        self.rated(|rates| rows::senders(&self.hub, rates, query))
    }

    /// The listeners, also those that nobody matches.
    #[must_use]
    pub fn listeners(&self, query: &Query) -> Page<ListenerReport> {
        listeners::page(&self.hub, query)
    }

    fn rated<T>(&self, page: impl FnOnce(&Rates) -> Page<T>) -> Page<T> {
        let links = self.inspection().links();
        let mut rates = self.inspection().rates.lock();
        rates.refresh(clock::now(), &self.hub, links.as_deref());
        let interval_ms = rates.are_there().then(|| rates.interval_ms());
        Page {
            interval_ms,
            ..page(&rates)
        }
    }
}

impl fmt::Debug for Inspector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Inspector").field(&self.hub).finish()
    }
}

/// Milliseconds since 1970; 0 for what was before.
pub(crate) fn unix_ms(time: Option<SystemTime>) -> u64 {
    let since = time.and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    millis(since.unwrap_or_default())
}

pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
