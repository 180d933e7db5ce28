//! Which ports there are, without opening any: opening would reset boards.

use std::collections::HashMap;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use tokio_serial::SerialPortType;

use super::place::UsbMatch;

/// Tells which serial ports there are.
///
/// [`System`] asks the operating system; a test may have its own.
pub trait Enumerator: fmt::Debug + Send + Sync + 'static {
    /// The ports that are there now, in any order. Opens none of them.
    ///
    /// # Errors
    ///
    /// When the system does not tell.
    fn ports(&self) -> io::Result<Vec<PortInfo>>;
}

/// A port that is there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PortInfo {
    /// Its device: `/dev/ttyACM0`, `COM3`.
    pub device: PathBuf,
    /// The name that the system keeps for the board, whichever socket it is in: `serial:by-id/NAME`.
    pub by_id: Option<String>,
    /// The name that the system keeps for the socket, whichever board is in it: `serial:by-path/NAME`.
    pub by_path: Option<String>,
    /// What a USB board says of itself.
    pub usb: Option<UsbInfo>,
}

/// What a USB board says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UsbInfo {
    /// The vendor's number.
    pub vid: u16,
    /// The product's number.
    pub pid: u16,
    /// The serial number; not every board has one, and cheap ones share theirs.
    pub sn: Option<String>,
    /// Who made it.
    pub manufacturer: Option<String>,
    /// What it is.
    pub product: Option<String>,
}

impl PortInfo {
    /// What people call it: `Arduino Uno (2341:0043, serial number 5573)`; empty for a port that says nothing of itself.
    #[must_use]
    pub fn description(&self) -> String {
        let Some(usb) = &self.usb else { return String::new() };
        let words: Vec<_> = [&usb.manufacturer, &usb.product]
            .into_iter()
            .flatten()
            .map(String::as_str)
            .collect();
        let name = if words.is_empty() {
            "USB board".to_owned()
        } else {
            words.join(" ")
        };
        let sn = usb
            .sn
            .as_ref()
            .map(|sn| format!(", serial number {sn}"))
            .unwrap_or_default();
        format!("{name} ({:04x}:{:04x}{sn})", usb.vid, usb.pid)
    }

    /// Whether it is a board that is looked for.
    #[must_use]
    pub fn matches(&self, wanted: &UsbMatch) -> bool {
        self.usb.as_ref().is_some_and(|usb| {
            wanted.vid.is_none_or(|vid| vid == usb.vid)
                && wanted.pid.is_none_or(|pid| pid == usb.pid)
                && wanted.sn.is_none() | (wanted.sn == usb.sn)
        })
    }
}

/// Asks the operating system.
#[derive(Debug, Clone, Copy, Default)]
pub struct System;

impl Enumerator for System {
    fn ports(&self) -> io::Result<Vec<PortInfo>> {
        let (ids, paths) = (links("/dev/serial/by-id"), links("/dev/serial/by-path"));
        let ports = tokio_serial::available_ports()?.into_iter().map(|port| {
            let device = PathBuf::from(port.port_name);
            let usb = match port.port_type {
                SerialPortType::UsbPort(usb) => Some(UsbInfo {
                    vid: usb.vid,
                    pid: usb.pid,
                    sn: usb.serial_number.filter(|sn| !sn.is_empty()),
                    manufacturer: usb.manufacturer,
                    product: usb.product,
                }),
                _ => None,
            };
            PortInfo {
                by_id: ids.get(&device).cloned(),
                by_path: paths.get(&device).cloned(),
                device,
                usb,
            }
        });
        Ok(ports.collect())
    }
}

/// The names in a directory of links, by what they lead to. Empty where there is no such directory.
fn links(directory: impl AsRef<Path>) -> HashMap<PathBuf, String> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let links = entries.filter_map(|entry| {
        let name = entry.file_name().into_string().ok()?;
        Some((fs::canonicalize(entry.path()).ok()?, name))
    });
    links.collect()
}
