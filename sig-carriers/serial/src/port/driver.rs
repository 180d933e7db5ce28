//! What only some drivers can: not to reset the board, RS-485, little latency. A driver that cannot is left as it is.

use std::path::Path;

use tracing::debug;

use super::options::Options;

/// Keeps the device open, so that what was set lasts until it is opened again.
#[cfg(unix)]
pub(super) type Kept = std::os::fd::OwnedFd;

/// Nothing needs to be kept.
#[cfg(not(unix))]
pub(super) type Kept = ();

/// Sets what must be set before the port is opened for good.
#[cfg(unix)]
pub(super) fn prepare(device: &Path, options: &Options) -> Option<Kept> {
    use rustix::fs::{Mode, OFlags};

    use super::options::ResetOnOpen;

    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let open = rustix::fs::open(device, flags, Mode::empty());
    let file = open
        .inspect_err(|error| debug!(device = %device.display(), %error, "cannot be prepared"))
        .ok()?;
    if options.reset_on_open == ResetOnOpen::No {
        if let Err(error) = keep_dtr(&file) {
            debug!(device = %device.display(), %error, "closing the port will reset the board");
        }
    }
    #[cfg(target_os = "linux")]
    if options.rs485 {
        if let Err(error) = rs485(device, options) {
            debug!(device = %device.display(), %error, "the driver has no RS-485; the transceiver must switch by itself");
        }
    }
    Some(file)
}

#[cfg(not(unix))]
pub(super) fn prepare(device: &Path, _: &Options) -> Option<Kept> {
    debug!(device = %device.display(), "reset_on_open=no and rs485 are left to the driver's settings here");
    None
}

/// Leaves DTR as it is when the port is closed.
#[cfg(unix)]
fn keep_dtr(file: &std::os::fd::OwnedFd) -> rustix::io::Result<()> {
    use rustix::termios::{ControlModes, OptionalActions, tcgetattr, tcsetattr};

    let mut settings = tcgetattr(file)?;
    settings.control_modes.remove(ControlModes::HUPCL);
    tcsetattr(file, OptionalActions::Now, &settings)
}

/// Lets the driver raise RTS while it sends.
#[cfg(target_os = "linux")]
fn rs485(device: &Path, options: &Options) -> std::io::Result<()> {
    let port = serial2::SerialPort::open(device, serial2::KeepSettings)?;
    let mut config = serial2::rs4xx::Rs485Config::new();
    config.set_full_duplex(!options.is_half_duplex());
    port.set_rs4xx_mode(config)
}

/// Asks an FTDI adapter to hand over bytes after 1 ms instead of 16. Only whoever may write that file can.
pub(super) fn hurry(device: &Path) {
    if !cfg!(target_os = "linux") {
        return;
    }
    let Ok(device) = std::fs::canonicalize(device) else {
        return;
    };
    let Some(name) = device.file_name() else { return };
    let timer = Path::new("/sys/bus/usb-serial/devices")
        .join(name)
        .join("latency_timer");
    let slow = |text: String| text.trim().parse::<u32>().is_ok_and(|millis| millis > 1);
    if std::fs::read_to_string(&timer).is_ok_and(slow) {
        if let Err(error) = std::fs::write(&timer, "1") {
            debug!(timer = %timer.display(), %error, "bytes come up to 16 ms late; a udev rule can set 1 here");
        }
    }
}
