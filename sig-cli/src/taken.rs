//! An address that cannot be listened at: who could hold it, and what to do.

use std::time::Duration;

use sig_core::{CarrierError, CarrierUrl};

use crate::carriers;
use crate::connect::{attempt, bad_address};
use crate::exit::{Code, Failure};

/// How long whoever holds the address may take to say what it is.
const PATIENCE: Duration = Duration::from_secs(1);

/// What the error means to somebody at a shell.
pub(crate) async fn explain(url: &CarrierUrl, error: &CarrierError) -> Failure {
    if !carriers::is_taken(error) {
        return match error {
            CarrierError::Listen { .. } => Failure::new(Code::Failed, "cannot_listen", error),
            _ => bad_address(url, error),
        };
    }
    let router = matches!(tokio::time::timeout(PATIENCE, router_at(url)).await, Ok(true));
    let (who, first) = match router {
        true => ("a router runs there already", "use that router, or stop it"),
        false => ("another program listens there", "stop it"),
    };
    let fix = format!("{first}{}", way_out(url));
    Failure::new(Code::Refused, "address_taken", format_args!("{url} is taken: {who}")).with_fix(fix)
}

/// Whether a router answers at the address.
async fn router_at(url: &CarrierUrl) -> bool {
    let Ok(Ok(client)) = attempt(url).await else {
        return false;
    };
    let answers = client.remote_version().await.is_ok();
    client.close(Duration::ZERO).await;
    answers
}

/// How to find who it is, and what to use instead.
fn way_out(url: &CarrierUrl) -> String {
    match url.address().rsplit_once(':') {
        Some((host, port)) if url.scheme() == "tcp" => {
            let finder = finder(port);
            format!(" ({finder} shows who it is),\nor take a free port: sig serve tcp://{host}:0")
        }
        _ => ",\nor take another path: sig serve ipc:///path/to/socket".to_owned(),
    }
}

/// The command that shows who holds a port.
fn finder(port: &str) -> String {
    if cfg!(windows) {
        format!("netstat -ano | findstr :{port}")
    } else if cfg!(target_os = "linux") {
        format!("ss -ltnp 'sport = :{port}'")
    } else {
        format!("lsof -nP -iTCP:{port} -sTCP:LISTEN")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_a_way_out() {
        let way = way_out(&"tcp://127.0.0.1:3000".parse().unwrap());
        assert!(
            way.contains(":3000") && way.contains("sig serve tcp://127.0.0.1:0"),
            "{way}"
        );
        assert!(way_out(&"ipc://".parse().unwrap()).contains("another path"));
    }
}
