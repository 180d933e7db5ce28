//! Opening a port for this program alone.

use std::io;
use std::path::Path;

use tokio_serial::{Error, ErrorKind, SerialPortBuilderExt as _};

use super::holder::{self, Holder};
use super::line::SerialLine;
use super::options::{DataBits, Flow, Options, Parity, ResetOnOpen, StopBits};
use super::{driver, trouble};

/// Why a port could not be opened.
#[derive(Debug)]
pub(super) struct Refused {
    /// What is wrong and what to do, in words.
    pub(super) why: String,
    /// Whether it may pass by itself right after a board was plugged in: the system makes the device first, and says who may
    /// use it a moment later.
    pub(super) may_pass: bool,
    /// Who has the device.
    pub(super) holder: Option<Holder>,
    /// Whether somebody has it.
    pub(super) busy: bool,
}

impl Refused {
    /// It cannot be opened, for a reason that is no known one.
    pub(super) fn failed(why: String) -> Self {
        Self {
            why,
            may_pass: false,
            holder: None,
            busy: false,
        }
    }

    fn busy(device: &Path, holder: Option<Holder>) -> Self {
        Self {
            busy: true,
            why: trouble::busy(device, holder.as_ref()),
            holder,
            may_pass: false,
        }
    }
}

/// Opens a device. Blocks for a few milliseconds; needs a runtime all the same.
pub(super) fn open(device: &Path, options: &Options) -> Result<SerialLine, Refused> {
    // Looked for first: opening would already touch the wires of a board that somebody is talking to.
    if let Some(holder) = holder::find(device) {
        return Err(Refused::busy(device, Some(holder)));
    }
    // Until the port is open for good.
    let _kept = if options.rs485 || options.reset_on_open == ResetOnOpen::No {
        driver::prepare(device, options)
    } else {
        None
    };
    let builder = tokio_serial::new(device.to_string_lossy(), options.baud)
        .data_bits(options.data.into())
        .parity(options.parity.into())
        .stop_bits(options.stop.into())
        .flow_control(options.flow.into());
    let stream = builder
        .open_native_async()
        .map_err(|error| refused(device, options, &error))?;
    if options.low_latency {
        driver::hurry(device);
    }
    Ok(SerialLine::new(stream, options.byte_time()))
}

fn refused(device: &Path, options: &Options, error: &Error) -> Refused {
    match error.kind {
        // On Windows a device that is gone is told in the same way.
        ErrorKind::NoDevice if cfg!(unix) => Refused::busy(device, holder::find(device)),
        ErrorKind::Io(io::ErrorKind::PermissionDenied) => Refused {
            may_pass: true,
            ..Refused::failed(trouble::denied(device))
        },
        _ => Refused::failed(trouble::other(device, options, &error.description)),
    }
}

impl From<DataBits> for tokio_serial::DataBits {
    fn from(data: DataBits) -> Self {
        match data {
            DataBits::Five => Self::Five,
            DataBits::Six => Self::Six,
            DataBits::Seven => Self::Seven,
            DataBits::Eight => Self::Eight,
        }
    }
}

impl From<Parity> for tokio_serial::Parity {
    fn from(parity: Parity) -> Self {
        match parity {
            Parity::None => Self::None,
            Parity::Even => Self::Even,
            Parity::Odd => Self::Odd,
        }
    }
}

impl From<StopBits> for tokio_serial::StopBits {
    fn from(stop: StopBits) -> Self {
        match stop {
            StopBits::One => Self::One,
            StopBits::Two => Self::Two,
        }
    }
}

impl From<Flow> for tokio_serial::FlowControl {
    fn from(flow: Flow) -> Self {
        match flow {
            Flow::None => Self::None,
            Flow::Hardware => Self::Hardware,
            Flow::Software => Self::Software,
        }
    }
}
