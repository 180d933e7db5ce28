//! Where sockets are: names, paths and the well-known directory.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::os::unix::net::SocketAddr;
use std::path::{Path, PathBuf};

use sig_core::CarrierError;

use crate::DEFAULT_NAME;

/// Most bytes of a socket's path.
const MAX_PATH: usize = if cfg!(any(target_os = "linux", target_os = "android")) {
    107
} else {
    103
};

/// A socket as the user wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// A file name in the well-known directory.
    Name(String),
    /// A path of the user's choice.
    Path(PathBuf),
}

impl Place {
    /// Reads a name or a path.
    pub(super) fn parse(text: &str) -> Result<Self, CarrierError> {
        let name = if text.is_empty() { DEFAULT_NAME } else { text };
        if name.contains('/') {
            let path = PathBuf::from(name);
            check_path(&path)?;
            return Ok(Self::Path(path));
        }
        if name.starts_with('.') || name.chars().any(char::is_control) {
            return Err(error(
                Path::new(name),
                "a socket's name is printable and does not begin with a dot; a path has a slash, such as ./lab.sock",
            ));
        }
        Ok(Self::Name(format!("{name}.sock")))
    }

    /// The path to listen at; makes the well-known directory if need be.
    pub(super) fn to_listen(&self, base: &Base) -> Result<PathBuf, CarrierError> {
        let Self::Name(file) = self else {
            return Ok(self.shown(base));
        };
        let directory = base.preferred();
        match DirBuilder::new().mode(0o700).create(&directory) {
            Err(reason) if reason.kind() != io::ErrorKind::AlreadyExists => {
                return Err(error(&directory, &format!("cannot make the directory: {reason}")));
            }
            _ => base.check_own(&directory)?,
        }
        let path = directory.join(file);
        check_path(&path)?;
        Ok(path)
    }

    /// The paths to try, in order. Directories that others could have put a socket in are left out; where there is no
    /// other, they are an error.
    pub(super) fn to_dial(&self, base: &Base) -> Result<Vec<PathBuf>, CarrierError> {
        let Self::Name(file) = self else {
            return Ok(vec![self.shown(base)]);
        };
        let (mut paths, mut refused) = (Vec::new(), None);
        for directory in base.all().filter(|directory| fs::symlink_metadata(directory).is_ok()) {
            match base.check_own(&directory) {
                Ok(()) => paths.push(directory.join(file)),
                Err(error) => refused = Some(error),
            }
        }
        match refused {
            Some(error) if paths.is_empty() => Err(error),
            _ => Ok(paths),
        }
    }

    /// The path for people: where a listener would be.
    pub(super) fn shown(&self, base: &Base) -> PathBuf {
        match self {
            Self::Path(path) => path.clone(),
            Self::Name(file) => base.preferred().join(file),
        }
    }
}

/// What the well-known directory depends on.
#[derive(Debug)]
pub(super) struct Base {
    /// `$XDG_RUNTIME_DIR`.
    pub(super) runtime: Option<PathBuf>,
    pub(super) tmp: PathBuf,
    pub(super) uid: u32,
}

impl Base {
    pub(super) fn of_this_process() -> Self {
        Self {
            runtime: std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from),
            tmp: PathBuf::from("/tmp"),
            uid: rustix::process::geteuid().as_raw(),
        }
    }

    /// The directory to listen in.
    fn preferred(&self) -> PathBuf {
        self.in_runtime().unwrap_or_else(|| self.in_tmp())
    }

    /// The directories to dial in, since a server that was started elsewhere may have no runtime directory.
    fn all(&self) -> impl Iterator<Item = PathBuf> {
        self.in_runtime().into_iter().chain([self.in_tmp()])
    }

    /// In the runtime directory, if it is this user's: `sudo` may leave that of somebody else in the environment.
    fn in_runtime(&self) -> Option<PathBuf> {
        let runtime = self.runtime.as_ref().filter(|path| path.is_absolute())?;
        let found = fs::metadata(runtime).ok()?;
        (found.is_dir() && found.uid() == self.uid).then(|| runtime.join("sig"))
    }

    fn in_tmp(&self) -> PathBuf {
        self.tmp.join(format!("sig-{}", self.uid))
    }

    /// Checks that a directory is this user's, and that nobody else can put something into it.
    fn check_own(&self, directory: &Path) -> Result<(), CarrierError> {
        let found = fs::symlink_metadata(directory).map_err(|error| self::error(directory, &error.to_string()))?;
        if !found.is_dir() || found.uid() != self.uid {
            return Err(error(
                directory,
                "not a directory of this user's own, so somebody else may be listening in; remove it, or use a path",
            ));
        }
        if found.mode() & 0o077 != 0 {
            return Err(error(
                directory,
                "others may enter this directory; chmod 700 it, or use a path",
            ));
        }
        Ok(())
    }
}

/// Checks that a path fits into a socket's address.
fn check_path(path: &Path) -> Result<(), CarrierError> {
    match SocketAddr::from_pathname(path) {
        Ok(_) => Ok(()),
        Err(_) if path.as_os_str().len() > MAX_PATH => Err(error(
            path,
            &format!(
                "the path has {} bytes, and a socket's has at most {MAX_PATH}; choose a shorter one",
                path.as_os_str().len()
            ),
        )),
        Err(reason) => Err(error(path, &reason.to_string())),
    }
}

pub(super) fn error(path: &Path, why: &str) -> CarrierError {
    CarrierError::Address {
        address: format!("ipc://{}", path.display()),
        why: why.to_owned(),
    }
}
