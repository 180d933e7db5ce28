//! Whether a path can be listened at. The libraries remove whatever is there.

use crate::Error;

/// Checks that nobody listens at an `ipc://` endpoint, and that nothing but a socket is lost when it is bound.
#[cfg(unix)]
pub(crate) fn check(endpoint: &str) -> Result<(), Error> {
    use std::io;
    use std::os::unix::fs::FileTypeExt as _;

    use socket2::{Domain, SockAddr, Socket, Type};

    let Some(path) = endpoint.strip_prefix("ipc://").filter(|path| !path.starts_with('@')) else {
        return Ok(());
    };
    // What is wrong with the path itself is said when it is bound.
    let Ok(found) = std::fs::symlink_metadata(path) else {
        return Ok(());
    };
    if !found.file_type().is_socket() {
        return Err(Error::Endpoint {
            endpoint: endpoint.to_owned(),
            reason: "there is something at this path that is no socket, and would be removed: choose another one"
                .into(),
        });
    }
    let connected = Socket::new(Domain::UNIX, Type::STREAM, None).and_then(|socket| {
        // One whose queue is full is not to be waited for.
        socket.set_nonblocking(true)?;
        socket.connect(&SockAddr::unix(path)?)
    });
    match connected {
        // A process that is gone left it behind.
        Err(error) if matches!(error.kind(), io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Err(taken(endpoint, error)),
        _ => Err(taken(endpoint, io::ErrorKind::AddrInUse.into())),
    }
}

#[cfg(unix)]
fn taken(endpoint: &str, source: std::io::Error) -> Error {
    Error::Io {
        action: "bind",
        endpoint: endpoint.to_owned(),
        source,
    }
}

#[cfg(not(unix))]
pub(crate) fn check(_endpoint: &str) -> Result<(), Error> {
    Ok(())
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::*;

    #[test]
    fn neither_a_file_nor_a_live_socket_is_removed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("router");
        let endpoint = format!("ipc://{}", path.display());
        check(&endpoint).unwrap();
        std::fs::write(&path, "precious").unwrap();
        assert!(check(&endpoint).unwrap_err().to_string().contains("no socket"));
        std::fs::remove_file(&path).unwrap();
        let listener = UnixListener::bind(&path).unwrap();
        assert!(matches!(check(&endpoint).unwrap_err(), Error::Io { .. }));
        drop(listener);
        check(&endpoint).unwrap();
        check("ipc://@abstract").unwrap();
        check("tcp://127.0.0.1:1").unwrap();
    }
}
