//! Boards at a router, heard over TCP: they appear, emit, answer, vanish and return, like any other sender.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use serde_json::{Value, json};
use sig_carrier_serial::{Listener, Options, Place, Port};
use sig_router::{CarrierHandle, ClientRouter, Event, HandlerError, RemoteEventStream, Request};
use sig_tests::boards::{Board, scratch};
use sig_tests::proxy::{Cable, Proxy};
use sig_tests::rig::{TcpServer, WAIT, client_of, connected, disconnected, soon};

/// What a listener hears, as text, but for the temperature: when that comes is the board's own affair.
struct Ears {
    client: ClientRouter,
    stream: RemoteEventStream,
    record: Vec<String>,
    temperatures: usize,
}

impl Ears {
    async fn new(server: &TcpServer) -> Self {
        let client = server.client();
        connected(&client).await;
        let stream = client.listen_remote("*").await.expect("the server is there");
        Self {
            client,
            stream,
            record: Vec::new(),
            temperatures: 0,
        }
    }

    /// Listens until this is heard, and all before it.
    async fn until(&mut self, end: &str) {
        let deadline = Instant::now() + WAIT;
        loop {
            assert!(Instant::now() < deadline, "no {end}: {:#?}", self.record);
            let next = soon("an event", self.stream.recv()).await.expect("the link is there");
            let told = match next {
                Ok(event) if event.name().as_str() == "temp" => {
                    self.temperatures += 1;
                    let value: f64 = event.decode().expect("a temperature is a number");
                    assert!((10.0..110.0).contains(&value), "{value}");
                    "temp".to_owned()
                }
                Ok(event) => told(&event),
                Err(lagged) => format!("lost {}", lagged.count()),
            };
            if told != "temp" {
                self.record.push(told.clone());
            }
            if told.contains(end) {
                return;
            }
        }
    }

    async fn ask(&mut self, name: &str, method: &str, params: &Value) {
        let asked = self.client.remote_request(name, method, params);
        let answer = match soon("an answer", asked).await {
            Ok(response) => response.text().to_owned(),
            Err(error) => error.to_string(),
        };
        self.record.push(format!("{method} {params}: {answer}"));
    }
}

/// An event but for what differs between two senders that do the same: the carrier, generations and times.
fn told(event: &Event<'_>) -> String {
    let mut data: Value = event.decode().expect("it is JSON");
    let is_presence = event.name().is_presence();
    if let Some(data) = data.as_object_mut().filter(|_| is_presence) {
        let (generation, carrier) = (data.remove("generation"), data.remove("carrier"));
        assert!(generation.is_some_and(|generation| generation.is_number()));
        assert!(carrier.is_some_and(|carrier| carrier.is_string()));
    }
    let number = if is_presence { 0 } else { event.number() };
    format!("{}/{} #{number} {data}", event.sender(), event.name())
}

/// Lets the router have the place where a board is plugged in.
fn attach(server: &TcpServer, link: &PathBuf) -> CarrierHandle {
    let _ = std::fs::remove_file(link);
    let port = Port::new(Place::Device(link.clone()), Options::new()).expect("the options are in range");
    server.router.attach(Arc::new(Listener::new(port)))
}

/// The board in qemu is asked for everything that it can do, twice.
async fn in_qemu(board: Board) -> Vec<String> {
    let (server, link) = (TcpServer::start(), scratch().join(format!("routed-{board:?}")));
    let _carrier = attach(&server, &link);
    let mut ears = Ears::new(&server).await;
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
    assert!(ears.temperatures >= 2, "{}", ears.temperatures);
    ears.record
}

/// A native sender that does the same.
async fn native() -> Vec<String> {
    let server = TcpServer::start();
    let mut ears = Ears::new(&server).await;
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
        let mut ears = Ears::new(&server).await;
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

/// Appears, emits, answers, vanishes and returns.
async fn lives(board: Board) {
    if !board.is_there() {
        return;
    }
    let (server, link) = (TcpServer::start(), scratch().join(format!("living-{board:?}")));
    let _carrier = attach(&server, &link);
    let mut ears = Ears::new(&server).await;
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
    let (first, second) = ears.record.split_at(ears.record.len() / 2);
    assert_eq!(first, second);
    assert_eq!(first.len(), 5, "{first:#?}");
    assert!(first[0].contains(r#""events":["temp","#), "{first:#?}");
    assert!(first[1].starts_with("led true: true"), "{first:#?}");
    assert!(first[4].contains(r#""reason":"link_lost""#), "{first:#?}");
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
