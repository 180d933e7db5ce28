//! Options in an address.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use sig_core::{CarrierError, CarrierUrl, EventName, SenderName};

use super::options::{Check, Codec, DataBits, Duplex, Flow, Options, Parity, ResetOnOpen, StopBits};

/// Every option, those that say where the port is among them.
const KNOWN: &[&str] = &[
    "baud",
    "data",
    "parity",
    "stop",
    "flow",
    "reset_on_open",
    "settle_ms",
    "low_latency",
    "rs485",
    "codec",
    "check",
    "name",
    "columns",
    "idle_timeout",
    "heartbeat",
    "queue_ms",
    "duplex",
    "max_frame",
    "vid",
    "pid",
    "sn",
];

const BAUD: RangeInclusive<u32> = 50..=12_000_000;
const SETTLE_MS: RangeInclusive<u64> = 0..=60_000;
const QUEUE_MS: RangeInclusive<u64> = 1..=10_000;
const MAX_FRAME: RangeInclusive<usize> = 64..=65_536;
const COLUMNS: usize = 64;
const IDLE_TIMEOUT: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_secs(24 * 3600);
const HEARTBEAT: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_secs(3600);

const YES_NO: &[(&str, bool)] = &[("yes", true), ("no", false)];

impl Options {
    /// Reads the options of an address.
    ///
    /// # Errors
    ///
    /// [`CarrierError::Address`] naming the option and what it may be.
    pub fn from_url(url: &CarrierUrl) -> Result<Self, CarrierError> {
        url.expect_options(KNOWN)?;
        let usual = Self::default();
        let data = [
            ("5", DataBits::Five),
            ("6", DataBits::Six),
            ("7", DataBits::Seven),
            ("8", DataBits::Eight),
        ];
        let parity = [("none", Parity::None), ("even", Parity::Even), ("odd", Parity::Odd)];
        let flow = [
            ("none", Flow::None),
            ("hardware", Flow::Hardware),
            ("software", Flow::Software),
        ];
        let reset = [
            ("yes", ResetOnOpen::Yes),
            ("no", ResetOnOpen::No),
            ("leave", ResetOnOpen::Leave),
        ];
        let codec = [
            ("auto", Codec::Auto),
            ("lines", Codec::Lines),
            ("frames", Codec::Frames),
        ];
        let check = [("none", Check::None), ("crc16", Check::Crc16), ("crc32", Check::Crc32)];
        let options = Self {
            baud: number(url, "baud", &BAUD)?.unwrap_or(usual.baud),
            data: choice(url, "data", &data)?.unwrap_or(usual.data),
            parity: choice(url, "parity", &parity)?.unwrap_or(usual.parity),
            stop: choice(url, "stop", &[("1", StopBits::One), ("2", StopBits::Two)])?.unwrap_or(usual.stop),
            flow: choice(url, "flow", &flow)?.unwrap_or(usual.flow),
            reset_on_open: choice(url, "reset_on_open", &reset)?.unwrap_or(usual.reset_on_open),
            settle: millis(url, "settle_ms", &SETTLE_MS)?.unwrap_or(usual.settle),
            low_latency: choice(url, "low_latency", YES_NO)?.unwrap_or(usual.low_latency),
            rs485: choice(url, "rs485", YES_NO)?.unwrap_or(usual.rs485),
            codec: choice(url, "codec", &codec)?.unwrap_or(usual.codec),
            check: choice(url, "check", &check)?.unwrap_or(usual.check),
            name: name(url)?,
            columns: columns(url)?,
            idle_timeout: time(url, "idle_timeout", &IDLE_TIMEOUT)?,
            heartbeat: time(url, "heartbeat", &HEARTBEAT)?.unwrap_or(usual.heartbeat),
            queue: millis(url, "queue_ms", &QUEUE_MS)?.unwrap_or(usual.queue),
            duplex: choice(url, "duplex", &[("full", Duplex::Full), ("half", Duplex::Half)])?,
            max_frame: number(url, "max_frame", &MAX_FRAME)?.unwrap_or(usual.max_frame),
        };
        options.validate().map_err(|why| url.error(why))?;
        Ok(options)
    }

    /// Checks what was set by methods, as it is checked in an address. Gives what is wrong in words.
    pub(crate) fn validate(&self) -> Result<(), String> {
        within("baud", &self.baud, &BAUD)?;
        within("settle_ms", &(as_millis(self.settle)), &SETTLE_MS)?;
        within("queue_ms", &(as_millis(self.queue)), &QUEUE_MS)?;
        within("max_frame", &self.max_frame, &MAX_FRAME)?;
        if !HEARTBEAT.contains(&self.heartbeat) {
            return Err(outside("heartbeat", &HEARTBEAT));
        }
        if self
            .idle_timeout
            .is_some_and(|timeout| !IDLE_TIMEOUT.contains(&timeout))
        {
            return Err(outside("idle_timeout", &IDLE_TIMEOUT));
        }
        if self.name.as_ref().is_some_and(SenderName::is_reserved) {
            return Err("names that begin with # belong to the router; choose another name".to_owned());
        }
        if self.columns.len() > COLUMNS {
            return Err(format!(
                "columns names {} events; at most {COLUMNS} are allowed",
                self.columns.len()
            ));
        }
        for (index, column) in self.columns.iter().enumerate() {
            if column.is_presence() {
                return Err(format!(
                    "columns: {column} is the router's own event; choose another name"
                ));
            }
            if self.columns[..index].contains(column) {
                return Err(format!(
                    "columns names {column} twice; give each column a name of its own"
                ));
            }
        }
        if self.flow == Flow::Software && self.codec == Codec::Frames {
            return Err(
                "flow=software takes two bytes away that frames need; write flow=hardware or flow=none".to_owned(),
            );
        }
        Ok(())
    }
}

fn as_millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn within<T: PartialOrd + Display>(name: &str, value: &T, range: &RangeInclusive<T>) -> Result<(), String> {
    if range.contains(value) {
        return Ok(());
    }
    let (low, high) = (range.start(), range.end());
    Err(format!("{name} is {value}; write a number from {low} to {high}"))
}

fn outside(name: &str, range: &RangeInclusive<Duration>) -> String {
    let (low, high) = (range.start(), range.end());
    format!("{name} is a time from {low:?} to {high:?}, such as {name}=500ms, {name}=10s or {name}=5m")
}

fn number<T: FromStr + PartialOrd + Display>(
    url: &CarrierUrl,
    name: &str,
    range: &RangeInclusive<T>,
) -> Result<Option<T>, CarrierError> {
    let Some(text) = url.option(name) else { return Ok(None) };
    let (low, high) = (range.start(), range.end());
    match text.parse::<T>() {
        Ok(number) if range.contains(&number) => Ok(Some(number)),
        _ => Err(url.error(format!("{name} is {text:?}; write a number from {low} to {high}"))),
    }
}

fn millis(url: &CarrierUrl, name: &str, range: &RangeInclusive<u64>) -> Result<Option<Duration>, CarrierError> {
    Ok(number(url, name, range)?.map(Duration::from_millis))
}

fn choice<T: Copy>(url: &CarrierUrl, name: &str, choices: &[(&str, T)]) -> Result<Option<T>, CarrierError> {
    let Some(text) = url.option(name) else { return Ok(None) };
    match choices.iter().find(|(word, _)| *word == text) {
        Some((_, choice)) => Ok(Some(*choice)),
        None => {
            let words: Vec<_> = choices.iter().map(|(word, _)| *word).collect();
            Err(url.error(format!("{name} is {text:?}; write one of {}", words.join(", "))))
        }
    }
}

/// A time with its unit; a number alone counts seconds.
fn time(url: &CarrierUrl, name: &str, range: &RangeInclusive<Duration>) -> Result<Option<Duration>, CarrierError> {
    let Some(text) = url.option(name) else { return Ok(None) };
    let digits = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let scale = match unit {
        "ms" => Some(0.001),
        "" | "s" => Some(1.0),
        "m" | "min" => Some(60.0),
        "h" => Some(3600.0),
        _ => None,
    };
    let seconds = scale.and_then(|scale| Some(number.parse::<f64>().ok()? * scale));
    let time = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    match time.filter(|time| range.contains(time)) {
        Some(time) => Ok(Some(time)),
        None => Err(url.error(outside(name, range))),
    }
}

fn name(url: &CarrierUrl) -> Result<Option<SenderName>, CarrierError> {
    let name = url.option("name").map(SenderName::new).transpose();
    name.map_err(|error| url.error(error.to_string()))
}

fn columns(url: &CarrierUrl) -> Result<Vec<EventName>, CarrierError> {
    let Some(text) = url.option("columns") else {
        return Ok(Vec::new());
    };
    let columns: Result<_, _> = text.split(',').map(EventName::new).collect();
    columns.map_err(|error| url.error(format!("columns: {error}, as in columns=temp,hum")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(query: &str) -> Result<Options, CarrierError> {
        Options::from_url(&format!("serial:///dev/ttyACM0?{query}").parse()?)
    }

    #[test]
    fn every_option_is_read() {
        assert_eq!(options("").unwrap(), Options::new());
        let read = options(
            "baud=9600&data=7&parity=even&stop=2&flow=hardware&reset_on_open=yes&settle_ms=2500&low_latency=no&rs485=yes\
             &codec=lines&check=crc32&name=weather&columns=temp,hum&idle_timeout=1.5m&heartbeat=500ms&queue_ms=20&duplex=full\
             &max_frame=1024",
        );
        let made = Options::new()
            .baud(9600)
            .data(DataBits::Seven)
            .parity(Parity::Even)
            .stop(StopBits::Two)
            .flow(Flow::Hardware)
            .reset_on_open(ResetOnOpen::Yes)
            .settle(Duration::from_millis(2500))
            .low_latency(false)
            .rs485(true)
            .codec(Codec::Lines)
            .check(Check::Crc32)
            .name(SenderName::new("weather").unwrap())
            .columns(["temp", "hum"].map(|name| EventName::new(name).unwrap()))
            .idle_timeout(Duration::from_secs(90))
            .heartbeat(Duration::from_millis(500))
            .queue(Duration::from_millis(20))
            .duplex(Duplex::Full)
            .max_frame(1024);
        assert_eq!(read.unwrap(), made);
    }

    #[test]
    fn an_option_out_of_range_is_told_its_range() {
        for (query, why) in [
            ("baud=0", "baud is \"0\"; write a number from 50 to 12000000"),
            ("baud=fast", "baud is \"fast\"; write a number from 50 to 12000000"),
            ("baud=99999999999", "a number from 50 to 12000000"),
            ("data=9", "data is \"9\"; write one of 5, 6, 7, 8"),
            ("parity=E", "parity is \"E\"; write one of none, even, odd"),
            ("stop=3", "stop is \"3\"; write one of 1, 2"),
            ("flow=rts", "write one of none, hardware, software"),
            ("reset_on_open=1", "write one of yes, no, leave"),
            ("settle_ms=60001", "a number from 0 to 60000"),
            ("codec=cobs", "write one of auto, lines, frames"),
            ("check=crc8", "write one of none, crc16, crc32"),
            ("name=", "the sender name is empty"),
            ("name=#router", "names that begin with # belong to the router"),
            ("columns=temp,,hum", "the event name is empty"),
            ("columns=a,b,a", "columns names a twice"),
            ("columns=#connect", "the router's own event"),
            ("idle_timeout=99ms", "idle_timeout is a time from 100ms to 86400s"),
            ("idle_timeout=5x", "such as idle_timeout=500ms, idle_timeout=10s"),
            ("heartbeat=2h", "heartbeat is a time from 100ms to 3600s"),
            ("heartbeat=1e3", "heartbeat is a time from"),
            ("queue_ms=0", "queue_ms is \"0\"; write a number from 1 to 10000"),
            ("duplex=both", "write one of full, half"),
            ("max_frame=63", "a number from 64 to 65536"),
            ("flow=software&codec=frames", "frames need"),
            ("boud=9600", "unknown option boud; known are baud"),
        ] {
            let error = options(query).unwrap_err().to_string();
            assert!(error.contains(why), "{query}: {error}");
        }
    }

    #[test]
    fn what_is_set_by_methods_has_the_same_ranges() {
        for (made, why) in [
            (Options::new().baud(0), "baud is 0; write a number from 50"),
            (Options::new().settle(Duration::MAX), "settle_ms"),
            (Options::new().queue(Duration::ZERO), "queue_ms"),
            (Options::new().max_frame(1), "max_frame"),
            (Options::new().heartbeat(Duration::ZERO), "heartbeat"),
            (Options::new().idle_timeout(Duration::ZERO), "idle_timeout"),
        ] {
            let error = made.validate().unwrap_err();
            assert!(error.contains(why), "{error}");
        }
    }
}
