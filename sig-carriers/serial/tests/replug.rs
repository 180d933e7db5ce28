//! A board that is plugged in and pulled out a hundred times, in a process of its own: what it costs is counted for the whole
//! process.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    reason = "a broken assumption of a test is a panic with a line number"
)]

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::time::{ClockId, clock_gettime};
use sig_carrier_serial::{Opened, Options, Place, Port, UsbMatch};
use sig_core::{CarrierError, ClientId, Disconnect, Inbound, LinkReport, LinkState, PeerInfo, Receiver, Tasks, Uplink};
use tokio::io::AsyncReadExt as _;
use tokio::runtime::Builder;
use tokio::time::{Instant, sleep};

/// A router that remembers what it is told of links.
#[derive(Debug, Default)]
struct Told(Mutex<Vec<LinkState>>);

impl Told {
    fn count(&self, state: LinkState) -> usize {
        self.0.lock().unwrap().iter().filter(|told| **told == state).count()
    }
}

impl Inbound for Told {
    fn admit(&self, _: ClientId, _: PeerInfo) -> Result<Arc<dyn Receiver>, CarrierError> {
        Err(CarrierError::Closed)
    }

    fn all_disconnected(&self, _: Disconnect) {}

    fn link(&self, report: LinkReport) {
        self.0.lock().unwrap().push(report.state);
    }
}

/// Plugs a board in; dropping it pulls it out.
fn plug_in(at: &Path) -> File {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let device = ptsname(&master, Vec::new()).unwrap();
    let new = at.with_extension("new");
    symlink(device.to_str().unwrap(), &new).unwrap();
    fs::rename(new, at).unwrap();
    master.into()
}

fn open_files() -> usize {
    fs::read_dir("/proc/self/fd").unwrap().count()
}

fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.try_into().unwrap(), time.tv_nsec.try_into().unwrap())
}

/// Waits for a while, and says how much of it was spent on a processor.
async fn share() -> f64 {
    const WHILE: Duration = Duration::from_secs(1);
    let before = processor_time();
    sleep(WHILE).await;
    (processor_time() - before).as_secs_f64() / WHILE.as_secs_f64()
}

async fn end(opened: Opened) {
    let Opened { mut line, life, .. } = opened;
    assert_eq!(line.read(&mut [0; 16]).await.unwrap(), 0);
    life.lost("pulled out");
}

#[test]
fn a_hundred_times_out_and_in_costs_nothing_that_stays() {
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path().join("ttyTEST");
    let told = Arc::new(Told::default());
    let mut port = Port::new(Place::Device(place.clone()), Options::new()).unwrap();

    // How long it takes is measured by the paused clock: it counts what is waited for.
    let paused = Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap();
    paused.block_on(async {
        let uplink = Uplink::new(Arc::clone(&told) as _, Tasks::new().unwrap());
        let mut board = plug_in(&place);
        let mut opened = port.next(&uplink).await;
        let files = open_files();
        for _ in 0..100 {
            drop(board);
            end(opened).await;
            board = plug_in(&place);
            let back = Instant::now();
            opened = port.next(&uplink).await;
            assert!(back.elapsed() < Duration::from_secs(1), "{:?}", back.elapsed());
        }
        assert_eq!(open_files(), files);
        drop(board);
        end(opened).await;
        assert_eq!(open_files(), files - 2, "the port and the board");
    });
    drop(paused);
    let counts = [LinkState::Absent, LinkState::Live, LinkState::Lost].map(|state| told.count(state));
    assert_eq!(counts, [0, 101, 101], "exactly one of each");

    let real = Builder::new_current_thread().enable_all().build().unwrap();
    real.block_on(async {
        let uplink = Uplink::new(Arc::clone(&told) as _, Tasks::new().unwrap());
        fs::remove_file(&place).unwrap();
        let mut port = Port::new(Place::Device(place.clone()), Options::new()).unwrap();
        let nowhere = UsbMatch {
            sn: Some("no such board".to_owned()),
            ..UsbMatch::default()
        };
        let mut usb = Port::new(Place::Usb(nowhere), Options::new()).unwrap();
        for absent in [&mut port, &mut usb] {
            let share = tokio::select! {
                opened = absent.next(&uplink) => panic!("{opened:?}"),
                share = share() => share,
            };
            assert!(share < 0.01, "{share} of a processor while it is not there");
        }
        let board = plug_in(&place);
        let mut opened = port.next(&uplink).await;
        let share = tokio::select! {
            read = opened.line.read_u8() => panic!("{read:?}"),
            share = share() => share,
        };
        assert!(share < 0.01, "{share} of a processor while nothing comes");
        drop(board);
    });
}
