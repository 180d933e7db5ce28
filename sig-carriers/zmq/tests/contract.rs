//! The carrier keeps the contract, over each of ZeroMQ's transports and with every library of this build.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use sig_carrier_zmq::{Dialer, Library, Listener, Options};
use sig_conformance::{Fixture, Traits, carrier_suite};
use sig_core::Carrier;

/// A transport, and the libraries of the two ends.
struct Zmq {
    transport: Transport,
    listening: Library,
    dialling: Library,
}

enum Transport {
    Tcp,
    Ipc(tempfile::TempDir),
    Inproc,
}

fn tcp() -> Transport {
    Transport::Tcp
}

fn ipc() -> Transport {
    Transport::Ipc(tempfile::tempdir().expect("a scratch directory"))
}

fn inproc() -> Transport {
    Transport::Inproc
}

fn between(transport: Transport, listening: Library, dialling: Library) -> Zmq {
    Zmq {
        transport,
        listening,
        dialling,
    }
}

fn with(library: Library) -> Options {
    Options::for_carriers().library(library)
}

impl Fixture for Zmq {
    type Address = String;

    fn listener(&self) -> (Arc<dyn Carrier>, String) {
        // A place of its own for each: the socket of one that was dropped closes in the background.
        static LAST: AtomicU64 = AtomicU64::new(0);
        let number = LAST.fetch_add(1, Ordering::Relaxed);
        let endpoint = match &self.transport {
            Transport::Tcp => "tcp://127.0.0.1:*".to_owned(),
            Transport::Ipc(folder) => format!("ipc://{}", folder.path().join(format!("router-{number}")).display()),
            Transport::Inproc => format!("inproc://contract-{number}"),
        };
        let listener = Listener::bind_with(&endpoint, with(self.listening)).expect("an endpoint that is free");
        let endpoint = listener.endpoint().to_owned();
        (Arc::new(listener), endpoint)
    }

    fn dialler(&self, endpoint: &String) -> Arc<dyn Carrier> {
        Arc::new(Dialer::with_options(endpoint, with(self.dialling)).expect("a valid endpoint"))
    }

    /// The long cases are as long as they are once, over TCP: what is above the transport is the same.
    fn traits(&self) -> Traits {
        match (&self.transport, self.listening) {
            (Transport::Tcp, Library::Omq) => Traits::default(),
            _ => Traits::default().with_volume(20_000, 8 << 20),
        }
    }
}

/// One module for each transport, with these libraries at the two ends.
macro_rules! over {
    ($listening:ident, $dialling:ident: $($transport:ident),+) => {
        $(
            mod $transport {
                use super::super::*;

                carrier_suite!(between(super::super::$transport(), Library::$listening, Library::$dialling));
            }
        )+
    };
}

mod omq {
    #[cfg(unix)]
    over!(Omq, Omq: tcp, ipc, inproc);
    #[cfg(not(unix))]
    over!(Omq, Omq: tcp, inproc);
}

#[cfg(all(unix, feature = "libzmq"))]
mod libzmq {
    over!(Libzmq, Libzmq: tcp, ipc, inproc);

    mod to_omq {
        use super::super::*;

        carrier_suite!(between(tcp(), Library::Omq, Library::Libzmq));
    }

    mod from_omq {
        use super::super::*;

        carrier_suite!(between(tcp(), Library::Libzmq, Library::Omq));
    }
}
