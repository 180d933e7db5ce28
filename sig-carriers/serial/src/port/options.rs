//! How a line is set, and what is spoken on it.

use std::fmt;
use std::time::Duration;

use sig_core::{EventName, SenderName};

/// Settings of a serial line. The defaults are what an Arduino sketch with `Serial.begin(115200)` wants.
///
/// Each has the name of its option in an address, and each is taken as it is given: out of range, it is an error when the
/// port is made, as in an address.
///
/// ```
/// use std::time::Duration;
///
/// use sig_carrier_serial::{Codec, Options};
///
/// let options = Options::new()
///     .baud(9600)
///     .codec(Codec::Lines)
///     .idle_timeout(Duration::from_secs(10));
///
/// // The same in an address.
/// let url = "serial:COM3?baud=9600&codec=lines&idle_timeout=10s".parse()?;
/// assert_eq!(Options::from_url(&url)?, options);
/// # Ok::<(), sig_core::CarrierError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    pub(crate) baud: u32,
    pub(crate) data: DataBits,
    pub(crate) parity: Parity,
    pub(crate) stop: StopBits,
    pub(crate) flow: Flow,
    pub(crate) reset_on_open: ResetOnOpen,
    pub(crate) settle: Duration,
    pub(crate) low_latency: bool,
    pub(crate) rs485: bool,
    pub(crate) codec: Codec,
    pub(crate) check: Check,
    pub(crate) name: Option<SenderName>,
    pub(crate) columns: Vec<EventName>,
    pub(crate) idle_timeout: Option<Duration>,
    pub(crate) heartbeat: Duration,
    pub(crate) queue: Duration,
    pub(crate) duplex: Option<Duplex>,
    pub(crate) max_frame: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            baud: 115_200,
            data: DataBits::Eight,
            parity: Parity::None,
            stop: StopBits::One,
            flow: Flow::None,
            reset_on_open: ResetOnOpen::Leave,
            settle: Duration::ZERO,
            low_latency: true,
            rs485: false,
            codec: Codec::Auto,
            check: Check::None,
            name: None,
            columns: Vec::new(),
            idle_timeout: None,
            heartbeat: Duration::from_secs(2),
            queue: Duration::from_millis(50),
            duplex: None,
            max_frame: 4096,
        }
    }
}

impl Options {
    /// The default settings.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Bits per second, 50 to 12,000,000 (115,200 unless set).
    #[must_use]
    pub fn baud(self, baud: u32) -> Self {
        Self { baud, ..self }
    }

    /// Data bits of a byte (8 unless set).
    #[must_use]
    pub fn data(self, data: DataBits) -> Self {
        Self { data, ..self }
    }

    /// The parity bit (none unless set).
    #[must_use]
    pub fn parity(self, parity: Parity) -> Self {
        Self { parity, ..self }
    }

    /// Stop bits (1 unless set).
    #[must_use]
    pub fn stop(self, stop: StopBits) -> Self {
        Self { stop, ..self }
    }

    /// How a side that has no room stops the other one (not at all unless set).
    #[must_use]
    pub fn flow(self, flow: Flow) -> Self {
        Self { flow, ..self }
    }

    /// Whether opening the port resets the board (as the system does it unless set).
    #[must_use]
    pub fn reset_on_open(self, reset_on_open: ResetOnOpen) -> Self {
        Self { reset_on_open, ..self }
    }

    /// How long after opening whatever arrives is dropped, at most a minute (not at all unless set). The option in an
    /// address is `settle_ms`.
    #[must_use]
    pub fn settle(self, settle: Duration) -> Self {
        Self { settle, ..self }
    }

    /// Whether the driver is asked to hand over bytes as they come, where it can be (yes unless set).
    #[must_use]
    pub fn low_latency(self, low_latency: bool) -> Self {
        Self { low_latency, ..self }
    }

    /// Whether the driver switches an RS-485 transceiver between sending and receiving (no unless set). The line is then
    /// [half duplex](Self::duplex) unless that is said otherwise.
    #[must_use]
    pub fn rs485(self, rs485: bool) -> Self {
        Self { rs485, ..self }
    }

    /// What is spoken (found out by itself unless set).
    #[must_use]
    pub fn codec(self, codec: Codec) -> Self {
        Self { codec, ..self }
    }

    /// The check that lines must have from the first one on (none unless set: required once seen).
    #[must_use]
    pub fn check(self, check: Check) -> Self {
        Self { check, ..self }
    }

    /// The name of the sender that the board becomes, whatever it calls itself.
    #[must_use]
    pub fn name(self, name: impl Into<Option<SenderName>>) -> Self {
        Self {
            name: name.into(),
            ..self
        }
    }

    /// The events that the numbers of a line of numbers are, one for each; 64 at the most.
    #[must_use]
    pub fn columns(self, columns: impl IntoIterator<Item = EventName>) -> Self {
        Self {
            columns: columns.into_iter().collect(),
            ..self
        }
    }

    /// After how much silence a board counts as gone, 100 ms to a day (never unless set).
    #[must_use]
    pub fn idle_timeout(self, idle_timeout: impl Into<Option<Duration>>) -> Self {
        Self {
            idle_timeout: idle_timeout.into(),
            ..self
        }
    }

    /// After how much silence a heartbeat goes to a router at the other end, 100 ms to an hour (2 s unless set).
    #[must_use]
    pub fn heartbeat(self, heartbeat: Duration) -> Self {
        Self { heartbeat, ..self }
    }

    /// How much line time may be queued in front of what is urgent, 1 ms to 10 s (50 ms unless set). The option in an
    /// address is `queue_ms`.
    #[must_use]
    pub fn queue(self, queue: Duration) -> Self {
        Self { queue, ..self }
    }

    /// Whether both sides may send at once (yes unless set, or the line is RS-485).
    #[must_use]
    pub fn duplex(self, duplex: Duplex) -> Self {
        Self {
            duplex: Some(duplex),
            ..self
        }
    }

    /// Most bytes of one frame or line, 64 to 65,536 (4096 unless set).
    #[must_use]
    pub fn max_frame(self, max_frame: usize) -> Self {
        Self { max_frame, ..self }
    }

    /// Whether only one side may send at a time.
    #[must_use]
    pub fn is_half_duplex(&self) -> bool {
        self.duplex.map_or(self.rs485, |duplex| duplex == Duplex::Half)
    }

    /// How long one byte is on the line, with its start, parity and stop bits.
    #[must_use]
    pub fn byte_time(&self) -> Duration {
        let data = match self.data {
            DataBits::Five => 5,
            DataBits::Six => 6,
            DataBits::Seven => 7,
            DataBits::Eight => 8,
        };
        let bits = 1 + data + u64::from(self.parity != Parity::None) + 1 + u64::from(self.stop == StopBits::Two);
        Duration::from_nanos(bits * 1_000_000_000 / u64::from(self.baud.max(1)))
    }
}

impl fmt::Display for DataBits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Five => "5",
            Self::Six => "6",
            Self::Seven => "7",
            Self::Eight => "8",
        })
    }
}

impl fmt::Display for Parity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "none",
            Self::Even => "even",
            Self::Odd => "odd",
        })
    }
}

impl fmt::Display for StopBits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::One => "1",
            Self::Two => "2",
        })
    }
}

/// Data bits of a byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DataBits {
    /// `data=5`
    Five,
    /// `data=6`
    Six,
    /// `data=7`
    Seven,
    /// `data=8`
    Eight,
}

/// The parity bit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parity {
    /// `parity=none`
    None,
    /// `parity=even`
    Even,
    /// `parity=odd`
    Odd,
}

/// Stop bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopBits {
    /// `stop=1`
    One,
    /// `stop=2`
    Two,
}

/// How a side that has no room stops the other one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// `flow=none`: not at all.
    None,
    /// `flow=hardware`: with the wires RTS and CTS.
    Hardware,
    /// `flow=software`: with the bytes XON and XOFF, which then cannot be data. Lines only.
    Software,
}

/// Whether opening the port resets the board.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResetOnOpen {
    /// `reset_on_open=yes`: DTR is dropped and raised again, which resets most boards, so that each link begins at the
    /// board's start.
    Yes,
    /// `reset_on_open=no`: the system is told to leave DTR alone when the port is closed, so that the next opening is no
    /// reset. The first one after plugging in may still be one: Linux raises DTR whenever a port is opened.
    No,
    /// `reset_on_open=leave`: as the system does it.
    Leave,
}

/// What is spoken on the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Codec {
    /// `codec=auto`: the first valid line or frame decides.
    #[default]
    Auto,
    /// `codec=lines`: documents, one in each line.
    Lines,
    /// `codec=frames`: frames between zeros.
    Frames,
}

/// The check behind a line. More is better: `None < Crc16 < Crc32`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Check {
    /// `check=none`: none, but required once a line had one.
    #[default]
    None,
    /// `check=crc16`: `*` and 4 hexadecimal digits.
    Crc16,
    /// `check=crc32`: `*` and 8 hexadecimal digits.
    Crc32,
}

/// Who may send when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Duplex {
    /// `duplex=full`: both at once.
    Full,
    /// `duplex=half`: one at a time.
    Half,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_takes_its_bits() {
        assert_eq!(Options::new().byte_time(), Duration::from_nanos(86_805));
        let slow = Options::new().baud(9600).parity(Parity::Even).stop(StopBits::Two);
        assert_eq!(slow.byte_time(), Duration::from_micros(1250));
    }

    #[test]
    fn rs485_is_half_duplex_unless_it_is_said_otherwise() {
        assert!(!Options::new().is_half_duplex());
        assert!(Options::new().rs485(true).is_half_duplex());
        assert!(!Options::new().rs485(true).duplex(Duplex::Full).is_half_duplex());
    }
}
