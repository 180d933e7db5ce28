//! What stands in the way is told in words, with what to do, and passes by itself when it is mended.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::process::{self, Command, Stdio};
use std::time::Duration;

use sig_core::{LinkReport, LinkState};
use tokio::time::timeout;

use super::world::{Board, Told, port, socket};
use crate::{Options, Place, Port};

fn is_trouble(report: &LinkReport) -> bool {
    report.state == LinkState::Opening && !report.detail.is_empty()
}

#[tokio::test(start_paused = true)]
async fn a_file_that_is_no_port_is_told_to_be_none() {
    let (_directory, place) = socket();
    std::fs::write(&place, "").unwrap();
    let (told, mut port) = (Told::new(), port(&place, Options::new()));
    let uplink = told.uplink();
    let report = tokio::select! {
        opened = port.next(&uplink) => panic!("{opened:?}"),
        report = told.until(is_trouble) => report,
    };
    let wanted = format!(
        "{} cannot be used with baud=115200, data=8, parity=none and stop=1: ",
        place.display()
    );
    assert!(report.detail.starts_with(&wanted), "{}", report.detail);
    assert!(
        report.detail.ends_with("is it a serial port, and can it do that?"),
        "{}",
        report.detail
    );
}

#[tokio::test(start_paused = true)]
async fn a_port_has_one_owner_who_is_named_and_the_next_follows() {
    let (_directory, place) = socket();
    let _board = Board::plugged_in(&place);
    let (told, mut first) = (Told::new(), port(&place, Options::new()));
    let mut second = port(&place, Options::new());
    let uplink = told.uplink();
    let owner = first.next(&uplink).await;
    let (pid, device) = (process::id(), place.display());
    let wait = async {
        let report = told.until(is_trouble).await;
        assert_eq!(
            report.detail,
            format!(
                "{device} is in use by this program itself (pid {pid}); end it there, and let it listen to this router \
                 instead: a port has one owner"
            )
        );
        drop(owner);
    };
    let (_next, ()) = tokio::join!(second.next(&uplink), wait);
}

#[tokio::test]
async fn a_program_that_holds_the_port_is_named_whether_it_locked_it_or_not() {
    let board = Board::new();
    let device = board.device.display();
    let script = |lock: &str| format!("exec 9<>{device}; {lock} echo ready; exec sleep 60 <&9");
    for lock in ["", "flock -n 9 &&"] {
        let mut holder = Command::new("sh")
            .args(["-c", &script(lock)])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut ready = String::new();
        let mut said = BufReader::new(holder.stdout.take().unwrap());
        said.read_line(&mut ready).unwrap();
        assert_eq!(ready, "ready\n");
        let (told, mut port) = (Told::new(), port(&board.device, Options::new()));
        let uplink = told.uplink();
        let (mut next, watching) = (Box::pin(port.next(&uplink)), told.until(is_trouble));
        let report = tokio::select! {
            opened = &mut next => panic!("{opened:?}"),
            report = watching => report,
        };
        let wanted = format!("{device} is in use by ");
        assert!(report.detail.starts_with(&wanted), "{lock}: {}", report.detail);
        assert!(
            report.detail.contains(&format!("(pid {})", holder.id())),
            "{lock}: {}",
            report.detail
        );
        holder.kill().unwrap();
        holder.wait().unwrap();
        timeout(Duration::from_secs(20), next).await.expect("it is free now");
    }
}

#[tokio::test(start_paused = true)]
async fn without_permission_it_is_told_after_the_system_had_its_second() {
    let board = Board::new();
    let (told, mut port) = (Told::new(), port(&board.device, Options::new()));
    let uplink = told.uplink();
    if rustix::process::geteuid().is_root() {
        // Nothing is forbidden to root: that it is told is tested with another user, by the command.
        let _opened = port.next(&uplink).await;
        return;
    }
    let slave = File::open(&board.device).unwrap();
    rustix::fs::fchmod(&slave, rustix::fs::Mode::empty()).unwrap();
    drop(slave);
    let began = tokio::time::Instant::now();
    let report = tokio::select! {
        opened = port.next(&uplink) => panic!("{opened:?}"),
        report = told.until(is_trouble) => report,
    };
    assert!(began.elapsed() >= Duration::from_secs(1));
    assert!(
        report.detail.starts_with("no permission to open /dev/pts/"),
        "{}",
        report.detail
    );
}

#[test]
fn options_out_of_range_are_errors_at_once() {
    let error = Port::new(Place::Device("/dev/x".into()), Options::new().baud(1)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "address serial:///dev/x: baud is 1; write a number from 50 to 12000000"
    );
}
