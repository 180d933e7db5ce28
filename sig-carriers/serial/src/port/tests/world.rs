//! Boards to plug in and pull out, and a router that remembers what it is told.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use sig_core::{CarrierError, ClientId, Disconnect, Inbound, LinkReport, LinkState, PeerInfo, Receiver, Tasks, Uplink};
use tokio::sync::watch;

use crate::{Enumerator, Options, Place, Port, PortInfo, UsbInfo};

/// A board at the other end of a pseudo-terminal. Dropping it pulls it out.
#[derive(Debug)]
pub(super) struct Board {
    master: File,
    pub(super) device: PathBuf,
}

impl Board {
    pub(super) fn new() -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap();
        Self {
            master: master.into(),
            device: PathBuf::from(name.to_str().unwrap()),
        }
    }

    /// A board that is plugged in: there is a link to it.
    pub(super) fn plugged_in(at: &Path) -> Self {
        let board = Self::new();
        board.plug_in(at);
        board
    }

    pub(super) fn plug_in(&self, at: &Path) {
        let new = at.with_extension("new");
        std::os::unix::fs::symlink(&self.device, &new).unwrap();
        fs::rename(new, at).unwrap();
    }

    pub(super) fn send(&self, bytes: &[u8]) {
        (&self.master).write_all(bytes).unwrap();
    }

    /// Blocks until something arrived.
    pub(super) fn receive(&self) -> Vec<u8> {
        let mut bytes = vec![0; 4096];
        let length = (&self.master).read(&mut bytes).unwrap();
        bytes.truncate(length);
        bytes
    }
}

/// A place for a board, in a directory of its own.
pub(super) fn socket() -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path().join("board");
    (directory, place)
}

pub(super) fn port(device: &Path, options: Options) -> Port {
    let enumerator = Fake::default();
    Port::new(Place::Device(device.to_owned()), options)
        .unwrap()
        .with_enumerator(enumerator)
}

/// What a router was told.
#[derive(Debug)]
pub(super) struct Told {
    reports: watch::Sender<Vec<LinkReport>>,
    tasks: Tasks,
}

impl Told {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            reports: watch::channel(Vec::new()).0,
            tasks: Tasks::new().unwrap(),
        })
    }

    pub(super) fn uplink(self: &Arc<Self>) -> Uplink {
        Uplink::new(Arc::new(Heard(Arc::clone(self))), self.tasks.clone())
    }

    pub(super) fn stop(&self) {
        self.tasks.stop();
    }

    pub(super) fn all(&self) -> Vec<LinkReport> {
        self.reports.borrow().clone()
    }

    pub(super) fn states(&self) -> Vec<&'static str> {
        self.all().iter().map(|report| report.state.as_str()).collect()
    }

    pub(super) fn count(&self, state: LinkState) -> usize {
        self.states().iter().filter(|told| **told == state.as_str()).count()
    }

    /// Waits for a report.
    pub(super) async fn until(&self, wanted: impl Fn(&LinkReport) -> bool) -> LinkReport {
        let mut reports = self.reports.subscribe();
        let found = reports.wait_for(|reports| reports.iter().any(&wanted)).await.unwrap();
        found.iter().find(|report| wanted(report)).unwrap().clone()
    }
}

#[derive(Debug)]
struct Heard(Arc<Told>);

impl Inbound for Heard {
    fn admit(&self, _: ClientId, _: PeerInfo) -> Result<Arc<dyn Receiver>, CarrierError> {
        Err(CarrierError::Closed)
    }

    fn all_disconnected(&self, _: Disconnect) {}

    fn link(&self, report: LinkReport) {
        self.0.reports.send_modify(|reports| reports.push(report));
    }
}

/// Ports that are there because a test says so.
#[derive(Debug, Clone, Default)]
pub(super) struct Fake(Arc<Mutex<Vec<PortInfo>>>);

impl Fake {
    pub(super) fn set(&self, ports: impl IntoIterator<Item = PortInfo>) {
        *self.0.lock().unwrap() = ports.into_iter().collect();
    }
}

impl Enumerator for Fake {
    fn ports(&self) -> io::Result<Vec<PortInfo>> {
        Ok(self.0.lock().unwrap().clone())
    }
}

/// An Arduino with this serial number.
pub(super) fn uno(device: &Path, sn: &str) -> PortInfo {
    PortInfo {
        device: device.to_owned(),
        usb: Some(UsbInfo {
            vid: 0x2341,
            pid: 0x43,
            sn: Some(sn.to_owned()),
            manufacturer: Some("Arduino".to_owned()),
            product: Some("Uno".to_owned()),
        }),
        ..PortInfo::default()
    }
}
