//! Boards for examples: what a board and a cable would be is played over pseudo-terminals.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};
use tokio::io::unix::AsyncFd;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// A board that is plugged in; dropped, it is pulled out.
#[derive(Debug)]
pub struct Board {
    device: PathBuf,
    prints: mpsc::Sender<Vec<u8>>,
    /// Ends when this is dropped.
    _task: JoinSet<()>,
}

impl Board {
    /// Plugs a board in. It is given what the router sends, and prints what it makes of that.
    ///
    /// # Errors
    ///
    /// When there are no pseudo-terminals.
    pub fn plug(mut hears: impl FnMut(&[u8]) -> Vec<u8> + Send + 'static) -> io::Result<Self> {
        let end = End::new()?;
        let device = end.device.clone();
        let (prints, mut printed) = mpsc::channel::<Vec<u8>>(16);
        let mut task = JoinSet::new();
        task.spawn(async move {
            loop {
                let bytes = tokio::select! {
                    bytes = printed.recv() => bytes,
                    bytes = end.read() => bytes.ok().map(|bytes| hears(&bytes)),
                };
                let Some(bytes) = bytes else { break };
                if end.write(&bytes).await.is_err() {
                    break;
                }
            }
        });
        Ok(Self {
            device,
            prints,
            _task: task,
        })
    }

    /// Plugs a board in that reads lines. To each it says nothing, or a line.
    ///
    /// # Errors
    ///
    /// When there are no pseudo-terminals.
    pub fn with_lines(mut answer: impl FnMut(&str) -> Option<String> + Send + 'static) -> io::Result<Self> {
        let mut begun = String::new();
        Self::plug(move |bytes| {
            begun.push_str(&String::from_utf8_lossy(bytes));
            let mut answers = String::new();
            while let Some((line, rest)) = begun.split_once('\n') {
                if let Some(answer) = answer(line) {
                    answers += &answer;
                    answers.push('\n');
                }
                begun = rest.to_owned();
            }
            answers.into_bytes()
        })
    }

    /// Where the router finds it, as `/dev/ttyACM0` would be.
    #[must_use]
    pub fn device(&self) -> &Path {
        &self.device
    }

    /// Prints.
    ///
    /// # Cancel safety
    ///
    /// When it is cancelled, nothing is printed.
    pub async fn print(&self, bytes: impl Into<Vec<u8>>) {
        // Once it is pulled out it prints into the void, as any board.
        let _ = self.prints.send(bytes.into()).await;
    }
}

/// A serial cable between two devices of this machine; dropped, it is unplugged at both ends.
#[derive(Debug)]
pub struct Cable {
    devices: [PathBuf; 2],
    /// Ends when this is dropped.
    _task: JoinSet<()>,
}

impl Cable {
    /// A cable.
    ///
    /// # Errors
    ///
    /// When there are no pseudo-terminals.
    pub fn new() -> io::Result<Self> {
        let (one, other) = (End::new()?, End::new()?);
        let devices = [one.device.clone(), other.device.clone()];
        let mut task = JoinSet::new();
        task.spawn(async move {
            let there = async {
                while other.write(&one.read().await?).await.is_ok() {}
                io::Result::Ok(())
            };
            let back = async {
                while one.write(&other.read().await?).await.is_ok() {}
                io::Result::Ok(())
            };
            let _ = tokio::join!(there, back);
        });
        Ok(Self { devices, _task: task })
    }

    /// Its two ends.
    #[must_use]
    pub fn devices(&self) -> &[PathBuf; 2] {
        &self.devices
    }
}

/// One end of a line. The other end is the device.
#[derive(Debug)]
struct End {
    end: AsyncFd<File>,
    device: PathBuf,
    /// So that this end lives whether or not somebody has opened the device.
    _device: File,
}

impl End {
    fn new() -> io::Result<Self> {
        let end: OwnedFd = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
        grantpt(&end)?;
        unlockpt(&end)?;
        rustix::fs::fcntl_setfl(&end, rustix::fs::fcntl_getfl(&end)? | OFlags::NONBLOCK)?;
        let name = ptsname(&end, Vec::new())?;
        let device = PathBuf::from(name.to_string_lossy().into_owned());
        let opened = File::options().read(true).write(true).open(&device)?;
        let mut line = tcgetattr(&opened)?;
        line.make_raw();
        tcsetattr(&opened, OptionalActions::Now, &line)?;
        #[allow(deprecated, reason = "what replaces it is unsafe; a File keeps its descriptor")]
        let end = AsyncFd::new(end.into())?;
        Ok(Self {
            end,
            device,
            _device: opened,
        })
    }

    async fn read(&self) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; 4096];
        loop {
            let mut ready = self.end.readable().await?;
            if let Ok(read) = ready.try_io(|end| end.get_ref().read(&mut bytes)) {
                bytes.truncate(read?);
                return Ok(bytes);
            }
        }
    }

    async fn write(&self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let mut ready = self.end.writable().await?;
            if let Ok(written) = ready.try_io(|end| end.get_ref().write(bytes)) {
                bytes = &bytes[written?..];
            }
        }
        Ok(())
    }
}
