//! The server's end: one ROUTER socket for all clients.

mod delivering;
mod reading;

use std::io;
use std::net::TcpListener;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sig_core::{Batch, CancellationToken, Carrier, CarrierError, ClientId, Disconnect, Profile, Uplink, async_trait};
use tokio::time::Instant;

pub(super) use self::delivering::{End, deliver_run};
use self::reading::Reading;
use super::link::Links;
use super::{carrier_error, endpoint};
use crate::backend::{self, Backend};
use crate::{Error, Kind, Options};

/// How long an endpoint may be taken by a former run of the same carrier, which closes in the background.
const REBIND: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(2));

/// Accepts clients at one endpoint: routers of ours, and DEALER and REQ sockets that speak pysig's JSON.
///
/// One ROUTER socket serves them all. One task reads it and never waits for a client; what is sent to one waits for that
/// one alone.
#[derive(Debug)]
pub struct Listener {
    endpoint: String,
    options: Options,
    linger: Option<Duration>,
    links: Arc<Links>,
    /// Keeps a TCP port until the first run.
    reserved: Mutex<Option<TcpListener>>,
    door: Mutex<Option<Door>>,
}

/// Whether the newest run lets clients in.
#[derive(Debug, Clone)]
struct Door {
    wanted_shut: CancellationToken,
    is_shut: CancellationToken,
}

impl Listener {
    /// For an endpoint: `tcp://HOST:PORT`, `ipc://PATH` or `inproc://NAME`. Port 0 or `*` takes any free port, the host `*`
    /// every address.
    ///
    /// # Errors
    ///
    /// [`CarrierError::Address`] when the text is no endpoint, [`CarrierError::Listen`] when its port is taken. What is wrong
    /// with other endpoints shows when the carrier runs.
    pub fn bind(endpoint: &str) -> Result<Self, CarrierError> {
        Self::bind_with(endpoint, Options::for_carriers())
    }

    /// For an endpoint, with these options; begin with [`Options::for_carriers`]. The identity is for diallers.
    ///
    /// # Errors
    ///
    /// As [`bind`](Self::bind).
    pub fn bind_with(endpoint: &str, options: Options) -> Result<Self, CarrierError> {
        endpoint::check(endpoint)?;
        let (endpoint, reserved) = endpoint::reserve(endpoint)?;
        Ok(Self {
            endpoint,
            linger: options.linger,
            // What a run that is dropped had to send is lost at once.
            options: options.mandatory(true).identity("").linger(Duration::ZERO),
            links: Arc::default(),
            reserved: Mutex::new(reserved),
            door: Mutex::default(),
        })
    }

    /// The endpoint, with the port that was found for port 0.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// A socket that listens, and where, in its own words.
    async fn open(&self) -> Result<(Arc<dyn Backend>, String), CarrierError> {
        let socket = backend::open(Kind::Router, &self.options).map_err(carrier_error)?;
        socket.know_senders().map_err(carrier_error)?;
        drop(lock(&self.reserved).take());
        let give_up = Instant::now() + REBIND.1;
        loop {
            match socket.bind(&self.endpoint).await {
                Ok(bound) => return Ok((socket, bound)),
                Err(Error::Io { source, .. })
                    if source.kind() == io::ErrorKind::AddrInUse && Instant::now() < give_up =>
                {
                    tokio::time::sleep(REBIND.0).await;
                }
                Err(error) => return Err(carrier_error(error)),
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[async_trait]
impl Carrier for Listener {
    fn name(&self) -> &'static str {
        "zmq"
    }

    async fn run(self: Arc<Self>, router: Uplink) -> Result<(), CarrierError> {
        let door = Door {
            wanted_shut: router.stop_token().child_token(),
            is_shut: CancellationToken::new(),
        };
        *lock(&self.door) = Some(door.clone());
        // Also when the run fails or is dropped.
        let _shut = door.is_shut.clone().drop_guard();
        let (socket, bound) = tokio::select! {
            biased;
            () = router.stopped() => return Ok(()),
            socket = self.open() => socket?,
        };
        let reading = Reading::new(&self, &router, socket, bound)?;
        reading.run(&door).await
    }

    async fn stop_accepting(&self) {
        let door = lock(&self.door).clone();
        if let Some(door) = door {
            door.wanted_shut.cancel();
            door.is_shut.cancelled().await;
        }
    }

    async fn handle_tx(&self, client: ClientId, batch: &mut Batch) -> Result<(), CarrierError> {
        self.links.send(client, batch).await
    }

    fn try_handle_tx(&self, client: ClientId, batch: &mut Batch) -> Result<bool, CarrierError> {
        self.links.try_send(client, batch)
    }

    fn close_client(&self, client: ClientId, why: &Disconnect) {
        self.links.close(client, why);
    }

    fn profile(&self) -> Profile {
        self.options.profile()
    }
}
