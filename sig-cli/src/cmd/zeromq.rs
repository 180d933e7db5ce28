//! What commands about ZeroMQ sockets share: what may be listened at, and what is said when something fails.

use std::io;

use sig_carrier_zmq::Error;
use sig_core::CarrierUrl;

use crate::exit::{Code, Failure};
use crate::exposure::Exposure;

/// Refuses to listen where other machines could connect, unless they are meant to.
pub(super) fn exposed(endpoint: &str, insecure: bool) -> Result<(), Failure> {
    let url = format!("zmq:{endpoint}").parse::<CarrierUrl>();
    // What is no endpoint at all is said when it is to be bound.
    let open = url.is_ok_and(|url| endpoint.starts_with("tcp://") && Exposure::of(&url) == Exposure::Network);
    if !open || insecure {
        return Ok(());
    }
    let text =
        format!("{endpoint} can be reached from other machines: whoever connects could send and receive everything");
    let port = endpoint.rsplit_once(':').map_or("5559", |(_, port)| port);
    Err(Failure::new(Code::Refused, "exposed", text).with_fix(format!(
        "use tcp://127.0.0.1:{port}, or add --insecure if every host in the network is trusted"
    )))
}

/// What went wrong with a socket of this command, and what to do about it.
pub(super) fn failure(command: &'static str, error: Error) -> Failure {
    match &error {
        Error::Endpoint { .. } => Failure::new(Code::Usage, "address", error).with_fix(format!(
            "write tcp://HOST:PORT or ipc://PATH; sig {command} --help has examples"
        )),
        Error::Io { endpoint, source, .. } if source.kind() == io::ErrorKind::AddrInUse => {
            let fix = format!("stop who listens at {endpoint}, name another endpoint, or port 0 for any that is free");
            Failure::new(Code::Refused, "taken", error).with_fix(fix)
        }
        Error::Io { .. } => Failure::new(Code::Failed, "system", error),
        _ => Failure::new(Code::Failed, command, error),
    }
}
