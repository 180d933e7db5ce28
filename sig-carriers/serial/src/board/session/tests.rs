//! Boards in front of a router that is played here.

use std::fmt::Write as _;

use sig_core::{Call, Failure, MessageId, Outcome, RawJson, Reply};

use super::*;

/// A board, and what a router would say to it.
struct World {
    session: Session,
    now: Instant,
    /// What reached the router and the board, in short.
    told: String,
    aliases: Vec<String>,
    credit: u64,
    taken: bool,
    open: bool,
}

impl World {
    fn new() -> Self {
        Self::with(|settings| settings)
    }

    fn with(change: impl FnOnce(Settings) -> Settings) -> Self {
        let settings = change(Settings {
            name: SenderName::new("ttyACM0").unwrap(),
            fixed: false,
            columns: Vec::new(),
            idle_timeout: None,
            max_size: 4096,
        });
        let now = Instant::now();
        Self {
            session: Session::new(settings, now),
            now,
            told: String::new(),
            aliases: Vec::new(),
            credit: 1 << 16,
            taken: false,
            open: true,
        }
    }

    /// The board prints these lines; gives what came of it.
    fn prints(&mut self, lines: &[&str]) -> String {
        for line in lines {
            self.session
                .document(&Bytes::copy_from_slice(line.as_bytes()), false, self.now);
            self.settle();
        }
        self.told()
    }

    fn told(&mut self) -> String {
        std::mem::take(&mut self.told).trim_end().to_owned()
    }

    fn passes(&mut self, time: Duration) -> String {
        let end = self.now + time;
        while let Some(next) = self.session.next_deadline().filter(|next| *next <= end) {
            self.now = next.max(self.now);
            self.session.tick(self.now);
            self.settle();
        }
        self.now = end;
        self.told()
    }

    fn asks(&mut self, id: u64, method: &str, deadline_ms: u64) -> String {
        let params = json(&serde_json::json!({
            "sender": "x", "method": method, "params": {"on": true}, "deadline_ms": deadline_ms,
        }));
        self.session.message(Call::new(id, "request", params).into(), self.now);
        self.settle();
        self.told()
    }

    /// Does what is to be done, as a router would.
    fn settle(&mut self) {
        while let Some(out) = self.session.next_out() {
            match out {
                Out::Enter if self.open => {
                    self.told.push_str("enter ");
                    self.session.admitted(self.now);
                }
                Out::Enter => self.session.turned_away("full", self.now),
                Out::Board(text) => write!(self.told, "<{text} ").unwrap(),
                Out::Leave(why) => write!(self.told, "leave:{} ", why.reason).unwrap(),
                Out::Router(Message::Event(event)) => {
                    let name = &self.aliases[event.alias as usize];
                    let data = event.payload.json_text().unwrap();
                    write!(self.told, "{name}#{}={data} ", event.number).unwrap();
                }
                Out::Router(Message::Reply(reply)) => {
                    let outcome = match reply.outcome {
                        Outcome::Done(response) => response.text().to_owned(),
                        Outcome::Failed(failure) => failure.code.unwrap().into_owned(),
                        other => format!("{other:?}"),
                    };
                    write!(self.told, "{}:{outcome} ", reply.id).unwrap();
                }
                Out::Router(Message::Call(call)) => self.called(call),
            }
        }
    }

    fn called(&mut self, call: Call) {
        let params: serde_json::Value = call.params.parse().unwrap();
        let list = |field: &str| {
            let names = params[field].as_array().into_iter().flatten();
            names
                .map(|name| name.as_str().unwrap_or("*").to_owned())
                .collect::<Vec<_>>()
        };
        let method = call.method.unwrap();
        let Some(id) = call.id else {
            return write!(self.told, "{method} ").unwrap();
        };
        write!(self.told, "{method}({}", params["sender"].as_str().unwrap()).unwrap();
        for field in ["events", "requests"] {
            if params[field].is_array() {
                write!(self.told, " {}", list(field).join(",")).unwrap();
            }
        }
        if let Some((_, numbers)) = params["numbers"].as_object().and_then(|numbers| numbers.iter().next()) {
            write!(self.told, " after {numbers}").unwrap();
        }
        self.told.push_str(") ");
        if method == "remove_sender" {
            return self.reply(id, Outcome::Done(json(&serde_json::json!(true))));
        }
        if self.taken {
            let failure = Failure::new("name_taken", "the name is taken");
            return self.reply(id, Outcome::Failed(failure));
        }
        let mut aliases = serde_json::Map::new();
        for event in list("events") {
            aliases.insert(event.clone(), self.aliases.len().into());
            self.aliases.push(event);
        }
        let added = serde_json::json!({"generation": 1, "aliases": aliases, "credit": self.credit});
        self.reply(id, Outcome::Done(json(&added)));
    }

    fn reply(&mut self, id: MessageId, outcome: Outcome) {
        self.session.message(Reply { id, outcome }.into(), self.now);
    }

    fn notice(&mut self, method: &'static str, params: &serde_json::Value) -> String {
        self.session
            .message(Call::notice(method, json(params)).into(), self.now);
        self.settle();
        self.told()
    }
}

fn json(value: &serde_json::Value) -> RawJson {
    RawJson::new(value).unwrap()
}

/// What a board that begins with something else is sent.
const ASK: &str = r#"<{"hello":"sig"}"#;

const HELLO: &str = r#"{"hello":"x","events":["temp"],"requests":["led"]}"#;

#[test]
fn promise_a_board_with_a_hello_is_a_sender_with_its_events_and_requests() {
    let mut world = World::new();
    let told = world.prints(&["booting", HELLO, r#"{"event":"temp","data":21.5}"#, r#"{"temp":22}"#]);
    assert_eq!(told, "enter hello add_sender(x temp led) temp#1=21.5 temp#2=22");
    assert_eq!(world.prints(&[HELLO]), "", "once more it says nothing new");
    let told = world.asks(5, "led", 1000);
    let (id, _) = told.strip_prefix("<{\"id\":").unwrap().split_once(',').unwrap();
    assert_eq!(
        told,
        format!("<{{\"id\":{id},\"method\":\"led\",\"params\":{{\"on\":true}}}}")
    );
    assert_eq!(world.prints(&[&format!("{{\"id\":{id},\"response\":[1]}}")]), "5:[1]");
    assert_eq!(world.session.counts().events, 2);
}

#[test]
fn a_board_without_a_hello_has_the_name_of_its_port_and_declares_as_it_goes() {
    let mut world = World::new();
    assert_eq!(world.prints(&[r#"{"temp":21.5,"hum":40}"#]), ASK);
    let told = world.passes(INTRODUCTION);
    assert_eq!(told, "enter hello add_sender(ttyACM0 hum,temp) temp#1=21.5 hum#1=40");
    assert_eq!(world.prints(&[r#"{"far":1}"#]), "add_events(ttyACM0 far) far#1=1");
    assert_eq!(
        world.prints(&["watch out"]),
        r#"add_events(ttyACM0 log) log#1="watch out""#
    );
    assert_eq!(world.prints(&[r#"{"far":2}"#, "ok"]), r#"far#2=2 log#2="ok""#);
}

#[test]
fn a_board_that_is_asked_for_its_name_keeps_what_it_said_before() {
    let mut world = World::new();
    assert_eq!(world.prints(&[r#"{"temp":21.5}"#, "text", r#"{"temp":22}"#]), ASK);
    let told = world.prints(&[HELLO]);
    let wanted = "enter hello add_sender(x log,temp led) temp#1=21.5 log#1=\"text\" temp#2=22";
    assert_eq!(told, wanted);
    assert_eq!(world.passes(INTRODUCTION), "");
}

#[test]
fn boot_text_is_nobodys_event() {
    let mut world = World::new();
    let boot = ["rst:0x1", "115200", "{ broken", "\u{fffd}\u{fffd}", "7", "wait"];
    assert_eq!(world.prints(&boot), "");
    assert_eq!(world.prints(&["1", "2"]), ASK);
    assert_eq!(
        world.passes(INTRODUCTION),
        "enter hello add_sender(ttyACM0 values) values#1=1 values#2=2"
    );
}

#[test]
fn promise_1_what_the_board_counted_and_did_not_arrive_is_missed() {
    let mut world = World::new();
    let hello = HELLO.replace('}', ",\"n\":0}");
    let told = world.prints(&[
        &hello,
        r#"{"temp":1,"n":1}"#,
        r#"{"temp":4,"n":4}"#,
        r#"{"temp":5,"n":5}"#,
    ]);
    assert_eq!(told, "enter hello add_sender(x temp led) temp#1=1 temp#4=4 temp#5=5");
    // An answer shows a gap, and the next event has it.
    assert_eq!(
        world.prints(&[r#"{"id":1,"response":1,"n":8}"#, r#"{"temp":9,"n":9}"#]),
        "temp#8=9"
    );
    assert_eq!(world.session.counts().missing, 4);
    // One that starts again has lost nothing.
    assert_eq!(world.prints(&[&hello, r#"{"temp":1,"n":1}"#]), "temp#9=1");
}

#[test]
fn promise_1_what_the_router_has_no_room_for_is_missed() {
    let mut world = World::new();
    world.credit = 30;
    let told = world.prints(&[
        HELLO,
        r#"{"temp":1}"#,
        r#"{"temp":2}"#,
        r#"{"temp":3}"#,
        r#"{"temp":4}"#,
    ]);
    assert_eq!(told, "enter hello add_sender(x temp led) temp#1=1 temp#2=2");
    world.notice("credit", &serde_json::json!({"sender": "x", "granted": 1000}));
    assert_eq!(world.prints(&[r#"{"temp":5}"#]), "temp#5=5");
    assert_eq!(world.session.counts().lost, 2);
}

#[test]
fn another_name_and_other_requests_make_another_sender_and_more_events_do_not() {
    let mut world = World::with(|settings| Settings {
        name: SenderName::new("first").unwrap(),
        ..settings
    });
    assert_eq!(world.prints(&["{\"a\":1}"]), ASK);
    assert_eq!(world.passes(INTRODUCTION), "enter hello add_sender(first a) a#1=1");
    let told = world.prints(&[r#"{"hello":"second","events":["b"]}"#, "{\"a\":1}"]);
    assert_eq!(
        told,
        "remove_sender(first) add_sender(second b) add_events(second a) a#1=1"
    );
    assert_eq!(
        world.prints(&[r#"{"hello":"second","events":["c"]}"#]),
        "add_events(second c)"
    );
    let told = world.prints(&[r#"{"hello":"second","requests":[null]}"#, "{\"a\":2}"]);
    assert_eq!(told, "remove_sender(second) add_sender(second a,b,c * after 1) a#2=2");
}

#[test]
fn a_name_from_the_options_beats_that_of_the_board() {
    let mut world = World::with(|settings| Settings {
        fixed: true,
        ..settings
    });
    assert_eq!(world.prints(&[HELLO]), "enter hello add_sender(ttyACM0 temp led)");
}

#[test]
fn promise_3_silence_is_a_timeout_and_the_numbers_go_on_behind_it() {
    let timeout = Duration::from_secs(3);
    let mut world = World::with(|settings| Settings {
        idle_timeout: Some(timeout),
        ..settings
    });
    world.prints(&[HELLO, r#"{"temp":1,"n":1}"#]);
    assert_eq!(world.passes(timeout), "leave:timeout");
    assert_eq!(world.passes(timeout * 10), "", "once");
    assert_eq!(world.prints(&["some text"]), "", "text is no sign of life");
    let told = world.prints(&[r#"{"temp":4,"n":4}"#]);
    assert_eq!(told, "enter hello add_sender(x temp led after 1) temp#4=4");
}

#[test]
fn a_name_that_is_taken_is_asked_for_again_and_what_is_lost_meanwhile_shows() {
    let mut world = World::new();
    world.taken = true;
    assert_eq!(
        world.prints(&[HELLO, "{\"temp\":1}"]),
        "enter hello add_sender(x temp led)"
    );
    assert_eq!(world.session.refusal(), Some("the name is taken"));
    assert_eq!(world.passes(Duration::from_millis(900)), "");
    world.taken = false;
    assert_eq!(
        world.passes(Duration::from_millis(200)),
        "add_sender(x temp led after 1)"
    );
    assert_eq!(world.session.refusal(), None);
    assert_eq!(world.prints(&["{\"temp\":2}"]), "temp#2=2");
    assert_eq!(world.session.counts().lost, 1);
}

#[test]
fn a_router_that_takes_nobody_is_asked_again_after_a_while() {
    let mut world = World::new();
    world.open = false;
    assert_eq!(world.prints(&[HELLO]), "");
    assert_eq!(world.session.refusal(), Some("full"));
    world.open = true;
    assert_eq!(world.prints(&["{\"temp\":1}"]), "");
    world.passes(Duration::from_secs(1));
    assert_eq!(
        world.prints(&["{\"temp\":2}"]),
        "enter hello add_sender(x temp led after 1) temp#2=2"
    );
}

#[test]
fn a_router_that_says_goodbye_is_left() {
    let mut world = World::new();
    world.prints(&[HELLO]);
    assert_eq!(
        world.notice("goodbye", &serde_json::json!({"text": "bye"})),
        "leave:closed"
    );
    assert_eq!(world.prints(&["{\"temp\":1}"]), "");
}

#[test]
fn a_heartbeat_is_kept_up() {
    let mut world = World::new();
    world.prints(&[HELLO]);
    world.notice("welcome", &serde_json::json!({"version": 1, "heartbeat_ms": 2000}));
    assert_eq!(world.passes(Duration::from_secs(5)), "heartbeat heartbeat");
}

#[test]
fn noise_does_not_fill_the_memory_with_names() {
    let mut world = World::new();
    for n in 0..1000 {
        world.prints(&[&format!("{{\"e{n}\":1}}")]);
    }
    assert_eq!(
        (world.session.events.len(), world.session.counts().unlisted),
        (MAX_LISTED, 1000 - MAX_LISTED as u64)
    );
}

#[test]
fn calls_that_are_not_for_boards_are_answered() {
    let mut world = World::new();
    world.prints(&[HELLO]);
    world
        .session
        .message(Call::new(9, "add_listener", RawJson::null()).into(), world.now);
    world
        .session
        .message(Call::new(10, "request", RawJson::null()).into(), world.now);
    world.settle();
    assert_eq!(world.told(), "9:UnknownMethod 10:invalid_params");
}

proptest::proptest! {
    /// Whatever a board prints and whatever a router says in whatever order: numbers of what is sent only rise, and what
    /// was lost is what they leave out.
    #[test]
    fn promise_1_received_and_missed_are_what_the_board_counted(
        steps in proptest::collection::vec((0_u8..7, 1_u32..4), 1..80),
    ) {
        let mut world = World::with(|settings| Settings { idle_timeout: Some(Duration::from_secs(5)), ..settings });
        world.credit = 200;
        let (mut n, mut printed) = (0_u32, 0_u64);
        let mut told = world.prints(&[&HELLO.replace('}', ",\"n\":0}")]);
        for (step, amount) in steps {
            let said = match step {
                0 => { n += amount; printed += u64::from(amount); String::new() }
                1 => world.passes(Duration::from_secs(u64::from(amount))),
                2 => world.notice("credit", &serde_json::json!({"sender": "x", "granted": amount * 400})),
                3 => { world.taken = amount == 1; String::new() }
                _ => { n += 1; printed += 1; world.prints(&[&format!("{{\"temp\":{n},\"n\":{n}}}")]) }
            };
            told.push(' ');
            told.push_str(&said);
        }
        let numbers = told.split(' ').filter_map(|word| word.strip_prefix("temp#")?.split_once('='));
        let mut last = 0;
        for (number, data) in numbers {
            let number: u64 = number.parse().unwrap();
            proptest::prop_assert!(number > last);
            // Each document has one event, so its number is that of the document.
            proptest::prop_assert_eq!(number, data.parse::<u64>().unwrap());
            last = number;
        }
        proptest::prop_assert!(last <= printed);
    }
}
