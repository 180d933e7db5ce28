//! The local-socket carrier keeps the contract.

#![cfg(unix)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use sig_carrier_ipc::{dial, listen};
use sig_conformance::{Fixture, Raw, carrier_suite};
use sig_core::Carrier;
use tempfile::TempDir;
use tokio::net::UnixStream;

/// Sockets in a scratch directory.
struct Scratch {
    directory: TempDir,
    sockets: AtomicUsize,
}

impl Scratch {
    fn new() -> Self {
        Self {
            directory: TempDir::new().expect("a scratch directory"),
            sockets: AtomicUsize::new(0),
        }
    }
}

impl Fixture for Scratch {
    type Address = String;

    fn listener(&self) -> (Arc<dyn Carrier>, String) {
        let number = self.sockets.fetch_add(1, Ordering::Relaxed);
        let path = self.directory.path().join(format!("{number}.sock"));
        let path = path.to_str().expect("a path of text").to_owned();
        (Arc::new(listen(&path).expect("nobody listens there")), path)
    }

    fn dialler(&self, path: &String) -> Arc<dyn Carrier> {
        Arc::new(dial(path).expect("a valid path"))
    }

    async fn raw(&self, path: &String) -> Option<Raw> {
        Some(Raw::sig1(UnixStream::connect(path).await.expect("the listener runs")))
    }
}

carrier_suite!(Scratch::new());
