//! A server and its clients, as the tests set them up, and waiting that ends.

use std::fmt::Debug;
use std::future::Future;
use std::panic::Location;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use sig_core::{Carrier, StreamCarrier};
use sig_router::{CarrierHandle, ClientRouter, LinkState, Reconnect, ServerRouter};
use tokio::sync::watch;
use tokio::time::timeout;

use crate::media::Beating;

/// How long anything may take that has to happen; far more than it needs.
pub const WAIT: Duration = Duration::from_secs(20);

/// Waits for what has to happen.
///
/// # Panics
///
/// When it has not happened within [`WAIT`]; the text names the caller.
#[track_caller]
pub fn soon<F: IntoFuture>(what: &'static str, future: F) -> impl Future<Output = F::Output> {
    let place = Location::caller();
    async move {
        timeout(WAIT, future.into_future())
            .await
            .unwrap_or_else(|_| panic!("{place}: {what}: not within {WAIT:?}"))
    }
}

/// Waits until a watched state is as wanted, and gives it.
///
/// # Panics
///
/// When it has not become so within [`WAIT`], or nobody can change it any more.
#[track_caller]
pub fn becomes<T: Clone + Debug>(
    mut states: watch::Receiver<T>,
    mut wanted: impl FnMut(&T) -> bool,
) -> impl Future<Output = T> {
    let place = Location::caller();
    async move {
        let found = timeout(WAIT, states.wait_for(|state| wanted(state))).await;
        let found = found.map(|found| found.map(|state| state.clone()));
        match found {
            Ok(Ok(state)) => state,
            Ok(Err(_)) => panic!("{place}: stays {:?} for ever", states.borrow()),
            Err(_) => panic!("{place}: still {:?} after {WAIT:?}", states.borrow()),
        }
    }
}

/// Waits until a condition holds that cannot be watched, looking again and again.
///
/// # Panics
///
/// When it does not hold within [`WAIT`].
#[track_caller]
pub fn holds(what: &'static str, mut condition: impl FnMut() -> bool) -> impl Future<Output = ()> {
    let place = Location::caller();
    async move {
        let began = Instant::now();
        while !condition() {
            assert!(began.elapsed() < WAIT, "{place}: {what}: not within {WAIT:?}");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

/// An address at which nobody listens, and whose port the system gives to nobody by itself: a server may come back to it.
pub fn lasting_address() -> String {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // By the process, so that test programs that run at the same time seldom try the same ones.
    let first = 10_000 + u16::try_from(std::process::id() % 200).unwrap_or(0) * 100;
    loop {
        let address = format!("127.0.0.1:{}", first + NEXT.fetch_add(1, Ordering::Relaxed) % 100);
        if std::net::TcpListener::bind(&address).is_ok() {
            return address;
        }
    }
}

/// A server with one TCP carrier.
#[derive(Debug)]
pub struct TcpServer {
    /// The server.
    pub router: ServerRouter,
    /// Its carrier.
    pub carrier: CarrierHandle,
    /// Where it listens.
    pub address: String,
}

impl TcpServer {
    /// A server on a free port.
    #[must_use]
    pub fn start() -> Self {
        Self::at("127.0.0.1:0")
    }

    /// A server at this address.
    ///
    /// # Panics
    ///
    /// When it cannot be bound.
    #[must_use]
    pub fn at(address: &str) -> Self {
        let router = ServerRouter::new().expect("a runtime");
        let listener = sig_carrier_tcp::listen(address).expect("the port is free");
        let address = listener.medium().local_addr().to_string();
        let carrier = router.attach(Arc::new(listener));
        Self {
            router,
            carrier,
            address,
        }
    }

    /// A client of this server.
    #[must_use]
    pub fn client(&self) -> ClientRouter {
        client_of(&self.address)
    }
}

/// A server with one TCP carrier whose heartbeat has this period.
///
/// # Panics
///
/// When no port is free.
#[must_use]
pub fn beating_server(period: Duration) -> TcpServer {
    let router = ServerRouter::new().expect("a runtime");
    let inner = sig_carrier_tcp::Listener::bind("127.0.0.1:0").expect("a free port");
    let address = inner.local_addr().to_string();
    let carrier = router.attach(Arc::new(StreamCarrier::new(Beating { inner, period })));
    TcpServer {
        router,
        carrier,
        address,
    }
}

/// A client of the TCP server at this address, with this heartbeat.
///
/// # Panics
///
/// When the address is none.
#[must_use]
pub fn beating_client(address: &str, period: Duration) -> ClientRouter {
    let inner = sig_carrier_tcp::Dialer::new(address).expect("an address");
    client_over(StreamCarrier::new(Beating { inner, period }))
}

/// A client of the TCP server at this address, which need not be there yet. It tries often.
///
/// # Panics
///
/// When the address is none.
#[must_use]
pub fn client_of(address: &str) -> ClientRouter {
    client_over(sig_carrier_tcp::dial(address).expect("an address"))
}

/// A client over this carrier. It tries often.
///
/// # Panics
///
/// Outside of a runtime.
#[must_use]
pub fn client_over(carrier: impl Carrier) -> ClientRouter {
    ClientRouter::builder()
        .reconnect(impatient())
        .connect(Arc::new(carrier))
        .expect("a runtime")
}

/// Connects again every 50 ms at most.
pub fn impatient() -> Reconnect {
    Reconnect::new()
        .first(Duration::from_millis(10))
        .max(Duration::from_millis(50))
}

/// Waits until the client's link is up and everything is registered.
///
/// # Panics
///
/// When it takes longer than [`WAIT`].
#[track_caller]
pub fn connected(client: &ClientRouter) -> impl Future<Output = LinkState> {
    becomes(client.states(), |state| *state == LinkState::Connected)
}

/// Waits until the client's link is down.
///
/// # Panics
///
/// When it takes longer than [`WAIT`].
#[track_caller]
pub fn disconnected(client: &ClientRouter) -> impl Future<Output = LinkState> {
    becomes(client.states(), |state| *state != LinkState::Connected)
}
