//! Plugged in, pulled out, and who it is.

use std::time::Duration;

use sig_core::{LinkState, Verdict};
use tokio::io::AsyncReadExt as _;
use tokio::time::{Instant, sleep};

use super::world::{Board, Fake, Told, port, socket, uno};
use crate::{Options, Place, Port, ResetOnOpen, UsbMatch};

#[tokio::test(start_paused = true)]
async fn a_port_may_come_later_than_the_router_and_comes_back() {
    let (_directory, place) = socket();
    let (told, mut port) = (Told::new(), port(&place, Options::new()));
    let uplink = told.uplink();
    let waiting = async {
        let report = told.until(|report| report.state == LinkState::Absent).await;
        assert!(
            report.detail.starts_with(&format!("there is no {}", place.display())),
            "{report:?}"
        );
        Board::plugged_in(&place)
    };
    let (mut opened, board) = tokio::join!(port.next(&uplink), waiting);
    assert_eq!(opened.name.as_str(), "board");
    board.send(b"hello");
    let mut read = [0; 5];
    opened.line.read_exact(&mut read).await.unwrap();
    assert_eq!(&read, b"hello");

    drop(board);
    assert_eq!(opened.line.read(&mut read).await.unwrap(), 0);
    opened.life.lost("pulled out");
    drop(opened.line);
    let began = Instant::now();
    let returning = async {
        sleep(Duration::from_secs(5)).await;
        Board::plugged_in(&place)
    };
    let (back, _board) = tokio::join!(port.next(&uplink), returning);
    assert!(
        began.elapsed() < Duration::from_secs(6),
        "within a second of its return"
    );
    let states = ["absent", "opening", "live", "lost", "opening", "live"];
    assert_eq!(told.states(), states);
    let lost = &told.all()[3];
    assert_eq!((&*lost.detail, &*lost.address), ("pulled out", port.address()));
    drop(back);
    assert_eq!(told.count(LinkState::Lost), 2, "one that is dropped is lost");
}

#[tokio::test(start_paused = true)]
async fn the_end_of_the_router_is_no_loss() {
    let (_directory, place) = socket();
    let (told, mut port) = (Told::new(), port(&place, Options::new()));
    let _board = Board::plugged_in(&place);
    let opened = port.next(&told.uplink()).await;
    told.stop();
    drop(opened);
    assert_eq!(told.states(), ["opening", "live"]);
}

#[tokio::test(start_paused = true)]
async fn a_device_that_ends_at_once_is_not_opened_in_a_loop() {
    let (_directory, place) = socket();
    let (told, mut port) = (Told::new(), port(&place, Options::new()));
    let _board = Board::plugged_in(&place);
    let (uplink, began) = (told.uplink(), Instant::now());
    while began.elapsed() < Duration::from_secs(10) {
        drop(port.next(&uplink).await);
    }
    let opened = told.count(LinkState::Live);
    assert!((15..=25).contains(&opened), "{opened} times in 10 s");
}

#[tokio::test(start_paused = true)]
async fn a_verdict_is_reported_when_it_is_news() {
    let (_directory, place) = socket();
    let (told, mut port) = (Told::new(), port(&place, Options::new()));
    let _board = Board::plugged_in(&place);
    let mut opened = port.next(&told.uplink()).await;
    let before = told.all().len();
    for _ in 0..3 {
        let counters = [("crc_errors", 2)];
        (opened.life).report(Some(Verdict::WrongBaud), "try 9600", counters);
    }
    opened.life.report(None, "", []);
    let reports = told.all().split_off(before);
    assert_eq!(reports.len(), 2);
    assert_eq!(
        (reports[0].verdict, reports[0].state),
        (Some(Verdict::WrongBaud), LinkState::Live)
    );
    assert_eq!(
        (&*reports[0].detail, reports[0].counters["crc_errors"]),
        ("try 9600", 2)
    );
    assert_eq!((reports[1].verdict, reports[1].counters.len()), (None, 0));
}

/// The place of a board with this serial number.
fn by_sn(sn: &str, fake: &Fake) -> Port {
    let wanted = UsbMatch {
        vid: Some(0x2341),
        pid: Some(0x43),
        sn: Some(sn.to_owned()),
    };
    let port = Port::new(Place::Usb(wanted), Options::new()).unwrap();
    port.with_enumerator(fake.clone())
}

#[tokio::test(start_paused = true)]
async fn two_boards_of_one_kind_keep_their_names_when_they_are_swapped() {
    let (told, fake) = (Told::new(), Fake::default());
    let uplink = told.uplink();
    let (mut ann, mut ben) = (by_sn("ann", &fake), by_sn("ben", &fake));
    let mut sockets = [Board::new(), Board::new()];
    for swapped in [false, true, false] {
        let (of_ann, of_ben) = (usize::from(swapped), usize::from(!swapped));
        fake.set([uno(&sockets[of_ann].device, "ann"), uno(&sockets[of_ben].device, "ben")]);
        let (mut one, mut two) = tokio::join!(ann.next(&uplink), ben.next(&uplink));
        assert_eq!((one.name.as_str(), two.name.as_str()), ("ann", "ben"));
        assert_eq!(one.life.last().detail, "Arduino Uno (2341:0043, serial number ann)");
        sockets[of_ann].send(b"A");
        sockets[of_ben].send(b"B");
        assert_eq!(
            (one.line.read_u8().await.unwrap(), two.line.read_u8().await.unwrap()),
            (b'A', b'B')
        );
        // Both out, and in again.
        fake.set([]);
        sockets = [Board::new(), Board::new()];
        assert_eq!(
            one.line.read(&mut [0]).await.unwrap() + two.line.read(&mut [0]).await.unwrap(),
            0
        );
    }
    assert_eq!((told.count(LinkState::Live), told.count(LinkState::Lost)), (6, 6));
}

#[tokio::test(start_paused = true)]
async fn when_several_boards_match_none_is_opened_and_all_are_named() {
    let (told, fake) = (Told::new(), Fake::default());
    let boards = [Board::new(), Board::new()];
    let both = [uno(&boards[0].device, "ann"), uno(&boards[1].device, "ben")];
    fake.set(both.clone());
    let any = Place::Usb(UsbMatch::default());
    let mut port = Port::new(any, Options::new()).unwrap().with_enumerator(fake.clone());
    let uplink = told.uplink();
    let choosing = async {
        let report = told.until(|report| report.state == LinkState::Opening).await;
        assert_eq!(
            report.detail,
            "2 boards match usb; choose one of them: \
             serial:usb?vid=2341&pid=0043&sn=ann [Arduino Uno (2341:0043, serial number ann)], \
             serial:usb?vid=2341&pid=0043&sn=ben [Arduino Uno (2341:0043, serial number ben)]"
        );
        fake.set([both[1].clone()]);
    };
    let (opened, ()) = tokio::join!(port.next(&uplink), choosing);
    assert_eq!(opened.name.as_str(), "ben");
}

#[tokio::test(start_paused = true)]
async fn a_name_that_is_given_beats_what_the_board_is() {
    let (told, fake) = (Told::new(), Fake::default());
    let board = Board::new();
    fake.set([uno(&board.device, "ann")]);
    let url = "serial:usb?vid=2341&name=weather".parse().unwrap();
    let mut port = Port::from_url(&url).unwrap().with_enumerator(fake);
    assert_eq!(port.next(&told.uplink()).await.name.as_str(), "weather");
}

/// On the real clock: how long bytes take through a pseudo-terminal is not up to the paused one.
#[tokio::test]
async fn what_a_board_says_while_it_boots_can_be_dropped() {
    // A machine that was too busy to let the board boot in time says nothing about the port.
    for _ in 0..20 {
        if booted().await {
            return;
        }
    }
    panic!("no board boots in time on this machine");
}

/// Whether the board had booted, long before the port was done with waiting. Then nothing of that may be heard.
async fn booted() -> bool {
    let (_directory, place) = socket();
    let board = Board::plugged_in(&place);
    let options = Options::new()
        .settle(Duration::from_millis(400))
        // A pseudo-terminal has no DTR, which must not stand in the way.
        .reset_on_open(ResetOnOpen::Yes);
    let (told, mut port) = (Told::new(), port(&place, options));
    let uplink = told.uplink();
    let began = Instant::now();
    let booting = async {
        for _ in 0..10 {
            sleep(Duration::from_millis(10)).await;
            board.send(b"rst:0x1 (POWERON_RESET),boot:0x13\n");
        }
        began.elapsed()
    };
    let (mut opened, boot) = tokio::join!(port.next(&uplink), booting);
    assert!(
        began.elapsed() >= Duration::from_millis(500),
        "DTR for 100 ms, then 400"
    );
    board.send(b"!");
    let first = opened.line.read_u8().await.unwrap();
    let in_time = boot < Duration::from_millis(250);
    assert!(first == b'!' || !in_time, "{first}");
    in_time
}

#[tokio::test(start_paused = true)]
async fn what_a_driver_cannot_do_does_not_stand_in_the_way() {
    let (_directory, place) = socket();
    let board = Board::plugged_in(&place);
    let options = Options::new().rs485(true).reset_on_open(ResetOnOpen::No);
    let (told, mut port) = (Told::new(), port(&place, options));
    let mut opened = port.next(&told.uplink()).await;
    board.send(b"!");
    assert_eq!(opened.line.read_u8().await.unwrap(), b'!');
}
