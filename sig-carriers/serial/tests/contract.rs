//! The serial carrier keeps the contract, over two pseudo-terminals with a null modem between them.
#![cfg(unix)]

use std::fs::File;
use std::io::{ErrorKind, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};
use sig_carrier_serial::link::Dialer;
use sig_carrier_serial::{Codec, Listener, Options, Place, Port};
use sig_conformance::{Fixture, Traits, carrier_suite};
use sig_core::Carrier;

/// Two devices and a cable between the two.
struct NullModem {
    devices: [PathBuf; 2],
    unplugged: Arc<AtomicBool>,
}

impl NullModem {
    fn new() -> Self {
        let (first, second) = (terminal(), terminal());
        let unplugged = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&unplugged);
        let devices = [first.1, second.1];
        let (first, second) = (first.0, second.0);
        thread::spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                if !carry(&first, &second, &stop) && !carry(&second, &first, &stop) {
                    thread::sleep(Duration::from_millis(1));
                }
            }
        });
        Self { devices, unplugged }
    }
}

impl Drop for NullModem {
    fn drop(&mut self) {
        self.unplugged.store(true, Ordering::Relaxed);
    }
}

fn terminal() -> (File, PathBuf) {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).expect("a terminal");
    grantpt(&master).expect("it is ours");
    unlockpt(&master).expect("it is ours");
    let name = ptsname(&master, Vec::new()).expect("it has a name");
    let device = PathBuf::from(name.to_str().expect("a path"));
    // A wire echoes nothing, whoever opens its other end first.
    let opened = File::options()
        .read(true)
        .write(true)
        .open(&device)
        .expect("it is there");
    let mut line = tcgetattr(&opened).expect("it is a terminal");
    line.make_raw();
    tcsetattr(&opened, OptionalActions::Now, &line).expect("it is a terminal");
    let flags = fcntl_getfl(&master).expect("it has flags");
    fcntl_setfl(&master, flags | OFlags::NONBLOCK).expect("it may wait for nothing");
    (master.into(), device)
}

/// Carries what there is from one to the other; false if that is nothing. A terminal that nobody has open gives an error.
fn carry(mut from: &File, mut to: &File, stop: &AtomicBool) -> bool {
    let mut bytes = [0; 4096];
    let Ok(count @ 1..) = from.read(&mut bytes) else {
        return false;
    };
    let mut rest = &bytes[..count];
    while !rest.is_empty() && !stop.load(Ordering::Relaxed) {
        match to.write(rest) {
            Ok(count) => rest = &rest[count..],
            Err(error) if error.kind() == ErrorKind::WouldBlock => thread::sleep(Duration::from_micros(50)),
            Err(_) => return true,
        }
    }
    true
}

/// One cable, and its end that dials.
struct Line(Mutex<Vec<NullModem>>);

fn port(device: &Path) -> Port {
    let options = Options::new().baud(4_000_000).codec(Codec::Frames);
    Port::new(Place::Device(device.to_owned()), options).expect("valid options")
}

impl Fixture for Line {
    type Address = PathBuf;

    fn listener(&self) -> (Arc<dyn Carrier>, PathBuf) {
        let line = NullModem::new();
        let [near, far] = line.devices.clone();
        self.0.lock().expect("nobody panics with it").push(line);
        (Arc::new(Listener::new(port(&far))), near)
    }

    fn dialler(&self, address: &PathBuf) -> Arc<dyn Carrier> {
        Arc::new(Dialer::new(port(address)))
    }

    // Nothing on the wires tells of a program that is gone; heartbeats do.
    fn traits(&self) -> Traits {
        Traits::default()
            .with_peers(1)
            .with_volume(5_000, 1 << 20)
            // Two ports are opened for each link, which a busy machine takes its time for.
            .with_patience(Duration::from_secs(30))
            .without_notice_of_loss()
    }
}

mod frames {
    use super::*;

    carrier_suite!(Line(Mutex::new(Vec::new())));
}

/// What must hold for any bytes; fuzz/README.md has the long runs.
#[path = "../../../fuzz/checks/serial.rs"]
mod checks;

#[test]
fn promise_10_any_bytes_and_any_segments_are_taken() {
    let mut random = fastrand::Rng::with_seed(6);
    for _ in 0..3_000 {
        let size = random.usize(..600);
        let few = random.bool();
        let byte = |random: &mut fastrand::Rng| match random.u8(..8) {
            choice @ 0..4 if few => b"\0\n1{"[usize::from(choice)],
            _ => random.u8(..),
        };
        let data: Vec<u8> = (0..size).map(|_| byte(&mut random)).collect();
        checks::line(&data);
        checks::frame(&data);
        checks::link(&data);
    }
}
