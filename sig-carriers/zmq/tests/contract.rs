//! The carrier keeps the contract, over each of ZeroMQ's transports.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use sig_carrier_zmq::{dial, listen};
use sig_conformance::{Fixture, Traits, carrier_suite};
use sig_core::Carrier;

fn pair_at(endpoint: &str) -> (Arc<dyn Carrier>, String) {
    let listener = listen(endpoint).expect("an endpoint that is free");
    let endpoint = listener.endpoint().to_owned();
    (Arc::new(listener), endpoint)
}

/// The long cases are as long as they are over TCP alone: what is above the transport is the same.
fn less() -> Traits {
    Traits::default().with_volume(20_000, 8 << 20)
}

struct Tcp;

impl Fixture for Tcp {
    type Address = String;

    fn listener(&self) -> (Arc<dyn Carrier>, String) {
        pair_at("tcp://127.0.0.1:*")
    }

    fn dialler(&self, endpoint: &String) -> Arc<dyn Carrier> {
        Arc::new(dial(endpoint).expect("a valid endpoint"))
    }
}

mod tcp {
    use super::*;

    carrier_suite!(Tcp);
}

struct Ipc(tempfile::TempDir);

impl Ipc {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a scratch directory"))
    }
}

impl Fixture for Ipc {
    type Address = String;

    fn listener(&self) -> (Arc<dyn Carrier>, String) {
        // A place of its own for each: the socket of one that was dropped closes in the background.
        static LAST: AtomicU64 = AtomicU64::new(0);
        let name = format!("router-{}", LAST.fetch_add(1, Ordering::Relaxed));
        pair_at(&format!("ipc://{}", self.0.path().join(name).display()))
    }

    fn dialler(&self, endpoint: &String) -> Arc<dyn Carrier> {
        Arc::new(dial(endpoint).expect("a valid endpoint"))
    }

    fn traits(&self) -> Traits {
        less()
    }
}

#[cfg(unix)]
mod ipc {
    use super::*;

    carrier_suite!(Ipc::new());
}

struct Inproc;

impl Fixture for Inproc {
    type Address = String;

    fn listener(&self) -> (Arc<dyn Carrier>, String) {
        static LAST: AtomicU64 = AtomicU64::new(0);
        pair_at(&format!("inproc://contract-{}", LAST.fetch_add(1, Ordering::Relaxed)))
    }

    fn dialler(&self, endpoint: &String) -> Arc<dyn Carrier> {
        Arc::new(dial(endpoint).expect("a valid endpoint"))
    }

    fn traits(&self) -> Traits {
        less()
    }
}

mod inproc {
    use super::*;

    carrier_suite!(Inproc);
}
