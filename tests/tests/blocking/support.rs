//! The media to test on, and threads that must come to an end.

use std::sync::Arc;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use sig_core::Carrier;
use sig_router::blocking::{ClientRouter, ServerRouter};
use sig_tests::rig::{WAIT, impatient};

/// A server, and how to dial it.
pub(crate) struct Place {
    pub(crate) medium: &'static str,
    pub(crate) server: ServerRouter,
    dial: Box<dyn Fn() -> Arc<dyn Carrier> + Send>,
    /// Where the local socket is.
    _folder: Option<tempfile::TempDir>,
}

impl Place {
    pub(crate) fn tcp() -> Self {
        let server = ServerRouter::new().unwrap();
        let listener = sig_carrier_tcp::listen("127.0.0.1:0").unwrap();
        let address = listener.medium().local_addr().to_string();
        server.attach(Arc::new(listener));
        Self {
            medium: "tcp",
            server,
            dial: Box::new(move || Arc::new(sig_carrier_tcp::dial(&address).unwrap())),
            _folder: None,
        }
    }

    pub(crate) fn local() -> Self {
        let server = ServerRouter::new().unwrap();
        let hub = Arc::new(sig_carrier_local::Local::new());
        server.attach(hub.clone());
        Self {
            medium: "local",
            server,
            dial: Box::new(move || Arc::new(hub.dialer())),
            _folder: None,
        }
    }

    #[cfg(unix)]
    fn ipc() -> Self {
        let server = ServerRouter::new().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("socket").to_str().unwrap().to_owned();
        server.attach(Arc::new(sig_carrier_ipc::listen(&socket).unwrap()));
        Self {
            medium: "ipc",
            server,
            dial: Box::new(move || Arc::new(sig_carrier_ipc::dial(&socket).unwrap())),
            _folder: Some(folder),
        }
    }

    /// One server for each medium of this platform.
    pub(crate) fn all() -> Vec<Self> {
        vec![
            Self::tcp(),
            #[cfg(unix)]
            Self::ipc(),
            Self::local(),
        ]
    }

    pub(crate) fn client(&self) -> ClientRouter {
        ClientRouter::builder()
            .reconnect(impatient())
            .connect_blocking((self.dial)())
            .unwrap()
    }
}

/// A client of a server that is not there.
pub(crate) fn lonely() -> ClientRouter {
    ClientRouter::connect(Arc::new(sig_carrier_local::Local::new().dialer())).unwrap()
}

/// Something that a thread of its own does.
pub(crate) struct Doing<T> {
    what: &'static str,
    result: mpsc::Receiver<thread::Result<T>>,
}

impl<T: Send + 'static> Doing<T> {
    pub(crate) fn start(what: &'static str, work: impl FnOnce() -> T + Send + 'static) -> Self {
        let (tell, result) = mpsc::sync_channel(1);
        thread::spawn(move || {
            let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
            let _ = tell.send(done);
        });
        Self { what, result }
    }

    /// What came of it, which must be soon.
    #[track_caller]
    pub(crate) fn end(self) -> T {
        match self.result.recv_timeout(WAIT) {
            Ok(Ok(done)) => done,
            Ok(Err(panic)) => std::panic::resume_unwind(panic),
            Err(_) => panic!("{}: not within {WAIT:?}", self.what),
        }
    }

    /// Whether it goes on, for so long at least.
    pub(crate) fn goes_on(&self, how_long: Duration) -> bool {
        matches!(self.result.recv_timeout(how_long), Err(mpsc::RecvTimeoutError::Timeout))
    }
}

/// Does something in a thread of its own, so that a test of waiting ends although it waits for ever.
#[track_caller]
pub(crate) fn soon<T: Send + 'static>(what: &'static str, work: impl FnOnce() -> T + Send + 'static) -> T {
    Doing::start(what, work).end()
}
