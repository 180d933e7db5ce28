//! By hand, as docs/WIRE.md says.

use serde_json::{Value, json};
use sig_router::Confirm;
use sig_tests::raw::{Incoming, Raw, control, hello};
use sig_tests::rig::soon;
use sig_wire::{EventHeader, Extension, TlvWriter, Tlvs, tlv};

use crate::world::{World, counts, sender};

/// A client that says that it tells what became of events, or not.
async fn client(world: &World, confirms: bool) -> Raw {
    let mut hello = hello();
    if confirms {
        hello["params"]["capabilities"] = json!(["confirm"]);
    }
    let mut raw = Raw::connect(world.address()).await;
    raw.open(&hello).await;
    raw
}

async fn listening(world: &World, confirms: bool) -> Raw {
    let mut raw = client(world, confirms).await;
    let listens = json!({ "listener_id": 1, "sender": "s", "event": "e" });
    assert_eq!(raw.call(1, "add_listener", &listens).await["status"], 0);
    raw
}

/// The next event: its number, and what is asked about it.
async fn next_event(raw: &mut Raw) -> (u64, Option<(u64, u8, u32)>) {
    loop {
        if let Incoming::Event { number, ext, .. } = raw.next().await.expect("the link is up") {
            let confirm = Tlvs::new(&ext).find(tlv::CONFIRM).map(|found| found.known().unwrap());
            let asked = confirm.map(|confirm| match confirm {
                Extension::Confirm { id, wait, timeout_ms } => (id, wait, timeout_ms),
                other => panic!("{other:?}"),
            });
            return (number, asked);
        }
    }
}

#[tokio::test]
async fn the_answer_of_a_client_counts_as_it_says() {
    let world = World::tcp();
    let sender = world.server.add_sender("s").event("e").connect().unwrap();
    let signal = sender.signal("e").unwrap();
    let mut raw = listening(&world, true).await;
    for (answer, expected) in [
        (
            json!({ "status": 0, "response": { "accepted": 3, "delivered": 1, "lost": 2, "pending": 0 } }),
            [3, 1, 2, 0],
        ),
        (json!({ "status": 0, "response": { "pending": 1 } }), [0, 0, 0, 1]),
        (
            json!({ "status": -2, "exception": "no", "code": "refused" }),
            [1, 0, 1, 0],
        ),
        (json!({ "status": -1 }), [1, 0, 1, 0]),
        (json!({ "status": 0, "response": "done" }), [1, 0, 0, 1]),
    ] {
        let mut confirming = signal.trigger_confirmed(&1, Confirm::Delivered).into_future();
        let (_, asked) = tokio::select! {
            event = next_event(&mut raw) => event,
            early = &mut confirming => panic!("{early:?}"),
        };
        let (id, wait, timeout_ms) = asked.expect("it is asked");
        assert_eq!(wait, tlv::CONFIRM_DELIVERED);
        assert!((9_000..=9_750).contains(&timeout_ms), "{timeout_ms}");
        let mut answer = answer;
        answer["id"] = json!(id);
        raw.send(&control(&answer)).await;
        let confirmation = soon("its counts", confirming).await.unwrap();
        assert_eq!(counts(confirmation), expected, "{answer}");
    }
    // Nothing is asked where it is not waited for.
    signal.trigger(&2).await.unwrap();
    assert_eq!(next_event(&mut raw).await, (6, None));
    let accepted = soon("accepted", signal.trigger_confirmed(&3, Confirm::Accepted))
        .await
        .unwrap();
    assert_eq!(counts(accepted), [1, 0, 0, 0]);
    assert_eq!(next_event(&mut raw).await, (7, None));
}

#[tokio::test]
async fn of_a_client_that_does_not_tell_nothing_is_known_and_nobody_waits_for_it() {
    let world = World::tcp();
    let (here, mut raw) = (world.client(), listening(&world, false).await);
    let (_sender, signal) = sender(&here).await;
    let confirmation = soon("counts", signal.trigger_confirmed(&1, Confirm::Delivered))
        .await
        .unwrap();
    assert_eq!(counts(confirmation), [1, 0, 0, 1]);
    let accepted = soon("accepted", signal.trigger_confirmed(&2, Confirm::Accepted))
        .await
        .unwrap();
    assert_eq!(counts(accepted), [1, 0, 0, 0]);
    // The question of one link does not go over the next.
    assert_eq!(next_event(&mut raw).await, (1, None));
    assert_eq!(next_event(&mut raw).await, (2, None));
}

/// The frame of event `number`, with this question and this extension of a later version.
fn asking(alias: u32, number: u64, id: u64, wait: u8, timeout_ms: u32) -> Vec<u8> {
    let mut buffer = [0; tlv::KNOWN_MAX];
    let mut writer = TlvWriter::new(&mut buffer);
    writer.push_raw(200, &[1, 2, 3]).unwrap();
    writer.push(&Extension::Confirm { id, wait, timeout_ms }).unwrap();
    let ext = writer.finish();
    let payload = b"21.5";
    let head = EventHeader { alias, number }.encode_ext_head(ext.len(), payload.len(), u32::MAX);
    [&head.unwrap()[..], ext, payload].concat()
}

async fn sending(world: &World) -> (Raw, u32) {
    let mut raw = client(world, true).await;
    let added = raw
        .call(1, "add_sender", &json!({ "sender": "s", "events": ["e"] }))
        .await;
    let alias = added["response"]["aliases"]["e"].as_u64().unwrap();
    (raw, alias.try_into().unwrap())
}

#[tokio::test]
async fn a_client_is_told_what_became_of_its_event() {
    let world = World::tcp();
    let (mut raw, alias) = sending(&world).await;
    let told = |reply: Value| {
        ["accepted", "delivered", "lost", "pending"].map(|count| reply["response"][count].as_u64().unwrap())
    };

    raw.send(&asking(alias, 1, 77, tlv::CONFIRM_DELIVERED, 10_000)).await;
    assert_eq!(told(raw.reply(77).await), [0, 0, 0, 0], "nobody listens");

    let mut stream = world.server.listen("s/e").unwrap();
    let mut other = listening(&world, false).await;
    raw.send(&asking(alias, 2, 78, tlv::CONFIRM_ACCEPTED, 10_000)).await;
    assert_eq!(told(raw.reply(78).await), [2, 0, 0, 0]);
    raw.send(&asking(alias, 3, 79, tlv::CONFIRM_DELIVERED, 300)).await;
    assert_eq!(told(raw.reply(79).await), [2, 0, 0, 2], "at the deadline");
    // A word of a later version is taken for the most that is known.
    raw.send(&asking(alias, 4, 80, 9, 600_000)).await;
    for number in 2..=4 {
        assert_eq!(soon("an event", stream.recv()).await.unwrap().unwrap().number(), number);
    }
    assert_eq!(told(raw.reply(80).await), [2, 1, 0, 1]);
    // It went on without the question, and with what else there was.
    for number in 2..=4 {
        let ext = loop {
            if let Incoming::Event { number: found, ext, .. } = other.next().await.unwrap() {
                assert_eq!(found, number);
                break ext;
            }
        };
        assert_eq!(ext, [200, 3, 1, 2, 3]);
    }
}

#[tokio::test]
async fn a_question_that_is_no_question_ends_the_link() {
    let world = World::tcp();
    let (mut raw, alias) = sending(&world).await;
    let ext = [tlv::CONFIRM, 3, 0, 0, 0];
    let head = EventHeader { alias, number: 1 }
        .encode_ext_head(ext.len(), 1, u32::MAX)
        .unwrap();
    raw.send(&[&head[..], &ext, b"1"].concat()).await;
    let last = soon("the end", raw.ended()).await.expect("a reason");
    assert_eq!(last["params"]["code"], "malformed", "{last}");
}

#[tokio::test]
async fn who_asks_about_too_many_events_at_a_time_is_told_what_is_known() {
    const MOST: u64 = 4096;
    let world = World::tcp();
    let (mut raw, alias) = sending(&world).await;
    let stuck = world.server.listen("s/e").unwrap();
    for number in 1..=MOST + 3 {
        raw.send(&asking(alias, number, 1000 + number, tlv::CONFIRM_DELIVERED, u32::MAX))
            .await;
    }
    for number in MOST + 1..=MOST + 3 {
        let reply = raw.reply(1000 + number).await;
        assert_eq!(reply["response"]["pending"], 1, "{reply}");
    }
    drop(stuck);
    // In whatever order.
    let mut answered = 0;
    while answered < MOST {
        let reply = raw.control().await;
        if reply["id"].is_number() {
            assert_eq!(reply["response"]["lost"], 1, "{reply}");
            answered += 1;
        }
    }
}
