//! `HOST:PORT` as text.

use sig_core::CarrierError;

/// Checks that the text has the form `HOST:PORT`; whether the host exists shows later.
pub(crate) fn check(address: &str) -> Result<(), CarrierError> {
    let error = |why: &str| {
        Err(CarrierError::Address {
            address: address.to_owned(),
            why: why.to_owned(),
        })
    };
    if address.contains("://") {
        return error("write HOST:PORT without the scheme, such as 127.0.0.1:3000");
    }
    let Some((host, port)) = address.rsplit_once(':') else {
        return error("the port is missing; write HOST:PORT, such as 127.0.0.1:3000");
    };
    if host.is_empty() {
        return error("the host is missing; write HOST:PORT, such as 127.0.0.1:3000");
    }
    if host.contains(':') && !(host.starts_with('[') && host.ends_with(']')) {
        return error("an IPv6 address stands in brackets, such as [::1]:3000");
    }
    match port.parse::<u16>() {
        Ok(_) => Ok(()),
        Err(_) => error("the port is a number from 0 to 65535, such as 127.0.0.1:3000"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_checked_and_errors_say_what_to_write() {
        for good in ["127.0.0.1:3000", "localhost:0", "[::1]:65535", "a.example:1"] {
            check(good).unwrap();
        }
        for (bad, why) in [
            ("127.0.0.1", "port is missing"),
            (":3000", "host is missing"),
            ("::1:3000", "brackets"),
            ("localhost:http", "a number"),
            ("localhost:65536", "a number"),
            ("tcp://localhost:1", "without the scheme"),
        ] {
            let error = check(bad).unwrap_err().to_string();
            assert!(error.contains(why) && error.contains(bad), "{error}");
        }
    }
}
