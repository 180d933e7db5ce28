//! A router with one ZeroMQ carrier.

use std::sync::Arc;

use sig_router::{ClientRouter, ServerRouter};
use sig_tests::rig::{client_over, connected};

/// A router that listens over ZeroMQ.
pub(crate) struct Served {
    pub(crate) router: ServerRouter,
    pub(crate) endpoint: String,
}

impl Served {
    pub(crate) fn start() -> Self {
        let carrier = sig_carrier_zmq::listen("tcp://127.0.0.1:*").expect("a free port");
        let endpoint = carrier.endpoint().to_owned();
        let router = ServerRouter::new().expect("a runtime");
        router.attach(Arc::new(carrier));
        Self { router, endpoint }
    }

    /// A client of ours, connected.
    pub(crate) async fn client(&self) -> ClientRouter {
        let client = client_over(sig_carrier_zmq::dial(&self.endpoint).expect("an endpoint"));
        connected(&client).await;
        client
    }
}
