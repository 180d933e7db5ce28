//! A server with every carrier, and clients that come over any of them.

use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use sig_carrier_local::Local;
use sig_core::{CancellationToken, Tasks};
use sig_router::{ClientRouter, Router, ServerRouter};
use sig_tests::proxy::{Cable, Proxy};
use sig_tests::rig::{WAIT, client_of, client_over};
use tempfile::TempDir;

use crate::Over;

/// Anything that goes wrong while the world is made.
pub(crate) type Fault = Box<dyn std::error::Error + Send + Sync>;

/// A server with every carrier.
pub(crate) struct World {
    pub(crate) server: ServerRouter,
    tcp: String,
    ipc: String,
    local: Arc<Local>,
    /// Its port at which ZeroMQ listens.
    zmq: String,
    over: Option<Over>,
    _directory: TempDir,
}

impl World {
    pub(crate) fn new(over: Option<Over>) -> Result<Self, Fault> {
        let server = ServerRouter::new()?;
        let listener = sig_carrier_tcp::listen("127.0.0.1:0")?;
        let tcp = listener.medium().local_addr().to_string();
        server.attach(Arc::new(listener));
        let directory = tempfile::tempdir()?;
        let ipc = directory.path().join("soak").display().to_string();
        if cfg!(unix) {
            server.attach(Arc::new(sig_carrier_ipc::listen(&ipc)?));
        }
        let local = Arc::new(Local::new());
        server.attach(Arc::clone(&local) as _);
        let zmq = sig_carrier_zmq::listen("tcp://127.0.0.1:*")?;
        let endpoint = zmq.endpoint().trim_start_matches("tcp://").to_owned();
        server.attach(Arc::new(zmq));
        Ok(Self {
            server,
            tcp,
            ipc,
            local,
            zmq: endpoint,
            over,
            _directory: directory,
        })
    }

    /// A client over a random carrier.
    pub(crate) async fn client(&self, random: &mut Rng, tasks: &Tasks) -> Result<Member, Fault> {
        let carrier = self.over.unwrap_or_else(|| match random.u32(0..6) {
            0 if cfg!(unix) => Over::Ipc,
            1 => Over::Local,
            2 | 3 => Over::Zmq,
            _ => Over::Tcp,
        });
        let address = match carrier {
            Over::Ipc => {
                return self
                    .member(client_over(sig_carrier_ipc::dial(&self.ipc)?), None, tasks)
                    .await;
            }
            Over::Local => return self.member(client_over(self.local.dialer()), None, tasks).await,
            Over::Zmq => &self.zmq,
            Over::Tcp | Over::Forwarder => &self.tcp,
        };
        // Half of them over a link that can be cut.
        let cable = match random.bool() {
            true => Some(Proxy::to(address).await),
            false => None,
        };
        let client = self.dial(carrier, cable.as_ref())?;
        self.member(client, cable, tasks).await
    }

    /// A client that stays as long as the server, over a link that is cut now and then.
    pub(crate) async fn veteran(&self, tasks: &Tasks) -> Result<Member, Fault> {
        let over_zmq = self.over == Some(Over::Zmq);
        let carrier = if over_zmq { Over::Zmq } else { Over::Tcp };
        let cable = Proxy::to(if over_zmq { &self.zmq } else { &self.tcp }).await;
        let client = self.dial(carrier, Some(&cable))?;
        self.member(client, Some(cable), tasks).await
    }

    /// A client over TCP or ZeroMQ, through a cable where there is one.
    fn dial(&self, carrier: Over, cable: Option<&Proxy>) -> Result<ClientRouter, Fault> {
        let cable = cable.map(|cable| cable.address.to_string());
        Ok(match carrier {
            Over::Zmq => {
                let address = cable.as_ref().unwrap_or(&self.zmq);
                client_over(sig_carrier_zmq::dial(&format!("tcp://{address}"))?)
            }
            _ => client_of(cable.as_ref().unwrap_or(&self.tcp)),
        })
    }

    async fn member(&self, client: ClientRouter, cable: Option<Proxy>, tasks: &Tasks) -> Result<Member, Fault> {
        // A link that is cut before its first word was answered is that of a pysig server for all the client knows.
        client.ready(WAIT).await?;
        Ok(Member::new(Side::Client(Arc::new(client)), cable, tasks))
    }

    /// The program of the server itself, as one more who sends and listens.
    pub(crate) fn own(&self, tasks: &Tasks) -> Member {
        Member::new(Side::Router(self.server.router().clone()), None, tasks)
    }
}

/// Who sends and listens: a client, or the program of the server.
#[derive(Clone)]
pub(crate) enum Side {
    Client(Arc<ClientRouter>),
    Router(Router),
}

/// A program, with what it has.
pub(crate) struct Member {
    pub(crate) side: Side,
    cable: Option<Proxy>,
    /// Those of all its senders and listeners.
    tasks: Tasks,
    pub(crate) senders: Vec<(String, CancellationToken)>,
    pub(crate) listeners: Vec<CancellationToken>,
}

impl Member {
    fn new(side: Side, cable: Option<Proxy>, tasks: &Tasks) -> Self {
        Self {
            side,
            cable,
            tasks: tasks.child(),
            senders: Vec::new(),
            listeners: Vec::new(),
        }
    }

    /// Adds a life to those of the member; it ends with the member, or when the token is cancelled.
    pub(crate) fn spawn(
        &self,
        name: &'static str,
        life: impl Future<Output = ()> + Send + 'static,
    ) -> CancellationToken {
        let stop = self.tasks.stop_token().child_token();
        let stopped = stop.clone();
        self.tasks.spawn(name, async move {
            stopped.run_until_cancelled(life).await;
        });
        stop
    }

    /// Whether its link can be cut.
    pub(crate) fn has_cable(&self) -> bool {
        self.cable.is_some()
    }

    /// Cuts its link for a moment; before that, perhaps nothing comes through for a while.
    pub(crate) async fn cut(&self, random: &mut Rng) {
        let Some(cable) = &self.cable else { return };
        cable.set([Cable::Silent, Cable::Deaf, Cable::Whole][random.usize(0..3)]);
        tokio::time::sleep(Duration::from_millis(random.u64(0..50))).await;
        cable.set(Cable::Cut);
        tokio::time::sleep(Duration::from_millis(random.u64(0..20))).await;
        cable.set(Cable::Whole);
    }

    /// Ends what it sends and hears, but for what was spawned to stay.
    pub(crate) fn fall_silent(&mut self) {
        self.senders.drain(..).for_each(|(_, stop)| stop.cancel());
        self.listeners.drain(..).for_each(|stop| stop.cancel());
    }

    /// Ends it with all it has.
    pub(crate) async fn leave(self) {
        self.tasks.shutdown(Duration::from_secs(5)).await;
        if let Side::Client(client) = self.side {
            client.close(Duration::from_secs(1)).await;
        }
    }
}
