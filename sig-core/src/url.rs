//! Carrier addresses as text: `scheme://address?option=value`.

use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

use crate::error::CarrierError;

/// A carrier's address as text: `scheme://address?option=value&..`, or `scheme:address?option=value&..` where the address
/// has a scheme of its own, as in `zmq:tcp://127.0.0.1:5555`, or is a name, as in `serial:COM12`.
///
/// ```
/// use sig_core::CarrierUrl;
///
/// let url: CarrierUrl = "tcp://127.0.0.1:3000?dialect=pysig".parse()?;
/// assert_eq!((url.scheme(), url.address()), ("tcp", "127.0.0.1:3000"));
/// assert_eq!(url.option("dialect"), Some("pysig"));
/// # Ok::<(), sig_core::CarrierError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CarrierUrl {
    scheme: String,
    address: String,
    options: Vec<(String, String)>,
    /// Whether the address follows the colon directly.
    direct: bool,
}

impl CarrierUrl {
    /// The part before `://` or the first `:`, in lower case.
    #[must_use]
    pub fn scheme(&self) -> &str {
        &self.scheme
    }

    /// The part between `://` and `?`, or between the first `:` and `?` where no `//` follows; may be empty.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The value of an option.
    #[must_use]
    pub fn option(&self, name: &str) -> Option<&str> {
        self.options
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// Checks that there are no options but these.
    ///
    /// # Errors
    ///
    /// [`CarrierError::Address`] naming the first unknown option and the known ones.
    pub fn expect_options(&self, known: &[&str]) -> Result<(), CarrierError> {
        match self.options.iter().find(|(key, _)| !known.contains(&key.as_str())) {
            None => Ok(()),
            Some((key, _)) if known.is_empty() => Err(self.error(format!("{} takes no option ({key})", self.scheme))),
            Some((key, _)) => Err(self.error(format!("unknown option {key}; known are {}", known.join(", ")))),
        }
    }

    /// The value of an option that is a number of bytes: `70000`, `64KiB`, `100MiB` or `1GiB`.
    ///
    /// # Errors
    ///
    /// [`CarrierError::Address`] saying how to write it, and which sizes there may be.
    ///
    /// ```
    /// use sig_core::CarrierUrl;
    ///
    /// let url: CarrierUrl = "tcp://localhost:3000?max_frame=100MiB".parse()?;
    /// assert_eq!(url.size_option("max_frame", 65_536..=1 << 30)?, Some(104_857_600));
    /// # Ok::<(), sig_core::CarrierError>(())
    /// ```
    pub fn size_option(&self, name: &str, allowed: RangeInclusive<usize>) -> Result<Option<usize>, CarrierError> {
        let Some(text) = self.option(name) else {
            return Ok(None);
        };
        match size(text).filter(|bytes| allowed.contains(bytes)) {
            Some(bytes) => Ok(Some(bytes)),
            None => Err(self.error(format!(
                "{name} is a number of bytes, such as 70000, 64KiB or 100MiB, from {} to {}",
                allowed.start(),
                allowed.end()
            ))),
        }
    }

    /// An error about this address.
    #[must_use]
    pub fn error(&self, why: impl Into<String>) -> CarrierError {
        CarrierError::Address {
            address: self.to_string(),
            why: why.into(),
        }
    }
}

fn size(text: &str) -> Option<usize> {
    let units = [("KiB", 10), ("MiB", 20), ("GiB", 30)];
    let written = units
        .into_iter()
        .find_map(|(unit, bits)| Some((text.strip_suffix(unit)?, bits)));
    let (digits, bits) = written.unwrap_or((text, 0));
    digits.parse::<usize>().ok()?.checked_mul(1 << bits)
}

impl FromStr for CarrierUrl {
    type Err = CarrierError;

    fn from_str(text: &str) -> Result<Self, CarrierError> {
        let error = |why: &str| CarrierError::Address {
            address: text.to_owned(),
            why: why.to_owned(),
        };
        let missing = || error("write scheme://address, such as tcp://127.0.0.1:3000");
        let (scheme, behind) = text.split_once(':').ok_or_else(missing)?;
        let (rest, direct) = match behind.strip_prefix("//") {
            Some(rest) => (rest, false),
            // A host and a port, and most likely the scheme was forgotten.
            None if is_port(behind) || !begins_with_letter(scheme) && !behind.contains("://") => return Err(missing()),
            None => (behind, true),
        };
        if scheme.is_empty() || !scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c)) {
            return Err(error("the part before :// must be a scheme, such as tcp"));
        }
        let (address, query) = rest.split_once('?').unwrap_or((rest, ""));
        let options = query
            .split('&')
            .filter(|option| !option.is_empty())
            .map(|option| option.split_once('=').unwrap_or((option, "")))
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .collect();
        Ok(Self {
            scheme: scheme.to_ascii_lowercase(),
            address: address.to_owned(),
            options,
            direct,
        })
    }
}

/// Whether a text is a port, perhaps with a path or options behind it.
fn is_port(text: &str) -> bool {
    let digits = text.split(['/', '?']).next().unwrap_or_default();
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

fn begins_with_letter(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
}

impl fmt::Display for CarrierUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let separator = if self.direct { ":" } else { "://" };
        write!(f, "{}{separator}{}", self.scheme, self.address)?;
        for (index, (key, value)) in self.options.iter().enumerate() {
            write!(f, "{}{key}={value}", if index == 0 { '?' } else { '&' })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_round_trip() {
        for text in [
            "tcp://[::1]:3000",
            "ipc:///run/sig/a.sock",
            "ipc://",
            "tcp://h:1?a=b&c=",
            "zmq:tcp://*:5555?plain=users",
            "zmq:ipc:///run/lab/router",
            "serial:///dev/ttyACM0?baud=9600",
            "serial:usb?vid=2341&pid=0043",
            "serial:by-path/pci-0000:00:14.0-usb-0:1:1.0",
            "serial:COM12",
        ] {
            assert_eq!(text.parse::<CarrierUrl>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn an_address_may_have_a_scheme_of_its_own() {
        let url: CarrierUrl = "ZMQ:tcp://[::1]:5555?a=b".parse().unwrap();
        assert_eq!((url.scheme(), url.address()), ("zmq", "tcp://[::1]:5555"));
        assert_eq!(url.option("a"), Some("b"));
        for bad in ["://x", ":tcp://x", "z m:tcp://x"] {
            bad.parse::<CarrierUrl>().unwrap_err();
        }
    }

    #[test]
    fn an_address_may_be_a_name() {
        let url: CarrierUrl = "serial:usb?vid=2341&sn=0001".parse().unwrap();
        assert_eq!((url.scheme(), url.address()), ("serial", "usb"));
        assert_eq!((url.option("vid"), url.option("sn")), (Some("2341"), Some("0001")));
        let url: CarrierUrl = "Serial:COM12".parse().unwrap();
        assert_eq!((url.scheme(), url.address()), ("serial", "COM12"));
    }

    #[test]
    fn sizes_have_units_and_bounds() {
        let size = |value: &str| {
            let url: CarrierUrl = format!("tcp://h:1?max_frame={value}").parse().unwrap();
            url.size_option("max_frame", 1024..=1 << 30)
        };
        for (text, bytes) in [("1024", 1024), ("1KiB", 1024), ("100MiB", 100 << 20), ("1GiB", 1 << 30)] {
            assert_eq!(size(text).unwrap(), Some(bytes));
        }
        for bad in ["1023", "2GiB", "1MB", "MiB", "-1", "99999999999999GiB", ""] {
            let error = size(bad).unwrap_err().to_string();
            let wanted = "max_frame is a number of bytes, such as 70000, 64KiB or 100MiB, from 1024 to 1073741824";
            assert_eq!(error, format!("address tcp://h:1?max_frame={bad}: {wanted}"));
        }
        let url: CarrierUrl = "tcp://h:1".parse().unwrap();
        assert_eq!(url.size_option("max_frame", 0..=1).unwrap(), None);
    }

    #[test]
    fn errors_say_what_to_write() {
        for forgotten in [
            "127.0.0.1:3000",
            "localhost:3000",
            "[::1]:3000",
            "localhost:3000?dialect=sig1",
            "/dev/ttyACM0",
        ] {
            let error = forgotten.parse::<CarrierUrl>().unwrap_err().to_string();
            let wanted = format!("address {forgotten}: write scheme://address, such as tcp://127.0.0.1:3000");
            assert_eq!(error, wanted);
        }
        let url: CarrierUrl = "tcp://h:1?nodelay=1".parse().unwrap();
        let error = url.expect_options(&["dialect"]).unwrap_err().to_string();
        assert_eq!(
            error,
            "address tcp://h:1?nodelay=1: unknown option nodelay; known are dialect"
        );
    }
}
