//! A router with one ZeroMQ carrier.

use std::sync::Arc;

use sig_carrier_zmq::ZmqFactory;
use sig_router::{ClientRouter, ServerRouter};
use sig_tests::rig::{client_over, connected};

/// A router that listens over ZeroMQ.
pub(crate) struct Served {
    pub(crate) router: ServerRouter,
    pub(crate) endpoint: String,
}

impl Served {
    pub(crate) fn start() -> Self {
        Self::at("zmq:tcp://127.0.0.1:*")
    }

    /// At a URL.
    pub(crate) fn at(url: &str) -> Self {
        let url = url.parse().expect("a URL");
        let carrier = ZmqFactory::default().listener(&url).expect("a free port");
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
