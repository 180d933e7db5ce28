//! Boards to plug in.

use std::collections::VecDeque;
use std::fs;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::BytesMut;
use rustix::fs::OFlags;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use serde_json::Value;
use sig_carrier_serial::framing::{Dialect, Item, Reader, Settings, Writer};
use sig_carrier_serial::{Check, Listener, Options, Place, Port};
use sig_router::{CarrierHandle, ServerRouter};

/// Lines without check sums.
pub(crate) const LINES: Dialect = Dialect::Lines(Check::None);

/// A place where a board is plugged in, again and again.
pub(crate) struct Socket {
    directory: tempfile::TempDir,
}

impl Socket {
    pub(crate) fn new() -> Self {
        Self {
            directory: tempfile::tempdir().expect("a place for files"),
        }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.directory.path().join("board")
    }

    /// Lets the router have it.
    pub(crate) fn attach(&self, router: &ServerRouter, options: Options) -> CarrierHandle {
        let port = Port::new(Place::Device(self.path()), options).expect("the options are in range");
        router.attach(Arc::new(Listener::new(port)))
    }

    /// A board is plugged in here.
    pub(crate) fn plug(&self, dialect: Dialect) -> Board {
        Board::at(&self.path(), dialect)
    }
}

/// A board at the other end of a pseudo-terminal. Dropped, it is pulled out.
pub(crate) struct Board {
    master: OwnedFd,
    dialect: Dialect,
    heard: Mutex<(Reader, VecDeque<String>)>,
}

impl Board {
    fn at(link: &Path, dialect: Dialect) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).expect("a pseudo-terminal");
        grantpt(&master).expect("it is ours");
        unlockpt(&master).expect("it is ours");
        let flags = rustix::fs::fcntl_getfl(&master).expect("it is open");
        rustix::fs::fcntl_setfl(&master, flags | OFlags::NONBLOCK).expect("it is open");
        let device = ptsname(&master, Vec::new()).expect("it has a name");
        let new = link.with_extension("new");
        std::os::unix::fs::symlink(device.to_str().expect("it is ASCII"), &new).expect("a link can be made");
        fs::rename(new, link).expect("a link can be put in its place");
        Self {
            master,
            dialect,
            heard: Mutex::new((Reader::new(Settings::default()), VecDeque::new())),
        }
    }

    /// Prints exactly this.
    pub(crate) fn print(&self, bytes: impl AsRef<[u8]>) {
        let mut rest = bytes.as_ref();
        while !rest.is_empty() {
            match rustix::io::write(&self.master, rest) {
                Ok(written) => rest = &rest[written..],
                Err(error) => panic!("the line takes no more: {error}"),
            }
        }
    }

    /// Says a document.
    pub(crate) fn say(&self, document: &str) {
        let mut bytes = BytesMut::new();
        Writer::new(self.dialect).document(document.as_bytes(), &mut bytes);
        self.print(bytes);
    }

    /// The next document from the host, whatever it is.
    async fn hear(&self) -> Value {
        loop {
            if let Some(text) = self.heard() {
                return serde_json::from_str(&text).expect("the host writes JSON");
            }
            // Nothing came yet, or nobody has opened it.
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// The next document from the host that is there already.
    fn heard(&self) -> Option<String> {
        let mut heard = self.heard.lock().expect("nothing panics with it");
        let (reader, documents) = &mut *heard;
        let mut bytes = [0; 4096];
        if let Ok(read) = rustix::io::read(&self.master, &mut bytes) {
            reader.push(&bytes[..read]);
        }
        while let Some(item) = reader.next_item() {
            if let Item::Document { text, .. } = item {
                documents.push_back(String::from_utf8(text.to_vec()).expect("documents are text"));
            }
        }
        documents.pop_front()
    }

    /// Waits until the host says that it is there.
    pub(crate) async fn is_greeted(&self) {
        let hello = self.hear().await;
        assert_eq!(hello, serde_json::json!({"hello": "sig"}));
    }

    /// The next request.
    pub(crate) async fn asked(&self) -> Value {
        loop {
            let document = self.hear().await;
            if document.get("hello").is_none() {
                return document;
            }
        }
    }
}
