//! Endpoints as text.

use std::io;
use std::net::{TcpListener, ToSocketAddrs as _};

use sig_core::CarrierError;
use socket2::{Domain, Protocol, Socket, Type};

use super::carrier_error;
use crate::backend::check_place;

/// What to write.
const FORMS: &str = "write tcp://HOST:PORT, ipc://PATH or inproc://NAME";

fn error(endpoint: &str, why: impl Into<String>) -> CarrierError {
    CarrierError::Address {
        address: format!("zmq:{endpoint}"),
        why: why.into(),
    }
}

/// Checks the form of an endpoint.
pub(super) fn check(endpoint: &str) -> Result<(), CarrierError> {
    if let Some(address) = endpoint.strip_prefix("tcp://") {
        return check_tcp(endpoint, address);
    }
    let rest = endpoint
        .strip_prefix("ipc://")
        .or_else(|| endpoint.strip_prefix("inproc://"));
    match rest {
        Some("") => Err(error(endpoint, format!("the name is missing; {FORMS}"))),
        Some(_) => Ok(()),
        None => Err(error(
            endpoint,
            format!("not an endpoint that this carrier knows; {FORMS}"),
        )),
    }
}

fn check_tcp(endpoint: &str, address: &str) -> Result<(), CarrierError> {
    let Some((host, port)) = address.rsplit_once(':') else {
        return Err(error(
            endpoint,
            "the port is missing; write tcp://HOST:PORT, such as tcp://127.0.0.1:5555",
        ));
    };
    if host.is_empty() {
        let why = "the host is missing; write tcp://HOST:PORT, such as tcp://127.0.0.1:5555, or * for every address";
        return Err(error(endpoint, why));
    }
    if host.contains(':') && !(host.starts_with('[') && host.ends_with(']')) {
        return Err(error(
            endpoint,
            "an IPv6 address stands in brackets, such as tcp://[::1]:5555",
        ));
    }
    match port.parse::<u16>() {
        Ok(_) => Ok(()),
        Err(_) if port == "*" => Ok(()),
        Err(_) => Err(error(
            endpoint,
            "the port is a number from 0 to 65535, such as tcp://127.0.0.1:5555",
        )),
    }
}

/// Takes the port of a TCP endpoint, so that it is known and nobody else takes it, until the socket is dropped to make room
/// for ZeroMQ's own. Gives the endpoint with the port that was found. Others are given back as they are; a path is looked at.
pub(super) fn reserve(endpoint: &str) -> Result<(String, Option<TcpListener>), CarrierError> {
    let Some(address) = endpoint.strip_prefix("tcp://") else {
        check_place(endpoint).map_err(carrier_error)?;
        return Ok((endpoint.to_owned(), None));
    };
    let (host, port) = address.rsplit_once(':').unwrap_or((address, "0"));
    let numeric = format!(
        "{}:{}",
        if host == "*" { "0.0.0.0" } else { host },
        if port == "*" { "0" } else { port }
    );
    let bound = numeric.to_socket_addrs().and_then(|mut addresses| {
        let nothing = || io::Error::new(io::ErrorKind::NotFound, "the host has no address");
        bind(addresses.next().ok_or_else(nothing)?)
    });
    let listener = bound.and_then(|listener| Ok((listener.local_addr()?.port(), listener)));
    let (port, listener) = listener.map_err(|source| CarrierError::Listen {
        address: format!("zmq:{endpoint}"),
        source,
    })?;
    Ok((format!("tcp://{host}:{port}"), Some(listener)))
}

fn bind(address: std::net::SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // On Windows it would let two programs share the port, and a restart binds without it.
    #[cfg(not(windows))]
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    // Who connects before ZeroMQ listens waits in the queue, is dropped, and connects again.
    socket.listen(128)?;
    Ok(socket.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_are_checked_and_errors_say_what_to_write() {
        for good in [
            "tcp://*:5555",
            "tcp://127.0.0.1:*",
            "tcp://[::1]:1",
            "ipc:///tmp/x",
            "ipc://@x",
            "inproc://a",
        ] {
            check(good).unwrap();
        }
        for (bad, why) in [
            ("tcp://127.0.0.1", "port is missing"),
            ("tcp://:3000", "host is missing"),
            ("tcp://::1:3000", "brackets"),
            ("tcp://localhost:http", "a number"),
            ("ipc://", "name is missing"),
            ("localhost:1", "tcp://HOST:PORT"),
            ("udp://localhost:1", "tcp://HOST:PORT"),
        ] {
            let error = check(bad).unwrap_err().to_string();
            assert!(error.contains(why) && error.contains(bad), "{error}");
        }
    }

    #[test]
    fn a_reserved_port_is_known_and_taken() {
        let (endpoint, reserved) = reserve("tcp://127.0.0.1:*").unwrap();
        assert!(!endpoint.ends_with('*') && !endpoint.ends_with(":0"), "{endpoint}");
        let taken = reserve(&endpoint).unwrap_err().to_string();
        assert!(
            taken.contains(&endpoint) && taken.contains("another program listens there"),
            "{taken}"
        );
        drop(reserved);
        reserve(&endpoint).unwrap();
        assert_eq!(reserve("inproc://a").unwrap().0, "inproc://a");
    }
}
