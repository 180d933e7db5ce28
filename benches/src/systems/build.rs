//! Builds the programs of the parties.

use std::cell::OnceCell;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::Failure;

/// Builds with cargo, or takes what was built before.
#[derive(Debug)]
pub(crate) struct Builder {
    cargo: Option<PathBuf>,
    /// Where this program is, and `sig` beside it.
    programs: PathBuf,
    benches: &'static Path,
    /// Set once the peers were built, or could not be.
    peers: OnceCell<()>,
}

impl Builder {
    /// Builds nothing if told so.
    pub(crate) fn new(builds: bool) -> Result<Self, Failure> {
        let programs = std::env::current_exe()?;
        let cargo = std::env::var_os("CARGO").map_or_else(|| "cargo".into(), PathBuf::from);
        Ok(Self {
            cargo: builds.then_some(cargo),
            programs: programs.parent().map(Path::to_owned).unwrap_or_default(),
            benches: Path::new(env!("CARGO_MANIFEST_DIR")),
            peers: OnceCell::new(),
        })
    }

    /// The `sig` command, with release settings.
    pub(crate) fn sig(&self) -> Result<PathBuf, Failure> {
        let target = self.programs.parent().map(Path::to_owned).unwrap_or_default();
        self.build(&self.benches.join("../Cargo.toml"), &["-p", "sig-cli"], &target)?;
        self.found(target.join("release/sig"), "cargo build --release -p sig-cli")
    }

    /// The program of a peer. The first time all of them are built together, since they share most of what they need;
    /// one that does not build does not keep the others from it.
    pub(crate) fn peer(&self, package: &str) -> Result<PathBuf, Failure> {
        let target = self.kept("peers");
        self.peers.get_or_init(|| {
            let manifest = self.benches.join("peers/Cargo.toml");
            // Whose program is missing will say so.
            let _ = self.build(&manifest, &["--workspace", "--keep-going"], &target);
        });
        let how = if self.cargo.is_some() {
            "it does not build, see above"
        } else {
            "run without --no-build"
        };
        self.found(target.join("release").join(package), how)
    }

    /// A file among the peers' sources.
    pub(crate) fn source(&self, name: &str) -> PathBuf {
        self.benches.join("peers").join(name)
    }

    /// Where things of the peers are kept.
    pub(crate) fn kept(&self, name: &str) -> PathBuf {
        self.programs
            .parent()
            .map_or_else(|| name.into(), |target| target.join(name))
    }

    fn build(&self, manifest: &Path, what: &[&str], target: &Path) -> Result<(), Failure> {
        let Some(cargo) = &self.cargo else { return Ok(()) };
        let built = Command::new(cargo)
            .args(["build", "--release", "--locked", "--quiet"])
            .args(what)
            .arg("--manifest-path")
            .arg(manifest)
            .arg("--target-dir")
            .arg(target)
            .status()
            .map_err(|error| Failure::of("cannot run cargo", error))?;
        if built.success() {
            Ok(())
        } else {
            Err(Failure::new(format!("{} does not build", manifest.display())))
        }
    }

    fn found(&self, program: PathBuf, how: &str) -> Result<PathBuf, Failure> {
        if program.is_file() {
            Ok(program)
        } else {
            Err(Failure::new(format!("{} is not there: {how}", program.display())))
        }
    }
}
