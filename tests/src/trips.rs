//! A server and a client with a slow line between the two, and how long requests take over it.

use std::sync::Arc;
use std::time::Duration;

use sig_core::Carrier;
use sig_router::{ClientRouter, Request, Sender, ServerRouter};
use tokio::time::Instant;

use crate::rig::client_over;

/// A server and a client of it.
#[derive(Debug)]
pub struct Trips {
    /// The server.
    pub server: ServerRouter,
    /// The client.
    pub client: ClientRouter,
    /// Answers requests at the server.
    _clock: Sender,
}

impl Trips {
    /// With these carriers.
    ///
    /// # Panics
    ///
    /// Outside of a runtime.
    #[must_use]
    pub fn over(accepting: Arc<dyn Carrier>, dialling: impl Carrier) -> Self {
        let server = ServerRouter::new().expect("a runtime");
        server.attach(accepting);
        let client = client_over(dialling);
        let clock = server
            .add_sender("clock")
            .request("now", |_: Request| Ok(12))
            .connect()
            .expect("the name is free");
        Self {
            server,
            client,
            _clock: clock,
        }
    }

    /// How long a request of the client and its reply take.
    ///
    /// # Panics
    ///
    /// When the reply is wrong.
    pub async fn trip(&self) -> Duration {
        let began = Instant::now();
        let reply = self.client.remote_request("clock", "now", &()).await;
        let reply: u32 = reply.expect("an answer").parse().expect("a number");
        assert_eq!(reply, 12);
        began.elapsed()
    }
}
