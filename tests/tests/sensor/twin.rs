//! The twin in Rust says what the C header says, byte for byte, whatever happens to the two.

use std::fmt::Write as _;
use std::fs::File;
use std::process::Command;

use bytes::BytesMut;
use sig_carrier_serial::Check;
use sig_carrier_serial::framing::{Dialect as Framing, Writer};
use sig_sensor::{Board, Dialect, Kind, Out, Port, Sensor, Talk, Value};
use sig_tests::boards::{compiled, find, scratch, sensor};

const DIALECTS: [Dialect; 3] = [Dialect::Lines, Dialect::LinesCrc, Dialect::Frames];

/// The line: what was said.
#[derive(Debug, Default)]
struct Said(Vec<u8>);

impl Port for Said {
    fn write(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }
}

/// One step of a script.
#[derive(Debug)]
enum Step {
    New(usize),
    Feed(Vec<u8>),
    Tick(u32),
    Int(i64),
    Fixed(i64, u8),
    Decimal(f64, u8),
    Text(String),
    Raw(String),
    Nested(u8),
    Log(String),
    Parse(String),
}

impl Step {
    fn letter(&self) -> char {
        match self {
            Self::New(_) => 'N',
            Self::Feed(_) => 'F',
            Self::Tick(_) => 'K',
            Self::Int(_) => 'I',
            Self::Fixed(..) => 'X',
            Self::Decimal(..) => 'D',
            Self::Text(_) => 'T',
            Self::Raw(_) => 'R',
            Self::Nested(_) => 'O',
            Self::Log(_) => 'L',
            Self::Parse(_) => 'P',
        }
    }

    /// As `twin.c` reads it.
    fn write(&self, to: &mut Vec<u8>) {
        let text = |to: &mut Vec<u8>, text: &[u8]| {
            to.extend_from_slice(&u16::try_from(text.len()).expect("short").to_le_bytes());
            to.extend_from_slice(text);
        };
        to.push(self.letter() as u8);
        match self {
            Self::New(dialect) => to.push(u8::try_from(*dialect).expect("one of three")),
            Self::Feed(bytes) => text(to, bytes),
            Self::Tick(now) => to.extend_from_slice(&now.to_le_bytes()),
            Self::Int(value) => to.extend_from_slice(&value.to_le_bytes()),
            Self::Fixed(value, digits) => {
                to.extend_from_slice(&value.to_le_bytes());
                to.push(*digits);
            }
            Self::Decimal(value, digits) => {
                to.extend_from_slice(&value.to_le_bytes());
                to.push(*digits);
            }
            Self::Nested(count) => to.push(*count),
            Self::Text(value) | Self::Raw(value) | Self::Log(value) | Self::Parse(value) => text(to, value.as_bytes()),
        }
    }
}

/// The methods of `check.h`.
fn call(method: &str, params: Value<'_>, answer: &mut Out<'_>, talk: &mut Talk<'_, Said>) {
    match method {
        "echo" if params.kind() != Kind::None => answer.raw(params.text()),
        "echo" => {}
        "add" => {
            let small = |index| {
                params
                    .item(index)
                    .as_i64()
                    .filter(|number| (-999..1000).contains(number))
            };
            match (small(0), small(1)) {
                (Some(a), Some(b)) => answer.int(a + b),
                _ => {
                    answer.fail("add wants two small numbers");
                    answer.int(7);
                }
            }
        }
        "shout" => match params.as_text(&mut [0; 15]) {
            Some(text) => {
                talk.event_text("shout", text);
                answer.object(|answer| {
                    answer.key("shouted");
                    answer.text(text);
                });
            }
            None => answer.fail("shout wants a short text"),
        },
        "flood" => answer.array(|answer| (0..1000).for_each(|number| answer.int(number))),
        "break" => {
            answer.int(1);
            answer.int(2);
        }
        other => panic!("no method {other}"),
    }
}

fn read(text: &str) -> Option<String> {
    let value = Value::parse(text.as_bytes())?;
    let mut said = format!("{}", value.kind() as u8);
    let mut part = [0; 63];
    if let Some(whole) = value.as_i64() {
        write!(said, " int {whole}").expect("a string");
    }
    if let Some(yes) = value.as_bool() {
        write!(said, " bool {}", u8::from(yes)).expect("a string");
    }
    if let Some(text) = value.as_text(&mut part) {
        write!(said, " text {text}").expect("a string");
    }
    for (name, inner) in [("a", value.get("a")), ("1", value.item(1))] {
        if inner.kind() != Kind::None {
            write!(said, " {name} {}", inner.text()).expect("a string");
        }
    }
    Some(said + "\n")
}

/// What the twin in Rust makes of a script.
fn ours(script: &[Step]) -> Vec<u8> {
    let events = ["temp", "shout"];
    let requests = ["echo", "add", "shout", "flood", "break"];
    let board = |dialect| Board {
        name: "oven",
        events: Some(&events),
        requests: Some(&requests),
        dialect,
    };
    let mut all = Vec::new();
    let mut sensor: Sensor<'_, Said> = Sensor::new(board(Dialect::Lines), Said::default());
    for step in script {
        let mut done = true;
        match step {
            Step::New(dialect) => {
                sensor = Sensor::new(board(DIALECTS[*dialect]), Said::default());
                done = sensor.hello();
            }
            Step::Feed(bytes) => sensor.feed(bytes, &mut call),
            Step::Tick(now) => sensor.tick(*now),
            Step::Int(value) => done = sensor.talk().event_int("temp", *value),
            Step::Fixed(value, digits) => done = sensor.talk().event_fixed("temp", *value, (*digits).into()),
            Step::Decimal(value, digits) => done = sensor.talk().event_decimal("temp", *value, (*digits).into()),
            Step::Text(text) => done = sensor.talk().event_text(text, text),
            Step::Raw(json) => done = sensor.talk().event("raw", |out| out.raw(json)),
            Step::Nested(count) => {
                done = sensor.talk().event("nested", |out| {
                    out.object(|out| {
                        out.key("a");
                        out.array(|out| {
                            for number in 0..i64::from(*count) {
                                out.object(|out| {
                                    out.key("i");
                                    out.int(number);
                                });
                            }
                        });
                        out.key("n");
                        out.null();
                    });
                });
            }
            Step::Log(text) => sensor.talk().log(text),
            Step::Parse(text) => match read(text) {
                Some(said) => all.extend_from_slice(said.as_bytes()),
                None => done = false,
            },
        }
        all.append(&mut sensor.talk().port().0);
        let unused = sensor.unused();
        let counts = format!("{} {} {}", unused.damaged, unused.overlong, unused.ignored);
        all.extend_from_slice(format!("({} {} {counts})", step.letter(), u8::from(done)).as_bytes());
    }
    all
}

/// What the header makes of it.
fn theirs(script: &[Step]) -> Vec<u8> {
    let compiler = find("cc", &["gcc", "cc", "clang"]).expect("CONTRIBUTING.md asks for a C compiler");
    let (program, steps) = (scratch().join("twin"), scratch().join("twin-steps"));
    let mut command = Command::new(compiler);
    command.args(["-std=c99", "-O1", "-Wall", "-Wextra", "-Werror", "-Wno-unused-function"]);
    command.arg(sensor().join("c/test/twin.c")).arg("-o").arg(&program);
    let _ = compiled(command);
    let mut bytes = Vec::new();
    script.iter().for_each(|step| step.write(&mut bytes));
    std::fs::write(&steps, bytes).expect("a file");
    let output = Command::new(program).stdin(File::open(steps).expect("a file")).output();
    let output = output.expect("it was built");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

const WORDS: [&str; 24] = [
    r#"{"id":7,"method":"echo","params":"#,
    r#"{"id":8,"method":"add","params":[1,2]}"#,
    r#"{"id":9,"method":"shout","params":"h\u00e4\n"}"#,
    r#"{"id":10,"method":"flood"}"#,
    r#"{"id":11,"method":"break"}"#,
    r#"{"id":12,"method":"sing"}"#,
    r#"{"hello":"sig"}"#,
    r#""\u00e4\ud83d\ude00\ud83dx""#,
    "true",
    "null",
    "-9223372036854775808",
    "1.5e300",
    "[",
    "]",
    "{",
    "}",
    "\"a\":",
    ",",
    "\"",
    "\\u12",
    "ä",
    " ",
    "12",
    "\u{1}",
];

/// Something that is a document, or nearly.
fn document(dice: &mut fastrand::Rng) -> String {
    let word = |dice: &mut fastrand::Rng| WORDS[dice.usize(..WORDS.len())];
    match dice.u8(..5) {
        0 => word(dice).to_owned(),
        1 => (0..dice.usize(..12)).map(|_| word(dice)).collect(),
        2 => format!(
            r#"{{"id":{},"method":"echo","params":{}}}"#,
            dice.u32(..70000),
            WORDS[dice.usize(7..12)]
        ),
        3 => format!(r#"[{},{{"a":{}}},"{}"]"#, word(dice), word(dice), word(dice)),
        _ => WORDS[dice.usize(1..7)].to_owned(),
    }
}

fn fed(dice: &mut fastrand::Rng, dialect: usize) -> Vec<u8> {
    let text = document(dice).replace(['\n', '\r'], " ");
    let mut bytes = BytesMut::new();
    let framing = match DIALECTS[dialect] {
        _ if dice.u8(..8) == 0 => Framing::Lines(Check::None),
        Dialect::Lines => Framing::Lines(Check::None),
        Dialect::LinesCrc => Framing::Lines(Check::Crc32),
        Dialect::Frames => Framing::Frames,
    };
    Writer::new(framing).document(text.as_bytes(), &mut bytes);
    let mut bytes = bytes.to_vec();
    if dice.u8(..4) == 0 {
        let at = dice.usize(..bytes.len());
        match dice.u8(..3) {
            0 => bytes[at] ^= 1 << dice.u8(..8),
            1 => drop(bytes.remove(at)),
            _ => bytes.insert(at, dice.u8(..)),
        }
    }
    bytes
}

fn script(dice: &mut fastrand::Rng) -> Vec<Step> {
    let dialect = dice.usize(..3);
    let text = |dice: &mut fastrand::Rng, most: usize| -> String {
        (0..dice.usize(..most))
            .map(|_| WORDS[dice.usize(..WORDS.len())].chars().next().expect("a word"))
            .collect()
    };
    let mut steps = vec![Step::New(dialect)];
    for _ in 0..dice.usize(1..20) {
        let digits = dice.u8(..12);
        steps.push(match dice.u8(..20) {
            0 => Step::Tick(dice.u32(..)),
            1 => Step::Int(dice.i64(..)),
            2 => Step::Fixed(dice.i64(..) >> dice.u32(..64), digits),
            3 => Step::Decimal(f64::from_bits(dice.u64(..)), digits),
            4 => Step::Decimal((dice.f64() - 0.5) * 1000.0, digits),
            5 => Step::Text(text(dice, 300)),
            6 => Step::Raw(document(dice)),
            7 => Step::Nested(dice.u8(..60)),
            8 => Step::Log(document(dice)),
            9..12 => Step::Parse(document(dice)),
            _ => Step::Feed(fed(dice, dialect)),
        });
    }
    steps
}

#[test]
fn the_two_say_the_same_byte_for_byte() {
    let mut dice = fastrand::Rng::with_seed(6);
    let script: Vec<_> = (0..2000).flat_map(|_| script(&mut dice)).collect();
    let (ours, theirs) = (ours(&script), theirs(&script));
    let both = ours.iter().zip(&theirs);
    if let Some(at) = both.clone().position(|(a, b)| a != b) {
        let around = at.saturating_sub(500)..;
        let show = |said: &[u8]| {
            String::from_utf8_lossy(&said[around.clone()][..800.min(said.len() - around.start)]).into_owned()
        };
        panic!("they differ at byte {at}:\n{}\n---\n{}", show(&ours), show(&theirs));
    }
    assert_eq!(ours.len(), theirs.len());
    // Else they would agree about nothing.
    for said in [
        "\"response\":3}",
        "\"error\":\"no such method\"}",
        "too long for the board",
        "no JSON",
        "\"nested\"",
        " text ",
        "# {",
    ] {
        assert!(
            ours.windows(said.len()).any(|window| window == said.as_bytes()),
            "nobody said {said}"
        );
    }
}

/// Its numbers are read as the nearest there are, as everybody's.
#[test]
fn numbers_are_read_exactly() {
    let mut dice = fastrand::Rng::with_seed(7);
    for _ in 0..1000 {
        let number = f64::from_bits(dice.u64(..));
        if number.is_finite() {
            let read = Value::parse(format!("{number:e}").as_bytes()).and_then(Value::as_f64);
            assert_eq!(read, Some(number));
        }
    }
}

/// Neither the twin nor what it stands on can use std: they do not name it, and nothing that they depend on is there.
#[test]
fn the_twin_needs_no_std() {
    for (folder, dependencies) in [("../sensor/rust", "sig-wire.workspace = true\n"), ("../sig-wire", "")] {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
        let read = |file: &str| std::fs::read_to_string(folder.join(file)).expect("it is there");
        assert!(read("src/lib.rs").contains("#![no_std]\n"));
        let manifest = read("Cargo.toml");
        let needed = manifest.split_once("[dependencies]\n").map_or("", |(_, rest)| rest);
        assert_eq!(needed, dependencies);
        for file in std::fs::read_dir(folder.join("src")).expect("it has files") {
            let path = file.expect("a file").path();
            let Ok(text) = std::fs::read_to_string(&path) else {
                continue;
            };
            let code = text.split("#[cfg(test)]").next().expect("a text has a beginning");
            let code: String = code
                .lines()
                .filter(|line| !line.trim_start().starts_with("//"))
                .collect();
            assert!(
                !code.contains("extern crate") && !code.contains("std::"),
                "{}",
                path.display()
            );
        }
    }
    assert!(size_of::<Sensor<'_, Said>>() <= 1024);
}
