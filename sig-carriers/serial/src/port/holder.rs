//! Who has a device open, as far as the system tells (`/proc`, on Linux).

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process;

/// A process that has a device open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Holder {
    pid: u32,
    name: String,
}

impl Holder {
    fn new(pid: u32) -> Self {
        let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
        Self {
            pid,
            name: name.trim_end().to_owned(),
        }
    }

    /// Whether it has the device open still, as far as can be seen.
    pub(super) fn still_holds(&self, device: &Path) -> bool {
        locker(device) == Some(self.pid) || fs::canonicalize(device).is_ok_and(|device| has_open(self.pid, &device))
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = if self.pid == process::id() {
            "this program itself"
        } else if self.name.is_empty() {
            "a program"
        } else {
            &self.name
        };
        write!(f, "{name} (pid {})", self.pid)
    }
}

/// The process that has the device locked, or another process that has it open without a lock: two programs that read one
/// port get half of it each. What other users' processes have open is not told, but what they have locked is.
pub(super) fn find(device: &Path) -> Option<Holder> {
    let owner = locker(device);
    if let Some(pid) = owner.filter(|pid| Path::new(&format!("/proc/{pid}")).exists()) {
        return Some(Holder::new(pid));
    }
    let real = fs::canonicalize(device).ok()?;
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let mut pids = processes.filter_map(|process| process.file_name().to_str()?.parse::<u32>().ok());
    // Whoever took the lock may have left it to another process and ended.
    pids.find(|pid| *pid != process::id() && has_open(*pid, &real))
        .or(owner)
        .map(Holder::new)
}

fn has_open(pid: u32, device: &Path) -> bool {
    let files = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    is_among(files.filter_map(|file| fs::read_link(file.path()).ok()), device)
}

/// Whether a device is among the files of a process, for use. A program that plays a board on a pseudo-terminal often has both
/// ends of it open.
fn is_among(files: impl Iterator<Item = PathBuf>, device: &Path) -> bool {
    let (mut is_there, mut plays) = (false, false);
    for file in files {
        is_there |= file == device;
        plays |= file == Path::new("/dev/ptmx") || file == Path::new("/dev/pts/ptmx");
    }
    is_there && !(plays && device.starts_with("/dev/pts"))
}

/// The process that has locked the device, by the system's list of locks, which everybody may read.
#[cfg(target_os = "linux")]
fn locker(device: &Path) -> Option<u32> {
    use std::os::unix::fs::MetadataExt as _;

    let file = fs::metadata(device).ok()?;
    let (major, minor) = (rustix::fs::major(file.dev()), rustix::fs::minor(file.dev()));
    let wanted = format!("{major:02x}:{minor:02x}:{}", file.ino());
    locker_in(&fs::read_to_string("/proc/locks").ok()?, &wanted)
}

#[cfg(not(target_os = "linux"))]
fn locker(_: &Path) -> Option<u32> {
    None
}

/// Finds a file in a list of locks: `1: FLOCK  ADVISORY  WRITE 1234 00:17:5 0 EOF`, with `->` before what only waits.
#[cfg(target_os = "linux")]
fn locker_in(locks: &str, file: &str) -> Option<u32> {
    locks.lines().find_map(|line| {
        let words: Vec<_> = line.split_whitespace().collect();
        let (pid, locked) = (words.get(4)?, words.get(5)?);
        // A process that this one cannot see has the id 0 or -1.
        (*locked == file && words.get(1) != Some(&"->"))
            .then(|| pid.parse().ok().filter(|pid| *pid != 0))
            .flatten()
    })
}

#[cfg(target_os = "linux")]
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_found_by_its_file() {
        let locks = "1: POSIX  ADVISORY  WRITE 11 00:19:4 0 EOF\n\
                     2: FLOCK  ADVISORY  WRITE 12 00:17:5 0 EOF\n\
                     2: -> FLOCK  ADVISORY  WRITE 13 00:17:6 0 EOF\n\
                     3: FLOCK  ADVISORY  WRITE 0 00:17:7 0 EOF\n";
        assert_eq!(locker_in(locks, "00:17:5"), Some(12));
        for nobody in ["00:17:6", "00:17:7", "00:17:55"] {
            assert_eq!(locker_in(locks, nobody), None, "{nobody}");
        }
    }

    #[test]
    fn a_program_that_plays_a_board_does_not_hold_it() {
        let among = |files: &[&str], device: &str| is_among(files.iter().map(PathBuf::from), Path::new(device));
        assert!(among(&["/dev/null", "/dev/pts/3"], "/dev/pts/3"));
        assert!(!among(&["/dev/pts/3", "/dev/ptmx"], "/dev/pts/3"));
        assert!(!among(&["/dev/pts/ptmx", "/dev/pts/4"], "/dev/pts/3"));
        assert!(
            among(&["/dev/ttyACM0", "/dev/ptmx"], "/dev/ttyACM0"),
            "a terminal emulator, say"
        );
    }

    #[test]
    fn whoever_locked_a_file_is_named() {
        let file = tempfile::NamedTempFile::new().unwrap();
        assert_eq!(find(file.path()), None);
        rustix::fs::flock(file.as_file(), rustix::fs::FlockOperation::NonBlockingLockExclusive).unwrap();
        let holder = find(file.path()).unwrap();
        assert_eq!(
            holder.to_string(),
            format!("this program itself (pid {})", process::id())
        );
        assert!(holder.still_holds(file.path()));
    }

    #[test]
    fn a_process_that_has_it_open_without_a_lock_is_named() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut reader = process::Command::new("tail")
            .arg("-f")
            .arg(file.path())
            .spawn()
            .unwrap();
        let mut found = None;
        while found.is_none() && reader.try_wait().unwrap().is_none() {
            found = find(file.path());
        }
        let found = found.unwrap();
        assert_eq!(found.to_string(), format!("tail (pid {})", reader.id()));
        assert!(found.still_holds(file.path()));
        reader.kill().unwrap();
        reader.wait().unwrap();
        assert!(!found.still_holds(file.path()));
    }
}
