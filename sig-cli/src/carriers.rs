//! Which carriers the command knows: the only list of them, and the usual addresses.

use std::io;
use std::net::TcpListener;
use std::sync::Arc;

use sig_core::{Carrier, CarrierError, CarrierUrl, Schemes};

/// How often another free port is tried when somebody else was faster.
const ATTEMPTS: u32 = 16;

/// The table of URL schemes. `local:` is not in it: it stays inside one process.
pub(crate) fn schemes() -> Schemes {
    Schemes::new()
        .with("tcp", sig_carrier_tcp::TcpFactory::default())
        .with("ipc", sig_carrier_ipc::IpcFactory)
        .with("zmq", sig_carrier_zmq::ZmqFactory::default())
        .with("serial", sig_carrier_serial::SerialFactory)
}

/// Where a router listens, and is looked for, unless told otherwise: the local socket where the platform has one, and
/// pysig's port on this machine.
pub(crate) fn usual() -> Vec<CarrierUrl> {
    let socket = cfg!(unix).then_some("ipc://");
    socket
        .into_iter()
        .chain(["tcp://127.0.0.1:3000"])
        .filter_map(|url| url.parse().ok())
        .collect()
}

/// Checks the form of an address, whatever its scheme, without opening anything.
pub(crate) fn check(url: &CarrierUrl) -> Result<(), CarrierError> {
    schemes().dial(&url.to_string()).map(drop)
}

/// A carrier that listens, and the address where it is found: with a port instead of port 0, and a path instead of the
/// name of a local socket.
pub(crate) fn listen(url: &CarrierUrl) -> Result<(Arc<dyn Carrier>, CarrierUrl), CarrierError> {
    let schemes = schemes();
    if url.scheme() == "ipc" {
        let carrier = sig_carrier_ipc::IpcFactory.listener(url)?;
        let found = format!("ipc://{}", carrier.medium().path().display()).parse()?;
        return Ok((Arc::new(carrier), found));
    }
    if url.scheme() == "zmq" {
        let carrier = sig_carrier_zmq::ZmqFactory::default().listener(url)?;
        let found = url.to_string().replacen(url.address(), carrier.endpoint(), 1).parse()?;
        return Ok((Arc::new(carrier), found));
    }
    for _ in 0..ATTEMPTS {
        let Some(concrete) = with_free_port(url)? else {
            return Ok((schemes.listen(&url.to_string())?, url.clone()));
        };
        match schemes.listen(&concrete.to_string()) {
            Err(error) if is_taken(&error) => {}
            carrier => return Ok((carrier?, concrete)),
        }
    }
    Err(url.error("found no free port; name one"))
}

/// Whether somebody else listens at the address.
pub(crate) fn is_taken(error: &CarrierError) -> bool {
    matches!(error, CarrierError::Listen { source, .. } if source.kind() == io::ErrorKind::AddrInUse)
}

/// The address with a port that is free at the moment; `None` if it does not ask for one.
fn with_free_port(url: &CarrierUrl) -> Result<Option<CarrierUrl>, CarrierError> {
    let Some(host) = url.address().strip_suffix(":0").filter(|_| url.scheme() == "tcp") else {
        return Ok(None);
    };
    let port = TcpListener::bind(url.address()).and_then(|socket| socket.local_addr());
    let port = port
        .map_err(|source| CarrierError::Listen {
            address: url.address().to_owned(),
            source,
        })?
        .port();
    let text = url
        .to_string()
        .replacen(&format!("{host}:0"), &format!("{host}:{port}"), 1);
    text.parse().map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_addresses_are_in_the_table() {
        let usual = usual();
        assert_eq!(usual.last().unwrap().to_string(), "tcp://127.0.0.1:3000");
        for url in usual {
            schemes().dial(&url.to_string()).unwrap();
        }
        let error = schemes().dial("carrier-pigeon://roof").unwrap_err().to_string();
        assert!(error.contains("known are ipc:, serial:, tcp:, zmq:"), "{error}");
    }

    #[test]
    fn port_0_becomes_a_free_port() {
        let url: CarrierUrl = "tcp://127.0.0.1:0?dialect=sig1".parse().unwrap();
        let (_carrier, found) = listen(&url).unwrap();
        assert!(
            !found.address().ends_with(":0") && found.option("dialect") == Some("sig1"),
            "{found}"
        );
        let taken = listen(&found).unwrap_err();
        assert!(is_taken(&taken), "{taken}");

        let (_carrier, found) = listen(&"zmq:tcp://127.0.0.1:*".parse().unwrap()).unwrap();
        assert!(
            !found.address().ends_with(":*") && !found.address().ends_with(":0"),
            "{found}"
        );
        let taken = listen(&found).unwrap_err();
        assert!(is_taken(&taken), "{taken}");
    }
}
