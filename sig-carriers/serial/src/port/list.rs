//! Which ports there are, without opening any: opening would reset boards.

use std::collections::HashMap;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use tokio_serial::SerialPortType;

use super::place::UsbMatch;
use crate::SCHEME;

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

    /// A sign that is another one whenever a port came or went, if there is one that is cheaper than the list itself.
    fn stamp(&self) -> Option<SystemTime> {
        None
    }
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

    /// An address that means this one of `all` ports and, where the system keeps a name for it, stays the same when it is
    /// plugged in again.
    #[must_use]
    pub fn address(&self, all: &[Self]) -> String {
        let usb = self.usb.as_ref().map(|usb| UsbMatch {
            vid: Some(usb.vid),
            pid: Some(usb.pid),
            sn: usb.sn.clone(),
        });
        // A serial number with such a character in it cannot stand in an address.
        let sayable = |wanted: &UsbMatch| wanted.sn.as_ref().is_some_and(|sn| !sn.contains(['&', '?', '=']));
        let alone = |wanted: &UsbMatch| all.iter().filter(|port| port.matches(wanted)).count() == 1;
        let named = |kind: &str, name: &Option<String>| name.as_ref().map(|name| format!("{SCHEME}:{kind}/{name}"));
        // Boards of one kind without a number of their own may have to share the first name, but not the second.
        let unique = |port: &Self| all.iter().filter(|other| other.by_id == port.by_id).count() == 1;
        usb.filter(|wanted| sayable(wanted) && alone(wanted))
            .map(|wanted| format!("{SCHEME}:{wanted}"))
            .or_else(|| named("by-id", &self.by_id).filter(|_| unique(self)))
            .or_else(|| named("by-path", &self.by_path))
            .unwrap_or_else(|| {
                let device = self.device.display();
                // Windows ports are names, not paths.
                let slashes = if self.device.has_root() { "//" } else { "" };
                format!("{SCHEME}:{slashes}{device}")
            })
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
        // The library ends the program where this is missing, in a container perhaps.
        if cfg!(target_os = "linux") && !Path::new("/sys/class/tty").is_dir() {
            return Err(io::Error::new(
                io::ErrorKind::NotFound,
                "there is no /sys/class/tty here: is /sys mounted?",
            ));
        }
        let (ids, paths) = (links("/dev/serial/by-id"), links("/dev/serial/by-path"));
        let mut ports = tokio_serial::available_ports()?;
        // macOS has each port twice: this one waits for a modem to pick up.
        ports.retain(|port| !cfg!(target_os = "macos") || !port.port_name.starts_with("/dev/tty."));
        let ports = ports.into_iter().map(|port| {
            let device = PathBuf::from(port.port_name);
            let usb = match port.port_type {
                SerialPortType::UsbPort(usb) => Some(UsbInfo {
                    vid: usb.vid,
                    pid: usb.pid,
                    sn: usb.serial_number.filter(|sn| !sn.is_empty()),
                    manufacturer: usb.manufacturer.filter(|name| !name.is_empty()),
                    product: usb.product.filter(|name| !name.is_empty()),
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
        let mut ports: Vec<_> = ports.collect();
        ports.sort_by(|one, other| one.device.cmp(&other.device));
        Ok(ports)
    }

    fn stamp(&self) -> Option<SystemTime> {
        let devices = cfg!(target_os = "linux").then(|| fs::metadata("/dev"))?;
        devices.and_then(|devices| devices.modified()).ok()
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

#[cfg(test)]
mod tests {
    use super::*;

    fn board(device: &str, sn: &str, id: &str) -> PortInfo {
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        PortInfo {
            device: device.into(),
            by_id: some(id),
            by_path: some(&format!("path-of-{}", &device[5..])),
            usb: Some(UsbInfo {
                vid: 0x1a86,
                pid: 0x7523,
                sn: some(sn),
                ..UsbInfo::default()
            }),
        }
    }

    #[test]
    fn the_address_that_is_shown_means_one_board() {
        let plain = PortInfo {
            device: "/dev/ttyS0".into(),
            ..PortInfo::default()
        };
        let com = PortInfo {
            device: "COM12".into(),
            ..PortInfo::default()
        };
        let ports = [
            board("/dev/ttyUSB0", "55", "usb-55"),
            board("/dev/ttyUSB1", "0001", "usb-cheap"),
            board("/dev/ttyUSB2", "0001", "usb-cheap"),
            board("/dev/ttyUSB3", "", "usb-silent"),
            board("/dev/ttyUSB4", "a&b", "usb-odd"),
            plain,
            com,
        ];
        let addresses: Vec<_> = ports.iter().map(|port| port.address(&ports)).collect();
        assert_eq!(
            addresses,
            [
                "serial:usb?vid=1a86&pid=7523&sn=55",
                "serial:by-path/path-of-ttyUSB1",
                "serial:by-path/path-of-ttyUSB2",
                "serial:by-id/usb-silent",
                "serial:by-id/usb-odd",
                "serial:///dev/ttyS0",
                "serial:COM12",
            ]
        );
    }

    #[test]
    fn a_board_matches_what_it_says_of_itself() {
        let board = board("/dev/ttyUSB0", "55", "");
        let wanted = |vid, pid, sn: Option<&str>| UsbMatch {
            vid,
            pid,
            sn: sn.map(str::to_owned),
        };
        for (wanted, matches) in [
            (wanted(None, None, None), true),
            (wanted(Some(0x1a86), None, None), true),
            (wanted(Some(0x1a86), Some(0x7523), Some("55")), true),
            (wanted(Some(0x1a87), None, None), false),
            (wanted(None, Some(1), Some("55")), false),
            (wanted(None, None, Some("5")), false),
        ] {
            assert_eq!(board.matches(&wanted), matches, "{wanted}");
        }
        assert!(
            !PortInfo::default().matches(&wanted(None, None, None)),
            "it is on no USB"
        );
    }

    #[test]
    fn the_ports_of_this_machine_are_listed_without_a_panic() {
        match System.ports() {
            Ok(ports) => assert!(ports.is_sorted_by(|one, other| one.device < other.device)),
            Err(error) => assert!(error.to_string().contains("/sys"), "{error}"),
        }
    }
}
