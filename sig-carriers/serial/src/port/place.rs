//! Where a port is: a path, a name that the system keeps, or a board's USB numbers.

use std::fmt;
use std::path::PathBuf;

use sig_core::{CarrierError, CarrierUrl};

use crate::SCHEME;

/// What an address has to look like.
const FORMS: &str = "write serial:///dev/ttyACM0, serial:usb?vid=2341&pid=0043&sn=.., serial:by-id/NAME, \
                     serial:by-path/NAME or serial:COM3 (sig ports lists what is there)";

/// Where a serial port is found.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Place {
    /// A device file; a Windows port is `\\.\COM12`.
    Device(PathBuf),
    /// Whatever USB board matches.
    Usb(UsbMatch),
}

/// What a USB board has to match; what is `None` may be anything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UsbMatch {
    /// The vendor's number.
    pub vid: Option<u16>,
    /// The product's number.
    pub pid: Option<u16>,
    /// The serial number.
    pub sn: Option<String>,
}

impl Place {
    /// Reads the address of a URL, and those of its options that say where the port is.
    ///
    /// # Errors
    ///
    /// [`CarrierError::Address`] with the forms that an address can have, or the range of a number.
    pub fn from_url(url: &CarrierUrl) -> Result<Self, CarrierError> {
        let address = url.address();
        if address == "usb" {
            return UsbMatch::from_url(url).map(Self::Usb);
        }
        if let Some(option) = ["vid", "pid", "sn"].iter().find(|name| url.option(name).is_some()) {
            return Err(url.error(format!(
                "{option} says which USB board is meant: write serial:usb?{option}=.."
            )));
        }
        let named = |kind: &str, name: &str| {
            // A name is one file there, not a path to somewhere else.
            let is_name = !name.is_empty() && !name.contains('/') && name != "..";
            is_name.then(|| Self::Device(PathBuf::from("/dev/serial").join(kind).join(name)))
        };
        let place = match address.split_once('/') {
            Some(("by-id", name)) => named("by-id", name),
            Some(("by-path", name)) => named("by-path", name),
            Some(("", rest)) if !rest.is_empty() => Some(Self::Device(PathBuf::from(address))),
            _ => com(address).map(Self::Device),
        };
        place.ok_or_else(|| url.error(FORMS))
    }
}

impl Place {
    /// The place as an address without options.
    #[must_use]
    pub fn address(&self) -> String {
        match self {
            Self::Device(device) => match device.to_str().and_then(short) {
                Some(name) => format!("{SCHEME}:{name}"),
                None => format!("{SCHEME}://{}", device.display()),
            },
            Self::Usb(wanted) => format!("{SCHEME}:{wanted}"),
        }
    }
}

/// The name that an address has for such a device.
fn short(device: &str) -> Option<&str> {
    let named = |name: &&str| name.starts_with("by-id/") || name.starts_with("by-path/");
    device
        .strip_prefix(r"\\.\")
        .or_else(|| device.strip_prefix("/dev/serial/").filter(named))
}

/// The device of `COM1` to `COM256`: only with the prefix Windows finds those from `COM10` on.
fn com(address: &str) -> Option<PathBuf> {
    let digits = address
        .get(..3)
        .filter(|com| com.eq_ignore_ascii_case("com"))
        .and_then(|_| address.get(3..))?;
    let number = (digits.len() <= 3 && digits.bytes().all(|byte| byte.is_ascii_digit()))
        .then(|| digits.parse::<u16>().ok())
        .flatten()?;
    (1..=256)
        .contains(&number)
        .then(|| PathBuf::from(format!(r"\\.\COM{number}")))
}

impl UsbMatch {
    fn from_url(url: &CarrierUrl) -> Result<Self, CarrierError> {
        let hex = |name: &str| {
            let Some(text) = url.option(name) else { return Ok(None) };
            let digits = text.strip_prefix("0x").unwrap_or(text);
            let is_hex = (1..=4).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
            match u16::from_str_radix(digits, 16) {
                Ok(number) if is_hex => Ok(Some(number)),
                _ => Err(url.error(format!(
                    "{name} is a hexadecimal number from 0000 to ffff, such as {name}=2341 (sig ports shows them)"
                ))),
            }
        };
        let sn = url.option("sn");
        if sn == Some("") {
            return Err(url.error("sn is empty; leave it out, or write the serial number that sig ports shows"));
        }
        Ok(Self {
            vid: hex("vid")?,
            pid: hex("pid")?,
            sn: sn.map(str::to_owned),
        })
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Device(path) => write!(f, "{}", path.display()),
            Self::Usb(wanted) => write!(f, "{wanted}"),
        }
    }
}

impl fmt::Display for UsbMatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("usb")?;
        let numbers = [("vid", self.vid), ("pid", self.pid)];
        let numbers = numbers.map(|(name, number)| number.map(|number| format!("{name}={number:04x}")));
        let sn = self.sn.as_ref().map(|sn| format!("sn={sn}"));
        for (index, part) in numbers.into_iter().chain([sn]).flatten().enumerate() {
            write!(f, "{}{part}", if index == 0 { '?' } else { '&' })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(url: &str) -> Result<Place, CarrierError> {
        Place::from_url(&url.parse()?)
    }

    #[test]
    fn every_form_of_address_is_read() {
        for (url, shown) in [
            ("serial:///dev/ttyACM0?baud=9600", "/dev/ttyACM0"),
            ("serial:/dev/ttyACM0", "/dev/ttyACM0"),
            (
                "serial:by-id/usb-Arduino_55-if00",
                "/dev/serial/by-id/usb-Arduino_55-if00",
            ),
            ("serial:by-path/pci-0:1:1.0", "/dev/serial/by-path/pci-0:1:1.0"),
            ("serial:COM3", r"\\.\COM3"),
            ("serial:com12", r"\\.\COM12"),
            ("serial://COM256", r"\\.\COM256"),
            ("serial:usb", "usb"),
            ("serial:usb?pid=43&vid=0x2341", "usb?vid=2341&pid=0043"),
            ("serial:usb?sn=A 1", "usb?sn=A 1"),
        ] {
            assert_eq!(place(url).unwrap().to_string(), shown, "{url}");
        }
    }

    #[test]
    fn a_place_is_the_same_as_its_address() {
        for url in [
            "serial:///dev/ttyACM0",
            "serial:COM12",
            "serial:usb?vid=2341&sn=5",
            "serial:usb",
            "serial:by-id/usb-x",
        ] {
            assert_eq!(place(url).unwrap().address(), url);
        }
    }

    #[test]
    fn what_is_no_address_is_told_what_to_write() {
        for (url, why) in [
            ("serial:ttyACM0", "write serial:///dev/ttyACM0"),
            ("serial:", "sig ports"),
            ("serial:///", "write serial:///dev/ttyACM0"),
            ("serial:by-id/", "serial:by-id/NAME"),
            ("serial:by-id/../../x", "serial:by-id/NAME"),
            ("serial:COM0", "serial:COM3"),
            ("serial:COM257", "serial:COM3"),
            ("serial:COM+1", "serial:COM3"),
            ("serial:usb?vid=23415", "vid is a hexadecimal number from 0000 to ffff"),
            ("serial:usb?pid=+1", "pid is a hexadecimal number"),
            ("serial:usb?sn=", "sn is empty"),
            ("serial:COM3?vid=2341", "write serial:usb?vid=.."),
        ] {
            let error = place(url).unwrap_err().to_string();
            assert!(error.contains(why), "{url}: {error}");
        }
    }
}
