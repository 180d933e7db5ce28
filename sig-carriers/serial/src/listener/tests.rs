//! What is wrong with a line is said within three seconds: over a simulated cable, in virtual time.

mod clients;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use sig_core::{
    Batch, CarrierError, ClientId, Disconnect, Inbound, LinkReport, LinkState, PeerInfo, Reason, Receiver, SenderName,
    Tasks, Uplink, Verdict,
};
use tokio::io::AsyncWriteExt as _;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep};

use super::Listener;
use crate::framing::{Dialect, Writer};
use crate::sim::{Cable, SimLine, resample};
use crate::{Check, Life, Options, Place, Port};

const STEP: Duration = Duration::from_millis(100);

const LINES: Dialect = Dialect::Lines(Check::None);

const HELLO: &str = r#"{"hello":"board","events":["temp"]}"#;

/// A router that notes what it is told.
#[derive(Debug, Default)]
struct Told {
    verdicts: Mutex<Vec<(Instant, Option<Verdict>, String)>>,
    clients: Mutex<Vec<ClientId>>,
    /// Why they left.
    left: Mutex<Vec<Reason>>,
    /// Something of this changed.
    changed: Notify,
}

/// A client of whom nothing is taken.
#[derive(Debug)]
struct Silent(Arc<Told>);

impl Receiver for Silent {
    fn deliver(&self, batch: &mut Batch) -> Result<(), CarrierError> {
        batch.clear();
        Ok(())
    }

    fn retire(&self, why: Disconnect) {
        self.0.left.lock().unwrap().push(why.reason);
        self.0.changed.notify_one();
    }

    fn max_frame(&self) -> usize {
        1 << 20
    }
}

#[derive(Debug)]
struct Heard(Arc<Told>);

impl Inbound for Heard {
    fn admit(&self, id: ClientId, _: PeerInfo) -> Result<Arc<dyn Receiver>, CarrierError> {
        self.0.clients.lock().unwrap().push(id);
        self.0.changed.notify_one();
        Ok(Arc::new(Silent(Arc::clone(&self.0))))
    }

    fn all_disconnected(&self, _: Disconnect) {}

    fn link(&self, report: LinkReport) {
        let told = (Instant::now(), report.verdict, report.detail);
        self.0.verdicts.lock().unwrap().push(told);
    }
}

/// Something at the other end of a line.
struct Board {
    line: SimLine,
    writer: Writer,
}

impl Board {
    async fn print(&mut self, bytes: impl AsRef<[u8]>) {
        self.line.write_all(bytes.as_ref()).await.unwrap();
    }

    async fn say(&mut self, document: &str) {
        let mut bytes = bytes::BytesMut::new();
        self.writer.document(document.as_bytes(), &mut bytes);
        self.print(bytes).await;
    }
}

/// What is found in 5 seconds of a board that does this every 100 ms: each verdict, and when it came.
async fn found(
    dialect: Dialect,
    mut act: impl AsyncFnMut(&mut Board, u32),
) -> (Vec<(Option<Verdict>, Duration)>, usize) {
    let told = Arc::<Told>::default();
    let tasks = Tasks::new().unwrap();
    let uplink = Uplink::new(Arc::new(Heard(Arc::clone(&told))), tasks.clone());
    let port = Port::new(Place::Device("/dev/none".into()), Options::new()).unwrap();
    let listener = Listener::new(port);
    let (_cable, near, line) = Cable::new(115_200, 1);
    let report = LinkReport::new("serial", "serial:///dev/none", LinkState::Live);
    let (opened, life) = (Instant::now(), Life::new(uplink.clone(), report));
    let talking = listener.talk_over(near, life, SenderName::new("none").unwrap(), &uplink);
    let mut board = Board {
        line,
        writer: Writer::new(dialect),
    };
    let acting = async {
        for step in 0..50 {
            act(&mut board, step).await;
            sleep(STEP).await;
        }
        tasks.stop();
    };
    tokio::join!(talking, acting);
    let mut found: Vec<_> = Vec::new();
    for (at, verdict, detail) in told.verdicts.lock().unwrap().drain(..) {
        assert!(verdict.is_none() || detail.len() > 20, "{verdict:?}: {detail}");
        if found
            .last()
            .map_or_else(|| verdict.is_some(), |(last, _)| *last != verdict)
        {
            found.push((verdict, at.duration_since(opened)));
        }
    }
    let clients = told.clients.lock().unwrap().len();
    (found, clients)
}

/// The only verdict of these, which came in time.
fn only((found, clients): (Vec<(Option<Verdict>, Duration)>, usize)) -> (Option<Verdict>, usize) {
    assert!(found.len() <= 1, "{found:?}");
    let only = found.first().copied();
    assert!(
        only.is_none_or(|(_, after)| after <= Duration::from_secs(3)),
        "{only:?}"
    );
    (only.and_then(|(verdict, _)| verdict), clients)
}

#[tokio::test(start_paused = true)]
async fn silence_is_told() {
    let silent = found(LINES, async |_, _| {}).await;
    assert_eq!(only(silent), (Some(Verdict::NothingReceived), 0));
}

#[tokio::test(start_paused = true)]
async fn every_pair_of_rates_is_told_to_be_one() {
    let rates = [9600, 19_200, 38_400, 57_600, 115_200, 230_400];
    let lines = [
        "{\"temp\":21.5,\"hum\":40}\r\n",
        "21.5,40,1013\r\n",
        "{\"event\":\"door\",\"data\":{\"open\":true}}*0123ABCD\n",
    ];
    let mut missed = Vec::new();
    for (sent, sampled) in rates.into_iter().flat_map(|sent| rates.map(|sampled| (sent, sampled))) {
        for line in lines.iter().filter(|_| sent != sampled) {
            let bytes = resample(line.as_bytes(), sent, sampled);
            let wrong = found(LINES, async |board: &mut Board, _| board.print(&bytes).await).await;
            if only(wrong.clone()) != (Some(Verdict::WrongBaud), 0) {
                missed.push((sent, sampled, bytes.escape_ascii().to_string(), wrong));
            }
        }
    }
    assert!(missed.is_empty(), "{missed:#?}");
}

#[tokio::test(start_paused = true)]
async fn text_alone_in_documents_and_between_frames_is_told() {
    let alone = found(LINES, async |board: &mut Board, _| board.print("T = 21.5 C\n").await).await;
    assert_eq!(only(alone), (Some(Verdict::TextMixedIn), 0));
    let inside = async |board: &mut Board, step: u32| match step {
        0 => board.say(HELLO).await,
        _ => board.print("DEBUG {\"temp\":21.5}\n").await,
    };
    assert_eq!(only(found(LINES, inside).await), (Some(Verdict::TextMixedIn), 1));
    let between = async |board: &mut Board, step: u32| match step % 5 {
        0 => board.say(HELLO).await,
        1 => board.print("DEBUG door\n").await,
        _ => board.say(r#"{"temp":21.5}"#).await,
    };
    assert_eq!(
        only(found(Dialect::Frames, between).await),
        (Some(Verdict::TextMixedIn), 1)
    );
    assert_eq!(
        only(found(LINES, between).await),
        (None, 1),
        "between lines it is the log"
    );
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_cannot_be_talked_to_is_told() {
    let mut frame = bytes::BytesMut::new();
    Writer::segment(&[b"\x01something of another time"], &mut frame);
    let old = found(LINES, async |board: &mut Board, _| board.print(&frame).await).await;
    assert_eq!(only(old), (Some(Verdict::PeerTooOld), 0));
}

#[tokio::test(start_paused = true)]
async fn two_seconds_of_boot_text_are_nothing_wrong() {
    let booting = async |board: &mut Board, step: u32| match step {
        // The boot loader has a rate of its own.
        0 => {
            board
                .print(resample(
                    b"ets Jan  8 2013,rst cause:2, boot mode:(3,6)\r\n",
                    74_880,
                    115_200,
                ))
                .await
        }
        1..20 => board.print("load 0x4010f000, len 3584\r\n").await,
        20 => board.say(HELLO).await,
        _ => board.say(r#"{"temp":21.5}"#).await,
    };
    assert_eq!(only(found(LINES, booting).await), (None, 1));
}

#[tokio::test(start_paused = true)]
async fn a_verdict_is_taken_back_when_it_is_over() {
    let late = async |board: &mut Board, step: u32| match step {
        ..35 => {}
        _ => board.say(r#"{"temp":21.5}"#).await,
    };
    let (found, clients) = found(LINES, late).await;
    let verdicts: Vec<_> = found.iter().map(|(verdict, _)| *verdict).collect();
    assert_eq!((verdicts, clients), (vec![Some(Verdict::NothingReceived), None], 1));
}
