//! Times on the command line: `2`, `0.5`, `250ms`, `10s`, `5m`, `1h`.

use std::time::Duration;

/// Longest time that can be given: beyond it, clocks overflow.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 3600);

/// Shortest period of the host figures: the share of a processor is measured between two readings.
const SHORTEST_PERIOD: Duration = Duration::from_millis(200);

/// Reads a time; a number without a unit counts seconds.
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    let digits = text
        .find(|c: char| !(c.is_ascii_digit() || c == '.'))
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let scale = match unit {
        "ms" => 0.001,
        "" | "s" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        _ => return Err(format!("\"{unit}\" is not a unit of time; write 250ms, 10s, 5m or 1h")),
    };
    let number: f64 = number
        .parse()
        .map_err(|_| "write a time such as 250ms, 10s, 5m or 1h".to_owned())?;
    match Duration::try_from_secs_f64(number * scale) {
        Ok(time) if time.is_zero() => Err("the time must be more than zero".to_owned()),
        Ok(time) if time <= LONGEST => Ok(time),
        _ => Err("the time must be at most a year (8760h)".to_owned()),
    }
}

/// Reads a time that is long enough to measure something in it.
pub(crate) fn period(text: &str) -> Result<Duration, String> {
    match parse(text)? {
        time if time < SHORTEST_PERIOD => Err(format!("the period must be at least {SHORTEST_PERIOD:?}")),
        time => Ok(time),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_unit_is_read() {
        for (text, millis) in [
            ("2", 2000),
            ("0.5", 500),
            ("250ms", 250),
            ("10s", 10_000),
            ("1.5m", 90_000),
            ("1h", 3_600_000),
        ] {
            assert_eq!(parse(text).unwrap(), Duration::from_millis(millis), "{text}");
        }
    }

    #[test]
    fn what_is_not_a_time_is_refused_with_what_to_write() {
        for text in ["", "s", "1..2", "-1", "1 s", "5x", "1e9", "0", "999999h"] {
            parse(text).unwrap_err();
        }
        assert_eq!(
            parse("5x").unwrap_err(),
            "\"x\" is not a unit of time; write 250ms, 10s, 5m or 1h"
        );
        assert_eq!(period("100ms").unwrap_err(), "the period must be at least 200ms");
    }
}
