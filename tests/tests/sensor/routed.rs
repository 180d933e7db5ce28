//! Boards at a router, heard over TCP: they appear, emit, answer, vanish and return, like any other sender.

use std::path::PathBuf;
use std::sync::Arc;

use serde_json::{Value, json};
use sig_carrier_serial::{Listener, Options, Place, Port};
use sig_router::{CarrierHandle, HandlerError, Request};
use sig_tests::boards::{Board, scratch};
use sig_tests::ears::Ears;
use sig_tests::proxy::{Cable, Proxy};
use sig_tests::rig::{TcpServer, client_of, disconnected};

/// Lets the router have the place where a board is plugged in.
fn attach(server: &TcpServer, link: &PathBuf) -> CarrierHandle {
    let _ = std::fs::remove_file(link);
    let port = Port::new(Place::Device(link.clone()), Options::new()).expect("the options are in range");
    server.router.attach(Arc::new(Listener::new(port)))
}

/// When they come is the board's own affair, but not what they are.
fn are_temperatures(data: &[Value]) {
    let are_right = data
        .iter()
        .all(|value| value.as_f64().is_some_and(|value| (10.0..110.0).contains(&value)));
    assert!(data.len() >= 2 && are_right, "{data:?}");
}

/// The board in qemu is asked for everything that it can do, twice.
async fn in_qemu(board: Board) -> Vec<String> {
    let (server, link) = (TcpServer::start(), scratch().join(format!("routed-{board:?}")));
    let _carrier = attach(&server, &link);
    // Only to that: a board that is too busy to say its name when it is asked is called after its port until it does.
    let mut ears = Ears::to(&server, "board").await.without("temp");
    for life in 1..=2 {
        let plugged = board.plug(&link).await;
        ears.until("#connect").await;
        ears.until("temp").await;
        ears.ask("board", "lamp", &json!(true)).await;
        ears.until("board/lamp #1").await;
        ears.ask("board", "lamp", &json!("bright")).await;
        ears.ask("board", "burst", &json!(3)).await;
        ears.until("board/burst #3").await;
        ears.ask("board", "echo", &json!({"a": ["ä\n\"", -0.5, null]})).await;
        ears.ask("board", "sing", &Value::Null).await;
        plugged.unplug().await;
        ears.until("#disconnect").await;
        ears.record.push(format!("life {life}"));
    }
    are_temperatures(&ears.others);
    ears.record
}

/// A native sender that does the same.
async fn native() -> Vec<String> {
    let server = TcpServer::start();
    let mut ears = Ears::new(&server).await.without("temp");
    let proxy = Proxy::to(&server.address).await;
    for life in 1..=2 {
        proxy.set(Cable::Whole);
        let client = client_of(&proxy.address.to_string());
        let board = client
            .add_remote_sender("board")
            .events(["temp", "lamp", "burst"])
            .request("lamp", |request: Request| {
                let wrong = |_| HandlerError::new("lamp wants true or false");
                request.params::<bool>().map_err(wrong)
            })
            .request("burst", |request: Request| Ok(request.params::<i64>()?))
            .request("every", |request: Request| Ok(request.params::<i64>()?))
            .request("echo", |request: Request| Ok(request.params::<Value>()?))
            .request("print", |_| Ok(()))
            .connect()
            .await
            .expect("the server is there");
        let signal = |name: &str| board.signal(name).expect("it was declared");
        let sent = "the server is there";
        ears.until("#connect").await;
        signal("temp").trigger(&20.0).await.expect(sent);
        ears.until("temp").await;
        ears.ask("board", "lamp", &json!(true)).await;
        signal("lamp").trigger(&true).await.expect(sent);
        ears.until("board/lamp #1").await;
        ears.ask("board", "lamp", &json!("bright")).await;
        ears.ask("board", "burst", &json!(3)).await;
        for (i, half) in [(0, 0.0), (1, 0.5), (2, 1.0)] {
            let data = json!({"i": i, "half": half});
            signal("burst").trigger(&data).await.expect(sent);
        }
        ears.until("board/burst #3").await;
        ears.ask("board", "echo", &json!({"a": ["ä\n\"", -0.5, null]})).await;
        ears.ask("board", "sing", &Value::Null).await;
        proxy.set(Cable::Cut);
        disconnected(&client).await;
        drop(board);
        drop(client);
        ears.until("#disconnect").await;
        ears.record.push(format!("life {life}"));
    }
    ears.record
}

async fn cannot_be_told_from_a_native_sender(board: Board) {
    if board.is_there() {
        let (native, board) = tokio::join!(native(), in_qemu(board));
        assert_eq!(board, native);
        assert_eq!(native.len(), 24, "{native:#?}");
    }
}

#[tokio::test]
async fn promise_2_the_board_in_qemu_with_plain_lines_is_a_sender_like_any_other() {
    cannot_be_told_from_a_native_sender(Board::QemuPlain).await;
}

#[tokio::test]
async fn promise_2_the_board_in_qemu_with_lines_is_a_sender_like_any_other() {
    cannot_be_told_from_a_native_sender(Board::QemuLines).await;
}

#[tokio::test]
async fn promise_2_the_board_in_qemu_with_frames_is_a_sender_like_any_other() {
    cannot_be_told_from_a_native_sender(Board::QemuFrames).await;
}

/// Text of the board, while it talks: in frames and in lines it is the event `log`, and nothing else suffers.
#[tokio::test]
async fn what_a_board_prints_is_its_log() {
    for board in [Board::QemuLines, Board::QemuFrames] {
        if !board.is_there() {
            continue;
        }
        let (server, link) = (TcpServer::start(), scratch().join(format!("printing-{board:?}")));
        let _carrier = attach(&server, &link);
        let mut ears = Ears::to(&server, "board").await.without("temp");
        let plugged = board.plug(&link).await;
        ears.until("#connect").await;
        ears.ask("board", "print", &json!("too hot, {\"temp\":99}")).await;
        ears.until("board/log").await;
        assert_eq!(
            ears.record.last().expect("it was heard"),
            r#"board/log #1 "too hot, {\"temp\":99}""#
        );
        drop(plugged);
    }
}

/// What a sender is heard to do that does as this board. The sketch of twelve lines says true to whatever it is asked.
async fn native_greenhouse(board: Board) -> Vec<String> {
    let echoes = board != Board::PlainSketch;
    let server = TcpServer::start();
    let mut ears = Ears::new(&server).await.without("temp");
    let proxy = Proxy::to(&server.address).await;
    proxy.set(Cable::Whole);
    let client = client_of(&proxy.address.to_string());
    let mut greenhouse = client
        .add_remote_sender("greenhouse")
        .event("temp")
        .request("led", move |request: Request| Ok(request.params::<bool>()? || !echoes));
    if board == Board::HeaderSketch {
        greenhouse = greenhouse.request("period", |_| Ok(()));
    }
    let greenhouse = greenhouse.connect().await.expect("the server is there");
    ears.until("greenhouse/#connect").await;
    let temp = greenhouse.signal("temp").expect("it was declared");
    temp.trigger(&21.5).await.expect("the server is there");
    ears.until("temp").await;
    for params in [json!(true), json!(false)] {
        ears.ask("greenhouse", "led", &params).await;
    }
    ears.ask("greenhouse", "sing", &Value::Null).await;
    proxy.set(Cable::Cut);
    disconnected(&client).await;
    drop((greenhouse, client));
    ears.until("greenhouse/#disconnect").await;
    ears.record
}

/// Appears, emits, answers, vanishes and returns, as a native sender does.
async fn lives(board: Board) {
    if !board.is_there() {
        return;
    }
    let (server, link) = (TcpServer::start(), scratch().join(format!("living-{board:?}")));
    let _carrier = attach(&server, &link);
    let mut ears = Ears::to(&server, "greenhouse").await.without("temp");
    for _life in 0..2 {
        let mut plugged = board.plug(&link).await;
        ears.until("greenhouse/#connect").await;
        ears.until("temp").await;
        for (on, pin) in [(true, "= 1"), (false, "= 0")] {
            ears.ask("greenhouse", "led", &json!(on)).await;
            let set = |line: &str| line.contains(pin).then_some(());
            plugged.process().says("the lamp", set).await;
        }
        ears.ask("greenhouse", "sing", &Value::Null).await;
        plugged.unplug().await;
        ears.until("greenhouse/#disconnect").await;
    }
    are_temperatures(&ears.others);
    let native = native_greenhouse(board).await;
    assert_eq!(native.len(), 5, "{native:#?}");
    assert_eq!(ears.record, [&*native, &*native].concat());
}

#[tokio::test]
async fn promise_2_the_sketch_of_twelve_lines_is_a_sender() {
    lives(Board::PlainSketch).await;
}

#[tokio::test]
async fn promise_2_the_sketch_with_the_header_is_a_sender() {
    lives(Board::HeaderSketch).await;
}

#[tokio::test]
async fn promise_2_the_micropython_file_is_a_sender() {
    lives(Board::MicroPython).await;
}
