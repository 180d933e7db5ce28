//! Binding a socket file, and giving it back.

use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};
use sig_core::CarrierError;
use socket2::{Domain, SockAddr, Socket, Type};
use tracing::debug;

use super::place::error;

/// Connections that may wait to be accepted.
const BACKLOG: i32 = 1024;

/// A socket file that this process made. Dropping it removes the file, unless another has taken its place.
#[derive(Debug)]
pub(super) struct SocketFile {
    path: PathBuf,
    device: u64,
    inode: u64,
}

/// Binds a socket at `path`. A file that nobody listens at any more is replaced.
pub(super) fn bind(path: &Path) -> Result<(UnixListener, SocketFile), CarrierError> {
    let directory = directory_of(path);
    if !directory.is_dir() {
        let why = format!(
            "there is no directory {}; make it first, or use another path",
            directory.display()
        );
        return Err(error(path, &why));
    }
    let _lock = lock(directory);
    match look(path) {
        Found::Nothing => {}
        Found::Stale => {
            debug!(path = %path.display(), "replacing a socket that nobody listens at");
            fs::remove_file(path).map_err(|source| listen_error(path, source))?;
        }
        Found::Live => return Err(listen_error(path, io::ErrorKind::AddrInUse.into())),
        Found::NoSocket => return Err(error(path, "this file is not a socket; remove it, or use another path")),
    }
    make(path).map_err(|source| listen_error(path, source))
}

fn make(path: &Path) -> io::Result<(UnixListener, SocketFile)> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    socket.bind(&SockAddr::unix(path)?)?;
    let found = fs::symlink_metadata(path)?;
    let file = SocketFile {
        path: path.to_owned(),
        device: found.dev(),
        inode: found.ino(),
    };
    // Before `listen`, nobody can connect yet.
    fs::set_permissions(path, Permissions::from_mode(0o600))?;
    socket.listen(BACKLOG)?;
    Ok((socket.into(), file))
}

/// What is at a path.
#[derive(Debug, PartialEq, Eq)]
enum Found {
    Nothing,
    /// A socket that refuses connections: whoever made it is gone.
    Stale,
    Live,
    NoSocket,
}

fn look(path: &Path) -> Found {
    match fs::symlink_metadata(path) {
        Err(_) => Found::Nothing,
        Ok(found) if !found.file_type().is_socket() => Found::NoSocket,
        Ok(_) => match knock(path) {
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => Found::Stale,
            // Also when its queue is full, or it may not be used by this user.
            _ => Found::Live,
        },
    }
}

/// Connects, without waiting, and hangs up.
fn knock(path: &Path) -> io::Result<()> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    socket.connect(&SockAddr::unix(path)?)
}

/// Keeps two processes that start at the same moment from replacing each other's socket. A directory that cannot be
/// locked (or that somebody keeps locked) is used without.
fn lock(directory: &Path) -> Option<File> {
    let directory = File::open(directory).ok()?;
    for _ in 0..50 {
        match flock(&directory, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Some(directory),
            Err(rustix::io::Errno::WOULDBLOCK) => thread::sleep(Duration::from_millis(10)),
            Err(_) => return None,
        }
    }
    None
}

fn directory_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
        Some(parent) => parent,
        None => Path::new("/"),
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let _lock = lock(directory_of(&self.path));
        let is_ours =
            fs::symlink_metadata(&self.path).is_ok_and(|found| (found.dev(), found.ino()) == (self.device, self.inode));
        if is_ours {
            if let Err(error) = fs::remove_file(&self.path) {
                debug!(path = %self.path.display(), %error, "cannot remove a socket file");
            }
        }
    }
}

fn listen_error(path: &Path, source: io::Error) -> CarrierError {
    CarrierError::Listen {
        address: format!("ipc://{}", path.display()),
        source,
    }
}
