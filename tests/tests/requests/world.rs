//! The same world over each carrier: a server, and clients of it.

use std::sync::Arc;
use std::time::Duration;

use sig_carrier_local::Local;
use sig_router::{CarrierHandle, ClientRouter, HandlerError, RemoteSender, Request, SenderBuilder, ServerRouter};
use sig_tests::process::Process;
use sig_tests::rig::client_over;
use tempfile::TempDir;
use tokio::sync::mpsc;

/// A server with one carrier.
pub(crate) struct World {
    /// Which carrier.
    pub(crate) name: &'static str,
    pub(crate) server: ServerRouter,
    pub(crate) carrier: CarrierHandle,
    place: Place,
}

enum Place {
    Tcp(String),
    Ipc(TempDir),
    Local(Arc<Local>),
}

impl World {
    /// Over TCP.
    pub(crate) fn tcp() -> Self {
        let listener = sig_carrier_tcp::listen("127.0.0.1:0").unwrap();
        let address = listener.medium().local_addr().to_string();
        Self::over("tcp", Arc::new(listener), Place::Tcp(address))
    }

    /// Inside this process.
    pub(crate) fn local() -> Self {
        let local = Arc::new(Local::new());
        Self::over("local", local.clone(), Place::Local(local))
    }

    /// Over a local socket.
    fn ipc() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let listener = sig_carrier_ipc::listen(&socket(&directory)).unwrap();
        Self::over("ipc", Arc::new(listener), Place::Ipc(directory))
    }

    /// Over every carrier, one after the other.
    pub(crate) fn each() -> impl Iterator<Item = Self> {
        let ipc: Option<fn() -> Self> = cfg!(unix).then_some(Self::ipc);
        let all = [Some(Self::tcp as fn() -> Self), ipc, Some(Self::local)];
        all.into_iter().flatten().map(|start| start())
    }

    fn over(name: &'static str, carrier: Arc<dyn sig_core::Carrier>, place: Place) -> Self {
        let server = ServerRouter::new().unwrap();
        let carrier = server.attach(carrier);
        Self {
            name,
            server,
            carrier,
            place,
        }
    }

    /// A client of the server.
    pub(crate) fn client(&self) -> ClientRouter {
        match &self.place {
            Place::Tcp(address) => client_over(sig_carrier_tcp::dial(address).unwrap()),
            Place::Ipc(directory) => client_over(sig_carrier_ipc::dial(&socket(directory)).unwrap()),
            Place::Local(local) => client_over(local.dialer()),
        }
    }

    /// A process with the sender `callee`, which hangs when asked to `hang`; none inside this process.
    pub(crate) fn callee(&self) -> Option<Process> {
        let address = match &self.place {
            Place::Tcp(address) => address.clone(),
            Place::Ipc(directory) => socket(directory),
            Place::Local(_) => return None,
        };
        Some(Process::start(env!("CARGO_BIN_EXE_callee"), &[self.name, &address]))
    }

    /// Where the server listens on TCP.
    pub(crate) fn address(&self) -> &str {
        match &self.place {
            Place::Tcp(address) => address,
            Place::Ipc(_) | Place::Local(_) => panic!("{} has no address", self.name),
        }
    }

    /// Throws the client out that has senders.
    pub(crate) fn kick_callee(&self) {
        let clients = self.server.clients();
        let callee = clients.iter().find(|client| client.senders > 0).expect("a callee");
        assert!(self.server.kick(callee.id, "a test"));
    }
}

fn socket(directory: &TempDir) -> String {
    directory.path().join("router").to_str().unwrap().to_owned()
}

/// What a handler tells of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Told {
    /// It was called, and its asker waits for so long.
    Called(Duration),
    /// It was dropped.
    Dropped,
}

struct Tell(mpsc::Sender<Told>);

impl Drop for Tell {
    fn drop(&mut self) {
        let _ = self.0.try_send(Told::Dropped);
    }
}

/// Lets a sender answer `hang` by never answering, and `echo` at once.
pub(crate) fn hanging<T>(builder: SenderBuilder<T>) -> (SenderBuilder<T>, mpsc::Receiver<Told>) {
    let (tell, tells) = mpsc::channel(1024);
    let hangs = move |request: Request| {
        let left = request
            .deadline()
            .saturating_duration_since(tokio::time::Instant::now().into_std());
        tell.try_send(Told::Called(left)).unwrap();
        let tell = Tell(tell.clone());
        async move {
            std::future::pending::<()>().await;
            drop(tell);
            Ok::<(), HandlerError>(())
        }
    };
    let builder = builder
        .request_async("hang", hangs)
        .request("echo", |request: Request| Ok(request.raw_params().clone()));
    (builder, tells)
}

/// The sender `callee` at a client.
pub(crate) async fn callee(client: &ClientRouter) -> (RemoteSender, mpsc::Receiver<Told>) {
    let (builder, tells) = hanging(client.add_remote_sender("callee").event("e"));
    (builder.connect().await.unwrap(), tells)
}

/// The next call of the handler.
pub(crate) async fn called(tells: &mut mpsc::Receiver<Told>) -> Duration {
    match sig_tests::rig::soon("the handler", tells.recv()).await {
        Some(Told::Called(left)) => left,
        other => panic!("{other:?}"),
    }
}

/// The end of the handler.
pub(crate) async fn dropped(tells: &mut mpsc::Receiver<Told>) {
    assert_eq!(
        sig_tests::rig::soon("the handler's end", tells.recv()).await,
        Some(Told::Dropped)
    );
}
