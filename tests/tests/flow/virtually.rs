//! A server and clients inside this process, over links that take no time: for clocks that are paused.

use std::sync::Arc;
use std::time::Duration;

use sig_carrier_local::Local;
use sig_router::{ClientRouter, ServerRouter, Signal, TriggerError};
use sig_tests::rig::client_over;
use sig_tests::valve::Valve;
use tokio::time::Instant;

/// A server, and where its clients come from.
pub(crate) struct World {
    pub(crate) server: ServerRouter,
    hub: Arc<Local>,
}

impl World {
    pub(crate) fn new() -> Self {
        let (server, hub) = (ServerRouter::new().unwrap(), Arc::new(Local::new()));
        server.attach(Arc::clone(&hub) as _);
        Self { server, hub }
    }

    pub(crate) fn client(&self) -> ClientRouter {
        client_over(self.hub.dialer())
    }

    /// A client to which nothing is sent while the valve is closed.
    pub(crate) fn client_behind_a_valve(&self) -> (ClientRouter, Arc<Valve>) {
        let (hub, dialer) = sig_carrier_local::pair();
        let valve = Valve::around(hub);
        self.server.attach(Arc::clone(&valve) as _);
        (client_over(dialer), valve)
    }
}

/// Triggers and gives how long that took.
pub(crate) async fn timed(signal: &Signal, data: &str) -> Duration {
    let data = data.to_owned();
    let began = Instant::now();
    signal.trigger(&data).await.unwrap();
    began.elapsed()
}

/// Triggers at once; a sender that never waits is not to be held up.
pub(crate) fn trigger_now(signal: &Signal, number: u64) {
    match signal.try_trigger(&number) {
        Ok(()) => {}
        Err(error @ TriggerError::Busy { .. }) => panic!("somebody holds it up: {error}"),
        Err(error) => panic!("{error}"),
    }
}
