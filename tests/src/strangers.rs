//! Many connections of one process, and what they cost it.

use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;

/// Bytes of memory that this process holds; `None` where the system does not say.
#[must_use]
pub fn memory() -> Option<usize> {
    let pages = std::fs::read_to_string("/proc/self/statm").ok()?;
    let resident: usize = pages.split_whitespace().nth(1)?.parse().ok()?;
    Some(resident * 4096)
}

/// Lets this process have as many files as the system grants, 65,536 at most: a connection within it needs two, which is more than many
/// systems give at first.
///
/// # Panics
///
/// When the system refuses.
#[cfg(unix)]
pub fn allow_many_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let wanted = Rlimit {
        current: limit.maximum.or(Some(1 << 16)).map(|most| most.min(1 << 16)),
        maximum: limit.maximum,
    };
    setrlimit(Resource::Nofile, wanted).expect("a limit that the system grants");
}

/// Elsewhere there is no such limit.
#[cfg(not(unix))]
pub fn allow_many_files() {}

/// Waits until the other end closes the connection.
pub async fn closed(mut stream: TcpStream) {
    let mut bytes = [0; 256];
    while let Ok(1..) = stream.read(&mut bytes).await {}
}
