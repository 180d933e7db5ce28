//! The arguments that all parties understand.

use std::fmt;

use crate::say::quit_with_parent;

/// What a party is to do: `ROLE URL [COUNT [SIZE]] [--NAME VALUE]...`.
#[derive(Debug, Clone)]
pub struct Args {
    /// `sub`, `pub`, `ping`, `pong`, `req`, `rep` and what else a system has.
    pub role: String,
    /// Where the broker is, in the words of the system.
    pub url: String,
    /// How many events each publisher sends, unless `seconds` says when it ends.
    pub count: u64,
    /// Bytes of a payload.
    pub size: usize,
    /// For how long to publish or to measure, instead of `count`.
    pub seconds: Option<f64>,
    /// Events per second; without it as many as there is room for.
    pub rate: Option<f64>,
    /// Publishers, each with a connection of its own, in one process; or how many a subscriber hears.
    pub publishers: u64,
    /// Subscribers, each with a connection of its own, in one process.
    pub subscribers: u64,
    /// Over how many topics a publisher spreads its events.
    pub topics: u64,
    /// How long a subscriber takes for each event, in microseconds.
    pub slow_us: u64,
    /// Which of several parties of the same role this is.
    pub index: u64,
    /// Whether somebody holds this process by its standard input: it begins at a line and ends at the end of it.
    pub held: bool,
}

/// Arguments that are none.
#[derive(Debug)]
pub struct BadArgs(String);

impl fmt::Display for BadArgs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}; usage: ROLE URL [COUNT [SIZE]] [--seconds S] [--rate R] [--publishers N] [--subscribers N] \
             [--topics N] [--slow-us N] [--index N] [--held]",
            self.0
        )
    }
}

impl std::error::Error for BadArgs {}

impl Args {
    /// Those of this process, which from here on ends with whoever holds it. A publisher does so when it has begun.
    ///
    /// # Errors
    ///
    /// [`BadArgs`], to be shown.
    pub fn of_process() -> Result<Self, BadArgs> {
        let args = Self::parse(std::env::args().skip(1))?;
        if args.held && !args.role.ends_with("pub") {
            quit_with_parent();
        }
        Ok(args)
    }

    /// Reads arguments.
    ///
    /// # Errors
    ///
    /// [`BadArgs`], to be shown.
    pub fn parse(words: impl IntoIterator<Item = String>) -> Result<Self, BadArgs> {
        let mut args = Self {
            role: String::new(),
            url: String::new(),
            count: 1_000_000,
            size: 64,
            seconds: None,
            rate: None,
            publishers: 1,
            subscribers: 1,
            topics: 1,
            slow_us: 0,
            index: 0,
            held: false,
        };
        let mut place = 0;
        let mut words = words.into_iter();
        while let Some(word) = words.next() {
            let Some(name) = word.strip_prefix("--") else {
                match place {
                    0 => args.role = word,
                    1 => args.url = word,
                    2 => args.count = number(&word, "COUNT")?,
                    3 => args.size = number(&word, "SIZE")?,
                    _ => return Err(BadArgs(format!("`{word}` is one argument too many"))),
                }
                place += 1;
                continue;
            };
            if name == "held" {
                args.held = true;
                continue;
            }
            let value = words.next().ok_or_else(|| BadArgs(format!("--{name} has no value")))?;
            match name {
                "count" => args.count = number(&value, name)?,
                "size" => args.size = number(&value, name)?,
                "seconds" => args.seconds = Some(number(&value, name)?),
                "rate" => args.rate = Some(number(&value, name)?),
                "publishers" => args.publishers = number(&value, name)?,
                "subscribers" => args.subscribers = number(&value, name)?,
                "topics" => args.topics = number(&value, name)?,
                "slow-us" => args.slow_us = number(&value, name)?,
                "index" => args.index = number(&value, name)?,
                _ => return Err(BadArgs(format!("there is no --{name}"))),
            }
        }
        if place < 2 {
            return Err(BadArgs("a role and a URL are needed".to_owned()));
        }
        Ok(args)
    }
}

fn number<T: std::str::FromStr>(text: &str, name: &str) -> Result<T, BadArgs> {
    let plain = text.replace('_', "");
    plain
        .parse()
        .map_err(|_| BadArgs(format!("{name} is to be a number, not `{text}`")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Args, BadArgs> {
        Args::parse(text.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn places_and_names_are_read() {
        let args = parse("sub tcp://127.0.0.1:1 5_000 16 --rate 2.5 --held").unwrap();
        assert_eq!((args.role.as_str(), args.count, args.size), ("sub", 5000, 16));
        assert_eq!((args.rate, args.held), (Some(2.5), true));
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (text, said) in [
            ("sub", "needed"),
            ("sub x --what 1", "--what"),
            ("sub x many", "COUNT"),
            ("sub x 1 2 3", "too many"),
        ] {
            let error = parse(text).unwrap_err().to_string();
            assert!(error.contains(said), "{error}");
        }
    }
}
