//! Serial ports: what stands in the way is said in words, with what to do.

use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use serde_json::Value;

use crate::harness::{Finished, Running, Sandbox};

/// A board on a pseudo-terminal. Dropping it pulls it out.
struct Board {
    master: File,
    device: PathBuf,
}

impl Board {
    fn new() -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let device = ptsname(&master, Vec::new()).unwrap().into_string().unwrap().into();
        Self {
            master: master.into(),
            device,
        }
    }

    fn plugged_in(at: &Path) -> Self {
        let board = Self::new();
        let _ = fs::remove_file(at);
        symlink(&board.device, at).unwrap();
        board
    }
}

/// How often a program has been on a processor, in hundredths of a second, and how many files it has open.
fn effort(pid: u32) -> (u64, usize) {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<_> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    let ticks = |field: usize| fields[field].parse::<u64>().unwrap();
    (
        ticks(11) + ticks(12),
        fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count(),
    )
}

#[test]
fn a_board_may_come_late_and_go_and_return() {
    let sandbox = Sandbox::new();
    let place = sandbox.path().join("ttyTEST");
    let (url, socket) = (format!("serial://{}", place.display()), sandbox.socket());
    let mut serve = sandbox.start(&["serve", &socket, &url]);
    assert!(serve.line(&url).contains("whatever is at the other end of the wire"));
    let absent = serve.note("there is no");
    assert!(
        absent.starts_with(&format!("note: {url}: there is no {}", place.display())),
        "{absent}"
    );
    let doctor = sandbox.run(&["doctor", &socket]).expect(1);
    assert!(
        doctor
            .out
            .starts_with(&format!("link_absent: {url}: nothing is there: there is no ")),
        "{doctor:?}"
    );

    let mut board = Board::plugged_in(&place);
    serve.note(&format!("{url}: open: "));
    let (_, files) = effort(serve.id());
    for _ in 0..3 {
        drop(board);
        serve.note(&format!("{url}: lost: "));
        board = Board::plugged_in(&place);
        serve.note(&format!("{url}: open: "));
    }
    assert_eq!(effort(serve.id()).1, files, "no file stays open");
    let links = sandbox
        .run(&["request", "#router", "links", "--url", &socket])
        .expect(0);
    let page: Value = serde_json::from_str(&links.out).unwrap();
    assert_eq!(
        (&page["rows"][0]["address"], &page["rows"][0]["state"]),
        (&url.into(), &"live".into()),
        "{page}"
    );
    serve.signal("INT");
    serve.finish().expect(0);
}

/// The router, and three programs that listen to it: four processes.
#[test]
fn promise_2_three_processes_on_one_board_hear_the_same() {
    const EVENTS: u32 = 300;
    let sandbox = Sandbox::new();
    let (place, socket) = (sandbox.path().join("ttyTEST"), sandbox.socket());
    let url = format!("serial://{}", place.display());
    let mut serve = sandbox.start(&["serve", &socket, &url]);
    serve.line(&url);
    let mut listeners = [(); 3].map(|()| {
        let mut listener = sandbox.start(&["listen", "board", "--json", "--url", &socket]);
        listener.note("listening");
        listener
    });
    let board = Board::plugged_in(&place);
    serve.note(&format!("{url}: open: "));
    let say = |document: String| (&board.master).write_all(format!("{document}\n").as_bytes()).unwrap();
    say(r#"{"hello":"board","events":["a","b"],"n":0}"#.to_owned());
    for n in 1..=EVENTS {
        let event = if n % 3 == 0 { "b" } else { "a" };
        // Some do not arrive.
        if n % 7 != 0 {
            say(format!(r#"{{"event":"{event}","data":{n},"n":{n}}}"#));
        }
        // Not all at once: until the router has said how to send them, only so many wait.
        if n % 21 == 20 {
            listeners[0].line(&format!("\"data\":{n}}}"));
        }
    }
    for listener in &mut listeners {
        listener.line(&format!("\"data\":{EVENTS}}}"));
    }
    drop(board);
    let records = listeners.map(|mut listener| {
        listener.line("#disconnect");
        listener.signal("INT");
        let Finished { out, err, .. } = listener.finish().expect(0);
        (out, err)
    });
    assert_eq!(records[0], records[1]);
    assert_eq!(records[0], records[2]);
    let (out, err) = &records[0];
    let heard: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let data: Vec<u64> = heard.iter().filter_map(|event| event["data"].as_u64()).collect();
    let wanted = (1..=u64::from(EVENTS)).filter(|n| n % 7 != 0);
    assert_eq!(
        data,
        wanted.collect::<Vec<_>>(),
        "all that the board said, in its order"
    );
    let told = err.lines().filter(|note| note.contains("lagged")).count();
    assert_eq!(told, EVENTS as usize / 7, "each that was lost was told: {err}");
}

#[test]
fn doctor_listens_on_a_port_that_no_router_has() {
    let sandbox = Sandbox::new();
    let missing = format!("serial://{}", sandbox.path().join("ttyNONE").display());
    let found = sandbox.run(&["doctor", &missing]).expect(1);
    assert!(found.out.starts_with(&format!("link_absent: {missing}: ")), "{found:?}");

    let silent = Board::new();
    let url = format!("serial://{}", silent.device.display());
    let found = sandbox.run(&["doctor", &url]).expect(1);
    assert!(
        found.out.starts_with(&format!("nothing_received: {url}: ")),
        "{found:?}"
    );

    let board = Board::new();
    let url = format!("serial://{}", board.device.display());
    let (stop, stopped) = std::sync::mpsc::sync_channel::<()>(0);
    let printing = std::thread::spawn(move || {
        while stopped.recv_timeout(Duration::from_millis(50)).is_err() {
            (&board.master).write_all(b"{\"hello\":\"greenhouse\"}\n").unwrap();
        }
    });
    let healthy = sandbox.run(&["doctor", &url]).expect(0);
    healthy.says(&[&format!("nothing is wrong at {url}: the board greenhouse, in lines")]);
    stop.send(()).unwrap();
    printing.join().unwrap();
}

#[test]
fn a_wrong_option_is_told_its_range_at_once() {
    let sandbox = Sandbox::new();
    for (url, why) in [
        (
            "serial:///dev/ttyACM0?baud=9",
            "baud is \"9\"; write a number from 50 to 12000000",
        ),
        ("serial:///dev/ttyACM0?parity=x", "write one of none, even, odd"),
        (
            "serial:///dev/ttyACM0?speed=9600",
            "unknown option speed; known are baud, data",
        ),
        ("serial:usb?vid=hello", "vid is a hexadecimal number from 0000 to ffff"),
        ("serial:ttyACM0", "write serial:///dev/ttyACM0"),
    ] {
        let failed = sandbox.run(&["serve", url]).expect(2);
        assert!(!failed.err.contains("HOST:PORT"), "{failed:?}");
        failed.says(&[&format!("address {url}: "), why]);
    }
}

#[test]
fn who_has_a_busy_port_is_named() {
    let sandbox = Sandbox::new();
    let board = Board::new();
    let url = format!("serial://{}", board.device.display());
    let mut first = sandbox.start(&["serve", &sandbox.socket(), &url]);
    first.note(&format!("{url}: open: "));
    let mut second = sandbox.start(&["serve", "tcp://127.0.0.1:0", &url]);
    let told = second.note("is in use by");
    let wanted = format!(
        "{} is in use by sig (pid {}); end it there",
        board.device.display(),
        first.id()
    );
    assert!(told.contains(&wanted), "{told}");
    first.signal("INT");
    first.finish().expect(0);
    second.note(&format!("{url}: open: "));
}

/// The command as a user who may not use the device; nobody where the tests run as root.
fn as_stranger(sandbox: &Sandbox, url: &str) -> Running {
    let args = ["serve", "tcp://127.0.0.1:0", url];
    if !rustix::process::geteuid().is_root() {
        return sandbox.start(&args);
    }
    // Where that user finds it, whoever's directory it was built in.
    let program = sandbox.path().join("sig");
    fs::hard_link(env!("CARGO_BIN_EXE_sig"), &program)
        .or_else(|_| fs::copy(env!("CARGO_BIN_EXE_sig"), &program).map(drop))
        .unwrap();
    fs::set_permissions(sandbox.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = Command::new(program);
    Running::spawn(command.args(args).uid(65534).gid(65534))
}

#[test]
fn without_permission_the_group_is_named_and_how_to_join_it() {
    let sandbox = Sandbox::new();
    let board = Board::new();
    let url = format!("serial://{}", board.device.display());
    let slave = fs::metadata(&board.device).unwrap();
    if rustix::process::geteuid().is_root() {
        fs::set_permissions(&board.device, fs::Permissions::from_mode(0o660)).unwrap();
    } else {
        fs::set_permissions(&board.device, fs::Permissions::from_mode(0o060)).unwrap();
    }
    let groups = fs::read_to_string("/etc/group").unwrap_or_default();
    let number = slave.gid().to_string();
    let group = groups
        .lines()
        .find(|line| line.split(':').nth(2) == Some(&number))
        .map_or(&*number, |line| line.split(':').next().unwrap());
    let mut serve = as_stranger(&sandbox, &url);
    let told = serve.note("no permission to open");
    assert!(told.contains(&format!("which belongs to the group {group}")), "{told}");
    assert!(told.contains(&format!("sudo usermod -aG {group} ")), "{told}");
}

#[test]
fn a_port_that_is_waited_for_costs_next_to_nothing() {
    let sandbox = Sandbox::new();
    let (place, socket) = (sandbox.path().join("ttyTEST"), sandbox.socket());
    let mut serve = sandbox.start(&["serve", &socket, &format!("serial://{}", place.display())]);
    serve.note("there is no");
    let before = effort(serve.id()).0;
    std::thread::sleep(Duration::from_secs(2));
    let ticks = effort(serve.id()).0 - before;
    assert!(
        ticks <= 2,
        "{ticks} hundredths of a second in two seconds: more than 1 %"
    );
}

#[test]
fn ports_are_listed_for_people_and_programs() {
    let sandbox = Sandbox::new();
    let people = sandbox.run(&["ports"]);
    if people.code != Some(0) {
        people.says(&["cannot list the serial ports", "/sys"]);
        return;
    }
    let programs = sandbox.run(&["ports", "--json"]).expect(0);
    let listed: Vec<Value> = programs
        .out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(people.out.lines().count().saturating_sub(1), listed.len());
    assert!(
        listed
            .iter()
            .all(|port| port["address"].as_str().unwrap().starts_with("serial:"))
    );
    if listed.is_empty() {
        people.says(&["no serial ports here"]);
    }
}
