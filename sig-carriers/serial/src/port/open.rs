//! Opening a port, and what to do when that fails.

use std::io;
use std::path::Path;

use tokio_serial::SerialPortBuilderExt as _;

use super::line::SerialLine;
use super::options::{DataBits, Flow, Options, Parity, StopBits};

/// Opens a device for this program alone.
pub(super) fn open(device: &Path, options: &Options) -> io::Result<SerialLine> {
    let builder = tokio_serial::new(device.to_string_lossy(), options.baud)
        .data_bits(match options.data {
            DataBits::Five => tokio_serial::DataBits::Five,
            DataBits::Six => tokio_serial::DataBits::Six,
            DataBits::Seven => tokio_serial::DataBits::Seven,
            DataBits::Eight => tokio_serial::DataBits::Eight,
        })
        .parity(match options.parity {
            Parity::None => tokio_serial::Parity::None,
            Parity::Even => tokio_serial::Parity::Even,
            Parity::Odd => tokio_serial::Parity::Odd,
        })
        .stop_bits(match options.stop {
            StopBits::One => tokio_serial::StopBits::One,
            StopBits::Two => tokio_serial::StopBits::Two,
        })
        .flow_control(match options.flow {
            Flow::None => tokio_serial::FlowControl::None,
            Flow::Hardware => tokio_serial::FlowControl::Hardware,
            Flow::Software => tokio_serial::FlowControl::Software,
        });
    let stream = builder.open_native_async()?;
    Ok(SerialLine::new(stream, options.byte_time()))
}
