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
            _ => bad_address(error),
        };
    }
    let who = match tokio::time::timeout(PATIENCE, router_at(url)).await {
        Ok(true) => "a router runs there already",
        _ => "another program listens there",
    };
    Failure::new(Code::Refused, "address_taken", format_args!("{url} is taken: {who}")).with_fix(fix(url))
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

fn fix(url: &CarrierUrl) -> String {
    match url.address().rsplit_once(':') {
        Some((host, port)) if url.scheme() == "tcp" => {
            format!(
                "use that router, or stop it ({} shows who it is),\nor take a free port: sig serve tcp://{host}:0",
                finder(port)
            )
        }
        _ => "use that router, or stop it, or take another path: sig serve ipc:///path/to/socket".to_owned(),
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
    fn the_fix_names_the_port_and_a_way_out() {
        let fix = fix(&"tcp://127.0.0.1:3000".parse().unwrap());
        assert!(
            fix.contains(":3000") && fix.contains("sig serve tcp://127.0.0.1:0"),
            "{fix}"
        );
        assert!(super::fix(&"ipc://".parse().unwrap()).contains("another path"));
    }
}
