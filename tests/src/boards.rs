//! Boards without hardware: the sketches, the MicroPython file and the firmware of `sensor/`, each played by a process whose
//! line is a pseudo-terminal.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{LazyLock, Mutex, OnceLock};

use tokio::process::Command as TokioCommand;

use crate::process::Process;
use crate::python;

/// A command with its arguments, or why there is none.
type Program = Result<Vec<PathBuf>, String>;

/// A board that a test can plug in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Board {
    /// The sketch of twelve lines: `sensor/arduino/plain_board`.
    PlainSketch,
    /// The sketch that uses the header, with frames: `sensor/arduino/sig_board`.
    HeaderSketch,
    /// `sensor/micropython/main.py`: lines with check sums.
    MicroPython,
    /// `sensor/qemu/board.c` under qemu, with plain lines.
    QemuPlain,
    /// The same, with check sums.
    QemuLines,
    /// The same, with frames.
    QemuFrames,
}

impl Board {
    /// Whether this machine can play the board. If not, that and the reason is said on stderr, and the test that asks must
    /// return without testing anything.
    ///
    /// # Panics
    ///
    /// Instead of returning `false` when `SIG_REQUIRE_BOARDS=1` is set; when its code does not compile.
    #[must_use]
    pub fn is_there(self) -> bool {
        match self.program() {
            Ok(_) => true,
            Err(why) => {
                python::skip("boards", &why);
                false
            }
        }
    }

    /// Plugs it in: a symbolic link with this name leads to its line, until it is unplugged and beyond, as a dead end.
    ///
    /// # Panics
    ///
    /// When it does not start.
    pub async fn plug(self, link: &Path) -> Plugged {
        let program = self.program().expect("the test asked whether it is there");
        let mut command = TokioCommand::new(&program[0]);
        command.args(&program[1..]);
        let is_qemu = matches!(self, Self::QemuPlain | Self::QemuLines | Self::QemuFrames);
        if !is_qemu {
            command.arg(link);
        }
        let mut process = Process::of(&format!("{self:?}"), command);
        let pty = |line: &str| {
            let at = line.find("/dev/")?;
            line[at..].split(' ').next().map(PathBuf::from)
        };
        let pty = process.says("the name of its line", pty).await;
        if is_qemu {
            lead(link, &pty);
        }
        Plugged { process, pty }
    }

    /// What runs it, with its arguments.
    fn program(self) -> Program {
        static BUILT: LazyLock<Mutex<BTreeMap<Board, Program>>> = LazyLock::new(Mutex::default);
        let mut built = BUILT.lock().expect("nothing panics while it builds");
        built.entry(self).or_insert_with(|| self.build()).clone()
    }

    fn build(self) -> Program {
        if !cfg!(target_os = "linux") {
            return Err("the boards are played on Linux only".to_owned());
        }
        match self {
            Self::PlainSketch => sketch("plain_board"),
            Self::HeaderSketch => sketch("sig_board"),
            Self::MicroPython => {
                let run = sensor().join("micropython/shim/run.py");
                Ok(vec![python::python3()?.into(), "-B".into(), run])
            }
            Self::QemuPlain => firmware("SIG_LINES"),
            Self::QemuLines => firmware("SIG_LINES_CRC"),
            Self::QemuFrames => firmware("SIG_FRAMES"),
        }
    }
}

/// A board that is plugged in. Dropped, it is unplugged.
#[derive(Debug)]
pub struct Plugged {
    process: Process,
    pty: PathBuf,
}

impl Plugged {
    /// The pseudo-terminal itself.
    #[must_use]
    pub fn pty(&self) -> &Path {
        &self.pty
    }

    /// What it does beside its line: pins that are set.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// Pulls it out, and waits until it is gone.
    ///
    /// # Panics
    ///
    /// When it went by itself.
    pub async fn unplug(self) {
        self.process.kill().await;
    }
}

/// The folder of what runs on boards.
#[must_use]
pub fn sensor() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../sensor")
}

/// A place of this test program for what it builds, in the target directory.
///
/// # Panics
///
/// When it cannot be made.
#[must_use]
pub fn scratch() -> &'static Path {
    static SCRATCH: OnceLock<PathBuf> = OnceLock::new();
    SCRATCH.get_or_init(|| {
        let program = std::env::current_exe().expect("a test is a program");
        let place = program.with_extension("boards");
        std::fs::create_dir_all(&place).expect("it is the target directory");
        place
    })
}

/// Makes a symbolic link lead here, whether there was one or not.
fn lead(link: &Path, to: &Path) {
    #[cfg(unix)]
    {
        let made = link.with_extension("new");
        let _ = std::fs::remove_file(&made);
        std::os::unix::fs::symlink(to, &made).expect("a link can be made");
        std::fs::rename(&made, link).expect("a link can be put in its place");
    }
    #[cfg(not(unix))]
    let _ = (link, to);
}

fn sketch(name: &str) -> Program {
    let compiler = find("c++", &["c++", "g++", "clang++"])?;
    let (arduino, program) = (sensor().join("arduino"), scratch().join(name));
    let mut command = Command::new(compiler);
    command.args([
        "-std=c++11",
        "-Wall",
        "-Wextra",
        "-Wpedantic",
        "-Wconversion",
        "-Werror",
        "-include",
        "Arduino.h",
    ]);
    command
        .arg("-I")
        .arg(arduino.join("shim"))
        .arg("-I")
        .arg(sensor().join("c"));
    command
        .args(["-x", "c++"])
        .arg(arduino.join(name).join(format!("{name}.ino")));
    command.arg(arduino.join("shim/main.cpp")).arg("-o").arg(&program);
    compile(command);
    Ok(vec![program])
}

fn firmware(dialect: &str) -> Program {
    let qemu = find("qemu-system-arm", &["qemu-system-arm"])?;
    let compiler = find("arm-none-eabi-gcc", &["arm-none-eabi-gcc"])?;
    let (folder, program) = (sensor().join("qemu"), scratch().join(format!("{dialect}.elf")));
    let mut command = Command::new(compiler);
    command.args([
        "-std=c99",
        "-mcpu=cortex-m3",
        "-mthumb",
        "-Os",
        "-ffreestanding",
        "-nostartfiles",
        "--specs=nano.specs",
    ]);
    command.args(["-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror"]);
    command
        .arg(format!("-DDIALECT={dialect}"))
        .arg("-T")
        .arg(folder.join("mps2.ld"));
    command.arg(folder.join("board.c")).arg("-o").arg(&program);
    compile(command);
    let arguments = [
        "-M",
        "mps2-an385",
        "-nographic",
        "-monitor",
        "none",
        "-serial",
        "pty",
        "-kernel",
    ];
    let program = [qemu.into()]
        .into_iter()
        .chain(arguments.map(PathBuf::from))
        .chain([program]);
    Ok(program.collect())
}

/// The first of these commands that is there.
///
/// # Errors
///
/// When none is.
pub fn find(what: &str, candidates: &[&'static str]) -> Result<&'static str, String> {
    let is_there = |command: &&&str| {
        let version = Command::new(command).arg("--version").stdin(Stdio::null()).output();
        version.is_ok_and(|output| output.status.success())
    };
    let found = candidates.iter().find(is_there).copied();
    found.ok_or_else(|| format!("no {what} on this machine; the package of that name, or gcc's, has it"))
}

/// Runs a compiler to its end, and gives what it said.
///
/// # Panics
///
/// When it fails.
#[must_use]
pub fn compiled(mut command: Command) -> String {
    let output = command.stdin(Stdio::null()).output().expect("the compiler runs");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{command:?}\n{said}");
    said
}

fn compile(command: Command) {
    let _ = compiled(command);
}
