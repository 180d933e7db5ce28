//! Plugged in, pulled out, silent, and in the way.

use std::time::Duration;

use sig_carrier_serial::framing::Dialect;
use sig_carrier_serial::{Check, Options};
use sig_core::{EventName, SenderName};
use sig_router::{EventStream, ServerRouter};
use sig_tests::ears::told;
use tokio::time::Instant;

use super::world::{LINES, Socket};

/// The next thing that is heard. The clock is paused: it is the test's own patience that ends.
async fn next(stream: &mut EventStream) -> String {
    let next = stream.recv().await.expect("the router is there");
    next.map_or_else(|lagged| format!("lost {}", lagged.count()), |event| told(&event))
}

const CONNECT: &str = r##"board/#connect #0 {"events":["temp","#connect","#disconnect"],"requests":null}"##;
const LOST: &str =
    r##"board/#disconnect #0 {"events":["temp","#connect","#disconnect"],"reason":"link_lost","requests":null}"##;
const SILENT: &str =
    r##"board/#disconnect #0 {"events":["temp","#connect","#disconnect"],"reason":"timeout","requests":null}"##;

#[tokio::test(start_paused = true)]
async fn promise_3_pulled_out_and_plugged_in_a_hundred_times_is_one_pair_each() {
    let (router, socket) = (ServerRouter::new().unwrap(), Socket::new());
    let mut stream = router.listen("*").unwrap();
    let _carrier = socket.attach(&router, Options::new());
    for round in 0..100 {
        let board = socket.plug(LINES);
        board.say(r#"{"hello":"board","events":["temp"]}"#);
        board.say(&format!("{{\"temp\":{round}}}"));
        assert_eq!(next(&mut stream).await, CONNECT, "round {round}");
        assert_eq!(next(&mut stream).await, format!("board/temp #1 {round}"));
        drop(board);
        assert_eq!(next(&mut stream).await, LOST, "round {round}");
    }
}

#[tokio::test(start_paused = true)]
async fn promise_3_two_seconds_of_boot_text_are_no_event_and_one_connect() {
    for dialect in [LINES, Dialect::Frames] {
        let (router, socket) = (ServerRouter::new().unwrap(), Socket::new());
        let mut stream = router.listen("*").unwrap();
        let _carrier = socket.attach(&router, Options::new());
        let board = socket.plug(dialect);
        let boot = [
            "ets Jul 29 2019 12:21:46\r\n",
            "rst:0x1 (POWERON_RESET),boot:0x13\r\n",
            "\x00\u{fffd}\u{1}~x\u{fffd}",
            "115200\r\n",
            "{ not a document }\n",
            "load:0x3fff0030,len:1184\r\n\r\n",
            "1\r\nready",
        ];
        for step in 0..20 {
            board.print(boot[step % boot.len()]);
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        board.print("\n");
        board.say(r#"{"hello":"board","events":["temp"]}"#);
        board.say(r#"{"temp":1}"#);
        assert_eq!(next(&mut stream).await, CONNECT, "{dialect:?}");
        assert_eq!(next(&mut stream).await, "board/temp #1 1");
        // From here on it is the log of the board. Between frames the next delimiter ends it.
        board.print("warm\r\n\0");
        assert_eq!(next(&mut stream).await, "board/log #1 \"warm\"");
    }
}

#[tokio::test(start_paused = true)]
async fn promise_3_silence_is_a_timeout_and_the_next_document_a_return() {
    let (router, socket) = (ServerRouter::new().unwrap(), Socket::new());
    let mut stream = router.listen("*").unwrap();
    let _carrier = socket.attach(&router, Options::new().idle_timeout(Duration::from_secs(5)));
    let board = socket.plug(Dialect::Lines(Check::Crc32));
    board.say(r#"{"hello":"board","events":["temp"],"n":0}"#);
    board.say(r#"{"temp":1,"n":1}"#);
    assert_eq!(next(&mut stream).await, CONNECT);
    assert_eq!(next(&mut stream).await, "board/temp #1 1");
    let began = Instant::now();
    assert_eq!(next(&mut stream).await, SILENT);
    assert!((4..6).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());
    board.say(r#"{"temp":4,"n":4}"#);
    assert_eq!(next(&mut stream).await, CONNECT);
    assert_eq!(next(&mut stream).await, "lost 2");
    assert_eq!(next(&mut stream).await, "board/temp #4 4");
}

#[tokio::test(start_paused = true)]
async fn a_board_without_a_hello_is_called_after_its_port_and_its_columns() {
    let (router, socket) = (ServerRouter::new().unwrap(), Socket::new());
    let mut stream = router.listen("*").unwrap();
    let columns = ["temp", "hum"].map(|name| EventName::new(name).unwrap());
    let _carrier = socket.attach(&router, Options::new().columns(columns));
    let board = socket.plug(LINES);
    board.print("21.5,40\r\n21.6,41\r\n");
    let connect = next(&mut stream).await;
    assert!(
        connect.starts_with(r##"board/#connect #0 {"events":["hum","temp","#connect""##),
        "{connect}"
    );
    for wanted in ["temp #1 21.5", "hum #1 40", "temp #2 21.6", "hum #2 41"] {
        assert_eq!(next(&mut stream).await, format!("board/{wanted}"));
    }
    // One that it has not had before: nobody is told that anybody came.
    board.print("{\"door\":\"open\"}\n");
    assert_eq!(next(&mut stream).await, "board/door #1 \"open\"");
    let mut late = router.listen("board/#connect").unwrap();
    let connect = next(&mut late).await;
    assert!(
        connect.contains(r##"["door","hum","temp","#connect","#disconnect"]"##),
        "{connect}"
    );
}

#[tokio::test(start_paused = true)]
async fn promise_8_a_name_that_is_taken_stays_so_until_it_is_free() {
    let (router, socket) = (ServerRouter::new().unwrap(), Socket::new());
    let taken = router.add_sender("board").event("x").connect().unwrap();
    let mut reports = router.listen("#router/link").unwrap();
    let _carrier = socket.attach(&router, Options::new().name(SenderName::new("board").unwrap()));
    let board = socket.plug(LINES);
    board.say(r#"{"hello":"other","events":["temp"]}"#);
    loop {
        let report: serde_json::Value = reports.recv().await.unwrap().unwrap().decode().unwrap();
        if report["detail"]
            .as_str()
            .unwrap()
            .contains("the router does not take it")
        {
            assert_eq!(report["state"], "live");
            break;
        }
    }
    let mut stream = router.listen("board/*").unwrap();
    drop(taken);
    board.say(r#"{"temp":1}"#);
    assert!(next(&mut stream).await.starts_with("board/#disconnect"));
    assert_eq!(next(&mut stream).await, CONNECT);
    board.say(r#"{"temp":2}"#);
    let heard = next(&mut stream).await;
    assert!(heard.starts_with("board/temp #"), "{heard}");
}

#[tokio::test(start_paused = true)]
async fn a_board_is_let_go_when_its_carrier_stops_or_the_router_closes() {
    let (router, socket) = (ServerRouter::new().unwrap(), Socket::new());
    let mut stream = router.listen("*").unwrap();
    let carrier = socket.attach(&router, Options::new());
    let board = socket.plug(LINES);
    board.say(r#"{"hello":"board","events":["temp"]}"#);
    assert_eq!(next(&mut stream).await, CONNECT);
    carrier.stop().await;
    assert!(next(&mut stream).await.contains(r#""reason":"closed""#));

    let second = socket.attach(&router, Options::new());
    board.say(r#"{"hello":"board","events":["temp"]}"#);
    assert_eq!(next(&mut stream).await, CONNECT, "the port was free");
    let closed = router.close(Duration::from_secs(5)).await;
    assert_eq!(closed.aborted, 0);
    assert!(next(&mut stream).await.contains(r#""reason":"closed""#));
    drop(second);
}
