//! Policies on the command line.

use std::time::Duration;

use sig_router::Policy;

use crate::duration;

/// What `--policy` takes.
const FORMS: &str = "block, block=TIME, drop-oldest=N, drop-newest=N, latest or rate=HZ";

/// Reads a policy.
pub(crate) fn parse(text: &str) -> Result<Policy, String> {
    let (name, amount) = match text.split_once('=') {
        Some((name, amount)) => (name, Some(amount)),
        None => (text, None),
    };
    let count = || {
        let count = amount.and_then(|amount| amount.parse().ok()).filter(|count| *count > 0);
        count.ok_or_else(|| format!("{name} needs a number of events to keep, such as {name}=1000"))
    };
    match (name, amount) {
        ("block", None) => Ok(Policy::default()),
        ("block", Some(time)) => Ok(Policy::Block(duration::parse(time).map_err(|error| error.to_string())?)),
        ("drop-oldest", _) => Ok(Policy::DropOldest(count()?)),
        ("drop-newest", _) => Ok(Policy::DropNewest(count()?)),
        ("latest", None) => Ok(Policy::Latest),
        ("rate", Some(hz)) => match hz.trim_end_matches("Hz").parse() {
            Ok(hz) if hz > 0.0 && Duration::try_from_secs_f64(1.0 / hz).is_ok() => Ok(Policy::Rate(hz)),
            _ => Err(format!("{hz} is no number of events a second, such as rate=20")),
        },
        _ => Err(format!("it is one of {FORMS}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_policy_has_its_words() {
        for (text, policy) in [
            ("block", Policy::default()),
            ("block=50ms", Policy::Block(Duration::from_millis(50))),
            ("drop-oldest=7", Policy::DropOldest(7)),
            ("drop-newest=7", Policy::DropNewest(7)),
            ("latest", Policy::Latest),
            ("rate=0.5", Policy::Rate(0.5)),
            ("rate=20Hz", Policy::Rate(20.0)),
        ] {
            assert_eq!(parse(text), Ok(policy), "{text}");
        }
        for text in [
            "",
            "newest",
            "latest=1",
            "drop-oldest",
            "drop-oldest=0",
            "rate",
            "rate=0",
            "rate=-1",
            "rate=nan",
            "block=x",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
