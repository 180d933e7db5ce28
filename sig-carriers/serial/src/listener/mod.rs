//! The listening carrier: a port at whose other end a board prints, or a router dials.

mod boards;
mod links;
mod talk;
#[cfg(test)]
mod tests;
mod watch;

use std::sync::Arc;

use sig_core::{
    Batch, Carrier, CarrierError, CarrierUrl, ClientId, Disconnect, Profile, StreamCarrier, Uplink, async_trait,
};
use tokio::sync::Mutex;

use crate::link::Pace;
use crate::{Options, Port, SCHEME};
use boards::Boards;
use links::Accepted;

/// A serial port whose other end comes to this router: a plain board, whose lines or frames become the events of one sender,
/// or another router that dials.
///
/// The port need not be there yet. While it is not, or somebody else has it, the router is told so
/// ([`Uplink::report`](sig_core::Uplink::report)), and it is looked for again and again.
///
/// A board is a client from its first valid document on, with the reason `link_lost` when it is pulled out, and `timeout` when
/// it says nothing for longer than the option [`idle_timeout`](Options::idle_timeout).
///
/// ```
/// use sig_carrier_serial::Listener;
/// use sig_core::Carrier;
///
/// let listener = Listener::from_url(&"serial:///dev/ttyACM0?baud=9600".parse()?)?;
/// assert_eq!(listener.name(), "serial");
/// assert!(!listener.profile().dials);
/// # Ok::<(), sig_core::CarrierError>(())
/// ```
#[derive(Debug)]
pub struct Listener {
    port: Port,
    boards: Boards,
    /// Takes the links that routers open. It is a carrier of its own, whose clients are those of this one.
    links: Arc<StreamCarrier<Accepted>>,
    /// Whether anybody is let in, held while somebody is.
    accepts: Mutex<bool>,
}

impl Listener {
    /// A carrier on this port.
    #[must_use]
    pub fn new(port: Port) -> Self {
        let profile = profile(port.options());
        Self {
            links: Arc::new(StreamCarrier::new(Accepted::new(profile))),
            boards: Boards::default(),
            accepts: Mutex::new(true),
            port,
        }
    }

    /// A carrier on the port of this address.
    ///
    /// # Errors
    ///
    /// [`CarrierError::Address`] naming what is wrong and what to write.
    pub fn from_url(url: &CarrierUrl) -> Result<Self, CarrierError> {
        Port::from_url(url).map(Self::new)
    }

    /// The port.
    #[must_use]
    pub fn port(&self) -> &Port {
        &self.port
    }

    /// Opens the port whenever it is there, and talks to whoever is at its other end.
    async fn serve(&self, router: &Uplink) {
        let mut port = self.port.clone();
        loop {
            let opened = tokio::select! {
                biased;
                () = router.stopped() => return,
                opened = port.next(router) => opened,
            };
            self.talk(opened, router).await;
        }
    }
}

/// What a router should know of a line with these options.
fn profile(options: &Options) -> Profile {
    Profile::default()
        .with_heartbeat(options.heartbeat)
        .with_chunk(Pace::from(options).chunk())
}

#[async_trait]
impl Carrier for Listener {
    fn name(&self) -> &'static str {
        SCHEME
    }

    async fn run(self: Arc<Self>, router: Uplink) -> Result<(), CarrierError> {
        *self.accepts.lock().await = true;
        let links = Arc::clone(&self.links).run(router.clone());
        let (links, ()) = tokio::join!(links, self.serve(&router));
        links
    }

    async fn stop_accepting(&self) {
        *self.accepts.lock().await = false;
        self.links.stop_accepting().await;
    }

    async fn handle_tx(&self, client: ClientId, batch: &mut Batch) -> Result<(), CarrierError> {
        match self.boards.get(client) {
            Some(board) => board.send(batch).await,
            None => self.links.handle_tx(client, batch).await,
        }
    }

    fn try_handle_tx(&self, client: ClientId, batch: &mut Batch) -> Result<bool, CarrierError> {
        match self.boards.get(client) {
            Some(board) => Ok(board.try_send(batch)),
            None => self.links.try_handle_tx(client, batch),
        }
    }

    fn close_client(&self, client: ClientId, why: &Disconnect) {
        match self.boards.get(client) {
            Some(board) => board.close(why),
            None => self.links.close_client(client, why),
        }
    }

    fn profile(&self) -> Profile {
        profile(self.port.options())
    }
}
