//! Clients of the same server that have done nothing wrong.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use sig_router::{ClientRouter, LinkState, RemoteEventStream, RemoteSender, Request, Signal};
use sig_tests::rig::{TcpServer, connected, soon};
use tokio::sync::watch;

static PANICS: OnceLock<AtomicUsize> = OnceLock::new();

/// Counts panics of the routers, also those that a runtime catches.
fn panics() -> &'static AtomicUsize {
    PANICS.get_or_init(|| {
        let report = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            let in_a_test = panic.location().is_some_and(|place| place.file().contains("tests/"));
            if let Some(panics) = PANICS.get().filter(|_| !in_a_test) {
                panics.fetch_add(1, Ordering::Relaxed);
            }
            report(panic);
        }));
        AtomicUsize::new(0)
    })
}

/// A publisher and a listener, and the server they share with the others.
pub(crate) struct Neighbour {
    pub(crate) server: TcpServer,
    signal: Signal,
    listener: ClientRouter,
    stream: RemoteEventStream,
    states: [watch::Receiver<LinkState>; 2],
    sent: u64,
    _sender: RemoteSender,
    _publisher: ClientRouter,
}

impl Neighbour {
    pub(crate) async fn move_in() -> Self {
        panics();
        let server = TcpServer::start();
        let (publisher, listener) = (server.client(), server.client());
        let sender = publisher
            .add_remote_sender("healthy")
            .event("tic")
            .request("echo", |request: Request| Ok(request.params::<u64>()?))
            .connect()
            .await
            .unwrap();
        let stream = listener.listen_remote("healthy/tic").await.unwrap();
        connected(&publisher).await;
        connected(&listener).await;
        let mut states = [publisher.states(), listener.states()];
        states.iter_mut().for_each(watch::Receiver::mark_unchanged);
        Self {
            server,
            signal: sender.signal("tic").unwrap(),
            listener,
            stream,
            states,
            sent: 0,
            _sender: sender,
            _publisher: publisher,
        }
    }

    /// Its events and requests still go through, in order and without loss, its links never went down, and nothing
    /// panicked.
    pub(crate) async fn is_well(&mut self) {
        for _ in 0..5 {
            self.sent += 1;
            self.signal.trigger(&self.sent).await.unwrap();
            let event = soon("a tic", self.stream.recv()).await.unwrap().unwrap();
            assert_eq!((event.number(), event.decode::<u64>().unwrap()), (self.sent, self.sent));
        }
        let asked = self.listener.remote_request("healthy", "echo", &self.sent);
        assert_eq!(
            soon("an answer", asked).await.unwrap().parse::<u64>().unwrap(),
            self.sent
        );
        for states in &self.states {
            assert!(!states.has_changed().unwrap(), "{:?}", *states.borrow());
        }
        assert_eq!(panics().load(Ordering::Relaxed), 0, "something panicked; see above");
    }

    /// A megabyte of events goes through, in order and without loss.
    pub(crate) async fn sends_much(&mut self) {
        const COUNT: u64 = 1000;
        let padding = "x".repeat(1000);
        let sending = async {
            for n in 0..COUNT {
                self.signal.trigger(&(n, padding.clone())).await.unwrap();
            }
        };
        let receiving = async {
            for n in 0..COUNT {
                let event = soon("a tic", self.stream.recv()).await.unwrap().unwrap();
                assert_eq!(event.decode::<(u64, String)>().unwrap().0, n);
            }
        };
        tokio::join!(sending, receiving);
        self.sent += COUNT;
    }

    pub(crate) fn address(&self) -> &str {
        &self.server.address
    }

    /// How many clients the server has beside these two.
    pub(crate) fn others(&self) -> usize {
        self.server.router.clients().len() - 2
    }
}
