//! What a client tells of its senders' numbers whenever it registers them.

use serde_json::{Value, json};
use sig_router::{ClientRouter, Offline, RemoteSender, SenderState, TriggerError};
use sig_tests::raw::{Incoming, Raw, control};
use sig_tests::rig::{becomes, client_of, lasting_address, soon};
use tokio::net::TcpListener;

/// The router's end, by hand.
struct Sham(TcpListener);

impl Sham {
    async fn at(address: &str) -> Self {
        Self(TcpListener::bind(address).await.unwrap())
    }

    /// The next link, and what the sender is registered with. Its event `a` has the alias 1, `b` has 2.
    async fn registered(&self, credit: u64) -> (Raw, Value) {
        let mut link = Raw::welcoming(&self.0).await;
        let params = register(&mut link, credit).await;
        (link, params)
    }
}

async fn register(link: &mut Raw, credit: u64) -> Value {
    let (id, params) = link.called("add_sender").await;
    let reply = json!({ "generation": 1, "aliases": { "a": 1, "b": 2 }, "credit": credit });
    link.answer(id, &reply).await;
    params
}

async fn add(client: &ClientRouter, offline: Offline) -> RemoteSender {
    let sender = client.add_remote_sender("s").events(["a", "b"]).offline(offline);
    sender.connect().await.unwrap()
}

/// The next event's alias and number.
async fn event(link: &mut Raw) -> (u32, u64) {
    loop {
        if let Incoming::Event { alias, number, .. } = link.next().await.unwrap() {
            return (alias, number);
        }
    }
}

async fn lost(sender: &RemoteSender, link: Raw) {
    drop(link);
    becomes(sender.states(), |state| *state == SenderState::Pending).await;
}

const PLENTY: u64 = 1_000_000;

#[tokio::test]
async fn promise_1_the_series_stays_and_the_numbers_are_told_as_of_the_next_event_that_comes() {
    let sham = Sham::at("127.0.0.1:0").await;
    let client = client_of(&sham.0.local_addr().unwrap().to_string());
    let (sender, (mut link, first)) = tokio::join!(add(&client, Offline::Buffer(2)), sham.registered(PLENTY));
    let series = first["series"].as_u64().unwrap();
    assert!((1..1 << 53).contains(&series), "{series}");
    assert_eq!(first.get("numbers"), None, "there was no event yet");
    let [a, b] = ["a", "b"].map(|event| sender.signal(event).unwrap());
    for signal in [&a, &b, &a, &a] {
        signal.trigger(&1).await.unwrap();
    }
    for wanted in [(1, 1), (2, 1), (1, 2), (1, 3)] {
        assert_eq!(event(&mut link).await, wanted);
    }

    lost(&sender, link).await;
    (0..3).for_each(|_| a.try_trigger(&1).unwrap());
    // Of 4, 5 and 6 the first had to go: it is missing, the others come. One fits into the credit.
    let (mut link, again) = sham.registered(1).await;
    assert_eq!(again["series"], series);
    assert_eq!(again["numbers"], json!({ "a": 4, "b": 1 }));
    assert_eq!(event(&mut link).await, (1, 5));
    assert_eq!(sender.kept(), 1);
    let busy = a.try_trigger(&1);
    assert!(matches!(busy, Err(TriggerError::Busy { .. })), "{busy:?}");
    let newer = async {
        let grant = json!({ "sender": "s", "granted": PLENTY });
        link.send(&control(&json!({ "method": "credit", "params": grant })))
            .await;
        assert_eq!(event(&mut link).await, (1, 6));
        assert_eq!(event(&mut link).await, (1, 7));
    };
    let (triggered, ()) = tokio::join!(soon("the trigger", a.trigger(&1)), newer);
    triggered.unwrap();
    assert_eq!(sender.lost(), 1);

    // Nothing was triggered meanwhile: what was under way then is told to be missing all the same.
    lost(&sender, link).await;
    let (mut link, again) = sham.registered(PLENTY).await;
    assert_eq!(
        (&again["series"], &again["numbers"]),
        (&json!(series), &json!({ "a": 7, "b": 1 }))
    );

    // The next sender of the name begins anew.
    let removing = async {
        let (id, _) = link.called("remove_sender").await;
        link.answer(id, &json!(true)).await;
    };
    tokio::join!(sender.remove(), removing);
    let (_sender, other) = tokio::join!(add(&client, Offline::Wait), register(&mut link, PLENTY));
    assert_ne!(other["series"], series);
    assert_eq!(other.get("numbers"), None);
}

#[tokio::test]
async fn promise_1_an_event_that_was_given_up_is_told_with_the_next_registration() {
    let address = lasting_address();
    let sham = Sham::at(&address).await;
    let client = client_of(&address);
    let (sender, (link, _)) = tokio::join!(add(&client, Offline::Wait), sham.registered(PLENTY));
    let signal = sender.signal("a").unwrap();
    drop(sham);
    lost(&sender, link).await;
    let triggered = signal.trigger(&1).await;
    assert!(matches!(triggered, Err(TriggerError::Offline { .. })), "{triggered:?}");
    let sham = Sham::at(&address).await;
    let (mut link, again) = sham.registered(PLENTY).await;
    assert_eq!(again["numbers"], json!({ "a": 1 }));
    becomes(sender.states(), |state| *state == SenderState::Live).await;
    signal.trigger(&2).await.unwrap();
    assert_eq!(event(&mut link).await, (1, 2));
    assert_eq!(sender.lost(), 1);
}
