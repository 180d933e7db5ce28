//! Who can connect to an address.

use std::fmt;
use std::net::{IpAddr, ToSocketAddrs as _};

use serde::Serialize;
use sig_core::CarrierUrl;

use crate::exit::{Code, Failure};

/// Who can connect to an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Exposure {
    /// The user who runs the router.
    User,
    /// Every user and program of this machine.
    Machine,
    /// Who or what is at the other end of a wire.
    Wire,
    /// Whoever has a way here and proves a password or a key.
    Proven,
    /// Every host that has a way to this one.
    Network,
}

impl fmt::Display for Exposure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::User => "this user only",
            Self::Machine => "this machine only",
            Self::Wire => "whatever is at the other end of the wire",
            Self::Proven => "whoever proves a password or a key",
            Self::Network => "EVERY HOST IN THE NETWORK, without a password",
        })
    }
}

impl Exposure {
    /// Who could connect if a router listened at `url`. What is not known to be private counts as open.
    pub(crate) fn of(url: &CarrierUrl) -> Self {
        match url.scheme() {
            "ipc" => Self::User,
            "local" => Self::User,
            "zmq" => Self::of_zmq(url),
            sig_carrier_serial::SCHEME => Self::Wire,
            _ if loops_back(url.address()) => Self::Machine,
            _ => Self::Network,
        }
    }
}

impl Exposure {
    fn of_zmq(url: &CarrierUrl) -> Self {
        match url.address().split_once("://") {
            Some(("inproc", _)) => Self::User,
            // Its socket has the rights that this user's files usually have.
            Some(("ipc", _)) => Self::Machine,
            Some(("tcp", address)) if loops_back(address) => Self::Machine,
            _ if url.option("curve").is_some() || url.option("plain").is_some() => Self::Proven,
            _ => Self::Network,
        }
    }
}

/// Refuses an address that other machines can reach, unless they are meant to.
pub(crate) fn check(url: &CarrierUrl, insecure: bool) -> Result<Exposure, Failure> {
    let exposure = Exposure::of(url);
    if exposure < Exposure::Network || insecure {
        return Ok(exposure);
    }
    let port = url.address().rsplit_once(':').map(|(_, port)| port);
    let port = port.filter(|port| !matches!(*port, "" | "0")).unwrap_or("3000");
    let (scheme, curve) = match url.scheme() {
        "zmq" => ("zmq:tcp://".to_owned(), "?curve=FILE with the keys of this router, or "),
        other => (format!("{other}://"), ""),
    };
    Err(Failure::new(
        Code::Refused,
        "exposed",
        format_args!(
            "{url} can be reached from other machines, and there are no tokens yet: whoever connects could hear and \
             trigger everything"
        ),
    )
    .with_fix(format!(
        "listen on {scheme}127.0.0.1:{port} and reach it from the other machine through\n\
         ssh -L {port}:127.0.0.1:{port} USER@THIS-HOST, or add {curve}--insecure if every host in the network is trusted",
    )))
}

/// Whether an address `host:port` stays on this machine. All addresses that a name stands for must.
fn loops_back(address: &str) -> bool {
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    if let Ok(ip) = bare.parse::<IpAddr>() {
        return ip.to_canonical().is_loopback();
    }
    if host.is_empty() {
        return false;
    }
    match (host, 0).to_socket_addrs() {
        Ok(found) => {
            let mut found = found.peekable();
            found.peek().is_some() && found.all(|found| found.ip().to_canonical().is_loopback())
        }
        Err(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(url: &str) -> Exposure {
        Exposure::of(&url.parse().unwrap())
    }

    #[test]
    fn loopback_stays_on_this_machine() {
        for url in [
            "tcp://127.0.0.1:3000",
            "tcp://127.9.9.9:1",
            "tcp://[::1]:3000",
            "tcp://[::ffff:127.0.0.1]:3000",
            "tcp://localhost:3000",
        ] {
            assert_eq!(of(url), Exposure::Machine, "{url}");
        }
    }

    #[test]
    fn everything_else_is_open() {
        for url in [
            "tcp://0.0.0.0:3000",
            "tcp://[::]:3000",
            "tcp://:3000",
            "tcp://192.168.1.5:3000",
            "tcp://no-such-host.invalid:3000",
            "carrier-pigeon://roof",
            "tcp://",
        ] {
            assert_eq!(of(url), Exposure::Network, "{url}");
        }
    }

    #[test]
    fn zeromq_is_as_open_as_its_endpoint() {
        for (url, exposure) in [
            ("zmq:tcp://127.0.0.1:5555", Exposure::Machine),
            ("zmq:tcp://*:5555", Exposure::Network),
            ("zmq:tcp://*:5555?curve=keys", Exposure::Proven),
            ("zmq:ipc:///run/lab/router", Exposure::Machine),
            ("zmq:inproc://router", Exposure::User),
        ] {
            assert_eq!(of(url), exposure, "{url}");
        }
        let fix = check(&"zmq:tcp://*:5555".parse().unwrap(), false)
            .unwrap_err()
            .fix
            .unwrap();
        assert!(
            fix.contains("zmq:tcp://127.0.0.1:5555") && fix.contains("?curve=FILE"),
            "{fix}"
        );
    }

    #[test]
    fn a_wire_has_one_other_end() {
        assert_eq!(of("serial:usb?vid=2341"), Exposure::Wire);
        assert!(check(&"serial:///dev/ttyACM0".parse().unwrap(), false).is_ok());
    }

    #[test]
    fn local_sockets_belong_to_the_user() {
        assert_eq!(of("ipc://"), Exposure::User);
        assert_eq!(of("ipc:///run/lab/sig.sock"), Exposure::User);
    }

    #[test]
    fn open_addresses_need_a_word_and_the_refusal_says_which() {
        let url: CarrierUrl = "tcp://0.0.0.0:4000".parse().unwrap();
        let refused = check(&url, false).unwrap_err();
        assert_eq!(refused.code, Code::Refused);
        assert!(refused.text.contains("tcp://0.0.0.0:4000"));
        let fix = refused.fix.unwrap();
        assert!(
            fix.contains("tcp://127.0.0.1:4000") && fix.contains("--insecure"),
            "{fix}"
        );
        assert_eq!(check(&url, true), Ok(Exposure::Network));
    }
}
