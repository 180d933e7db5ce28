//! Every board says on its line what docs/SERIAL.md tells, and answers; the host's own reader reads it.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::sync::mpsc;
use std::time::Instant;

use bytes::BytesMut;
use serde_json::{Value, json};
use sig_carrier_serial::Check;
use sig_carrier_serial::framing::{Dialect, Item, Reader, Settings, Writer};
use sig_tests::boards::{Board, scratch};
use sig_tests::rig::WAIT;

/// A port that was opened, as a host without a router has it.
struct Port {
    file: File,
    bytes: mpsc::Receiver<Vec<u8>>,
    reader: Reader,
    log: Vec<String>,
}

impl Port {
    fn open(path: &Path) -> Self {
        let file = File::options()
            .read(true)
            .write(true)
            .open(path)
            .expect("it is plugged in");
        raw(&file);
        let mut source = file.try_clone().expect("a descriptor");
        let (sender, bytes) = mpsc::sync_channel(64);
        // Ends when the board is unplugged.
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(len @ 1..) = source.read(&mut buffer) {
                if sender.send(buffer[..len].to_vec()).is_err() {
                    break;
                }
            }
        });
        Self {
            file,
            bytes,
            reader: Reader::new(Settings::default()),
            log: Vec::new(),
        }
    }

    fn ask_who_it_is(&mut self) {
        self.file.write_all(b"\n{\"hello\":\"sig\"}\n").expect("it is there");
    }

    fn say(&mut self, document: &str) {
        let dialect = self.reader.dialect().expect("it spoke");
        let bytes = written(dialect, document);
        self.file.write_all(&bytes).expect("it is there");
    }

    /// The first document that is as wanted, and how it was framed.
    fn hears(&mut self, wanted: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + WAIT;
        loop {
            while let Some(item) = self.reader.next_item() {
                match item {
                    Item::Document { text, .. } => {
                        let document = serde_json::from_slice(&text).expect("a document is JSON");
                        if wanted(&document) {
                            return document;
                        }
                    }
                    Item::Log(text) => self.log.push(String::from_utf8_lossy(&text).into_owned()),
                    Item::Segment(_) => panic!("a board opens no link"),
                }
            }
            let bytes = self
                .bytes
                .recv_timeout(deadline.saturating_duration_since(Instant::now()));
            self.reader.push(&bytes.expect("it goes on talking"));
        }
    }

    /// Waits until the line ends.
    fn ends(self) {
        let deadline = Instant::now() + WAIT;
        loop {
            match self
                .bytes
                .recv_timeout(deadline.saturating_duration_since(Instant::now()))
            {
                Ok(_) => {}
                Err(mpsc::RecvTimeoutError::Disconnected) => return,
                Err(mpsc::RecvTimeoutError::Timeout) => panic!("it was unplugged and goes on"),
            }
        }
    }
}

fn written(dialect: Dialect, document: &str) -> Vec<u8> {
    let mut bytes = BytesMut::new();
    Writer::new(dialect).document(document.as_bytes(), &mut bytes);
    bytes.to_vec()
}

fn raw(file: &File) {
    let mut line = rustix::termios::tcgetattr(file).expect("it is a terminal");
    line.make_raw();
    rustix::termios::tcsetattr(file, rustix::termios::OptionalActions::Now, &line).expect("it is a terminal");
}

/// Plugs it in twice; each time it says who it is, emits, and answers once.
async fn speaks(board: Board, name: &str, dialect: Dialect, request: (&str, Value, Value)) {
    if !board.is_there() {
        return;
    }
    let link = scratch().join(format!("{board:?}"));
    let (method, params, wanted) = request;
    for _life in 0..2 {
        let plugged = board.plug(&link).await;
        let mut port = Port::open(&link);
        let mut number = None;
        port.ask_who_it_is();
        let hello = port.hears(|document| document.get("hello").is_some());
        assert_eq!(hello["hello"], name);
        assert!(
            hello["events"].as_array().expect("a list").contains(&json!("temp")),
            "{hello}"
        );
        assert!(
            hello["requests"].as_array().expect("a list").contains(&json!(method)),
            "{hello}"
        );
        assert_eq!(port.reader.dialect(), Some(dialect));
        let event = port.hears(|document| document.get("event").is_some() || document.get("temp").is_some());
        let value = event.get("temp").or_else(|| event.get("data")).expect("it has data");
        assert!(
            value.as_f64().is_some_and(|value| (10.0..110.0).contains(&value)),
            "{event}"
        );
        for _repeated in 0..2 {
            port.say(&format!(r#"{{"id":7,"method":"{method}","params":{params}}}"#));
            let answer = port.hears(|document| document.get("id").is_some());
            assert_eq!((&answer["id"], &answer["response"]), (&json!(7), &wanted), "{answer}");
            let before = number;
            number = answer.get("n").and_then(Value::as_u64);
            assert!(number > before || number.is_none(), "{answer}");
        }
        let counters = port.reader.counters();
        assert_eq!((counters.crc_errors, counters.unchecked), (0, 0), "{counters:?}");
        plugged.unplug().await;
        port.ends();
    }
}

#[tokio::test]
async fn the_sketch_of_twelve_lines() {
    let request = ("led", json!(true), json!(true));
    speaks(Board::PlainSketch, "greenhouse", Dialect::Lines(Check::None), request).await;
}

#[tokio::test]
async fn the_sketch_with_the_header() {
    let request = ("period", json!(10), json!(10));
    speaks(Board::HeaderSketch, "greenhouse", Dialect::Frames, request).await;
}

#[tokio::test]
async fn the_micropython_file() {
    let request = ("led", json!(true), json!(true));
    speaks(Board::MicroPython, "greenhouse", Dialect::Lines(Check::Crc32), request).await;
}

#[tokio::test]
async fn the_board_in_qemu_with_plain_lines() {
    let request = ("echo", json!([1, "a"]), json!([1, "a"]));
    speaks(Board::QemuPlain, "board", Dialect::Lines(Check::None), request).await;
}

#[tokio::test]
async fn the_board_in_qemu_with_lines() {
    let request = ("echo", json!({"a": "ä\n"}), json!({"a": "ä\n"}));
    speaks(Board::QemuLines, "board", Dialect::Lines(Check::Crc32), request).await;
}

#[tokio::test]
async fn the_board_in_qemu_with_frames() {
    let request = ("lamp", json!(true), json!(true));
    speaks(Board::QemuFrames, "board", Dialect::Frames, request).await;
}

/// Once for each request, however often the request comes.
#[tokio::test]
async fn a_repeated_request_turns_the_lamp_once() {
    for board in [Board::HeaderSketch, Board::MicroPython] {
        if !board.is_there() {
            continue;
        }
        let link = scratch().join(format!("once-{board:?}"));
        let mut plugged = board.plug(&link).await;
        let mut port = Port::open(&link);
        port.ask_who_it_is();
        port.hears(|document| document.get("hello").is_some());
        for (id, on) in [(1, true), (1, true), (1, true), (2, false)] {
            port.say(&format!(r#"{{"id":{id},"method":"led","params":{on}}}"#));
            let answer = port.hears(|document| document.get("id").is_some());
            assert_eq!((&answer["id"], &answer["response"]), (&json!(id), &json!(on)));
        }
        let mut pins = Vec::new();
        let pin = |line: &str| {
            let (_, value) = line.split_once(" = ")?;
            pins.push(value.to_owned());
            (value == "0").then_some(())
        };
        plugged.process().says("the lamp off", pin).await;
        assert_eq!(pins, ["1", "0"], "{board:?}");
    }
}

#[test]
fn the_sketch_of_twelve_lines_has_twelve() {
    let sketch = sig_tests::boards::sensor().join("arduino/plain_board/plain_board.ino");
    let text = std::fs::read_to_string(sketch).expect("it is there");
    assert_eq!(text.lines().count(), 12);
}
