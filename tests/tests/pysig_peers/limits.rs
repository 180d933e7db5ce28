//! What the old code can take, and what happens beyond.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use sig_carrier_tcp::Listener;
use sig_core::{CarrierError, Link, Medium, Profile, StreamCarrier};
use sig_router::{Request, RequestError, ServerRouter};
use sig_tests::pysig::Pysig;
use sig_tests::raw::{Raw, control};
use sig_tests::rig::holds;
use tokio::net::TcpStream;

use crate::support::{
    Events as _, Serving, assert_nothing_heard, begin_trigger, listen, next, next_heard, soon, trigger,
};

#[tokio::test]
async fn nan_and_infinity_of_python_arrive_as_words() {
    for pysig in Pysig::all() {
        let server = Serving::start();
        let (client, other) = (server.pysig(&pysig).await, server.pysig(&pysig).await);
        let native = server.native();
        client
            .ok(
                "add_remote_sender",
                json!({ "name": "c", "events": ["e"], "requests": ["echo"] }),
            )
            .await;
        listen(&other, "l", "c", "e").await;
        let mut heard = native.listen_remote("c/e").await.unwrap();
        let data =
            json!([{ "$float": "NaN" }, { "$float": "-Infinity" }, { "x": { "$float": "Infinity" } }, "NaN", 1.5]);
        let words = json!(["NaN", "-Infinity", { "x": "Infinity" }, "NaN", 1.5]);
        begin_trigger(&client, "c", "e", data.clone()).await;
        assert_eq!(next(&mut heard).await.1, words);
        assert_eq!(next_heard(&other).await.3, words);
        // As parameters and in a response, and the connection is none the worse.
        let request = json!({ "sender": "c", "method": "echo", "params": data });
        assert_eq!(other.ok("remote_request", request).await, words);
        begin_trigger(&client, "c", "e", json!({ "$float": "NaN" })).await;
        assert_eq!(next(&mut heard).await.1, "NaN");
    }
}

#[tokio::test]
async fn large_messages_of_pysig_arrive_whole() {
    for pysig in Pysig::all() {
        let server = Serving::start();
        let client = server.pysig(&pysig).await;
        let native = server.native();
        client
            .ok("add_remote_sender", json!({ "name": "c", "events": ["e"] }))
            .await;
        let size = |request: Request| Ok(request.params::<String>()?.len());
        let _sender = server.router.add_sender("s").request("size", size).connect().unwrap();
        let mut heard = native.listen_remote("c/e").await.unwrap();
        for size in [4_000, 4_096, 5_000, 70_000, 1_000_000] {
            let text = "0123456789".repeat(size / 10);
            begin_trigger(&client, "c", "e", json!(text)).await;
            assert_eq!(next(&mut heard).await.1, text);
            let request = json!({ "sender": "s", "method": "size", "params": text });
            assert_eq!(client.ok("remote_request", request).await, text.len());
        }
    }
}

#[tokio::test]
async fn what_pysig_cannot_receive_is_refused_and_costs_nothing_else() {
    for pysig in Pysig::all() {
        let server = Serving::start();
        let client = server.pysig(&pysig).await;
        let text = |request: Request| Ok("x".repeat(request.params()?));
        let sender = server
            .router
            .add_sender("s")
            .event("e")
            .request("text", text)
            .connect()
            .unwrap();
        client
            .ok(
                "add_remote_sender",
                json!({ "name": "c", "events": [], "requests": ["echo"] }),
            )
            .await;
        listen(&client, "l", "s", "e").await;
        let signal = sender.signal("e").unwrap();

        // The largest document that one recv(4096) takes, and one byte more.
        client.ok("observe", json!({})).await;
        signal.trigger(&"").await.unwrap();
        let seen = client.next_event("the call", |line| line.get("rx").is_some()).await;
        assert_eq!(next_heard(&client).await.3, "");
        let envelope = serde_json::to_string(&seen["rx"]).unwrap().len();
        let most = 4096 - envelope;
        for size in [most, most + 1, 100_000, 1] {
            signal.trigger(&"x".repeat(size)).await.unwrap();
        }
        for size in [most, 1] {
            assert_eq!(next_heard(&client).await.3.as_str().map(str::len), Some(size));
        }
        assert_nothing_heard(&client);
        assert_eq!(server.router.clients()[0].lost, 2);

        // A response: the asker learns why it gets none.
        let ask = async |size: usize| {
            let params = json!({ "sender": "s", "method": "text", "params": size });
            client
                .ok("call", json!({ "method": "request", "params": params }))
                .await
        };
        assert_eq!(ask(3_000).await["response"].as_str().map(str::len), Some(3_000));
        let refused = ask(5_000).await;
        assert_eq!(refused["status"], -2);
        let why = refused["exception"].as_str().unwrap();
        assert!(why.contains("4096"), "{why}");
        // A request: it is not sent.
        let error = server
            .router
            .request("c", "echo", &"x".repeat(5_000))
            .await
            .unwrap_err();
        assert!(
            matches!(&error, RequestError::Codec(why) if why.contains("4096")),
            "{error:?}"
        );
        let answer = server.router.request("c", "echo", &"still there").await.unwrap();
        assert_eq!(answer.parse::<String>().unwrap(), "still there");
    }
}

#[tokio::test]
async fn an_event_right_after_a_registration_is_not_lost() {
    for pysig in Pysig::all() {
        let server = Serving::start();
        let sender = server.router.add_sender("s").event("e").connect().unwrap();
        let signal = sender.signal("e").unwrap();
        let client = server.pysig(&pysig).await;
        client.ok("get_version", json!({})).await;
        for round in 1..=10 {
            let id = format!("l{round}");
            let topic = json!({ "id": id, "sender": "s", "event": "e" });
            let pending = client.start("add_remote_listener", topic).await;
            // The server has the listener; the client does not know its id yet, and says so.
            holds("the registration", || server.router.clients()[0].listeners == round).await;
            signal.trigger(&round).await.unwrap();
            assert_eq!(pending.answer().await.unwrap(), true);
            for listener in 1..=round {
                let heard = next_heard(&client).await;
                assert_eq!((heard.0, heard.3), (format!("l{listener}"), json!(round)));
            }
        }
        assert_nothing_heard(&client);
    }
}

#[tokio::test]
async fn many_clients_and_all_directions_at_once() {
    const CLIENTS: usize = 3;
    const EVENTS: usize = 30;
    let Some(pysig) = Pysig::available() else { return };
    let server = Serving::start();
    let ours = server
        .router
        .add_sender("ours")
        .event("e")
        .request("echo", |request: Request| Ok(request.raw_params().clone()))
        .connect()
        .unwrap();
    let mut clients = Vec::new();
    for n in 0..CLIENTS {
        let client = server.pysig(&pysig).await;
        let name = format!("c{n}");
        client
            .ok(
                "add_remote_sender",
                json!({ "name": name, "events": ["e"], "requests": ["echo"] }),
            )
            .await;
        clients.push((name, client));
    }
    for (_, client) in &clients {
        listen(client, "all", None, None).await;
    }
    let signal = ours.signal("e").unwrap();
    let server_side = async {
        for n in 0..EVENTS {
            signal.trigger(&n).await.unwrap();
            let asked = format!("c{}", n % CLIENTS);
            let answer = server.router.request(asked, "echo", &n).await.unwrap();
            assert_eq!(answer.parse::<usize>().unwrap(), n);
        }
    };
    let one_client = async |name: &str, client: &sig_tests::pysig::Peer| {
        for n in 0..EVENTS {
            trigger(client, name, "e", json!(n)).await;
            let request = json!({ "sender": "ours", "method": "echo", "params": n });
            assert_eq!(client.ok("remote_request", request).await, n);
        }
        let mut next = std::collections::HashMap::<String, usize>::new();
        for _ in 0..EVENTS * (CLIENTS + 1) {
            let (_, sender, _, data) = next_heard(client).await;
            let expected = next.entry(sender.clone()).or_default();
            assert_eq!(data, *expected, "{sender}");
            *expected += 1;
        }
        assert_nothing_heard(client);
    };
    let all = futures::future::join_all(clients.iter().map(|(name, client)| one_client(name, client)));
    tokio::join!(server_side, all);
}

/// A listening socket that makes the server look for signs of life often.
#[derive(Debug)]
struct Impatient(Listener);

impl Medium for Impatient {
    const NAME: &'static str = "impatient";
    type Io = TcpStream;

    async fn next(&self) -> Result<Link<TcpStream>, CarrierError> {
        self.0.next().await
    }

    fn profile(&self) -> Profile {
        self.0.profile().with_heartbeat(Duration::from_millis(500))
    }

    fn close(&self) {
        self.0.close();
    }
}

#[tokio::test]
async fn an_idle_pysig_client_stays_connected() {
    for pysig in Pysig::all() {
        let listener = Listener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().to_string();
        let port = listener.local_addr().port();
        let server = ServerRouter::new().unwrap();
        server.attach(Arc::new(StreamCarrier::new(Impatient(listener))));
        let sender = server.add_sender("s").event("e").connect().unwrap();
        // One that never said a word, one that did, and a sender that triggers nothing.
        let (silent, idle) = (pysig.spawn().await, pysig.spawn().await);
        for peer in [&silent, &idle] {
            assert_eq!(peer.ok("connect", json!({ "port": port })).await, true);
        }
        listen(&idle, "l", "s", "e").await;
        idle.ok("add_remote_sender", json!({ "name": "c", "events": ["e"] }))
            .await;

        // A native client that falls silent is noticed meanwhile, three times over.
        let mut presence = server.listen("mute").unwrap();
        for _ in 0..3 {
            let mut mute = Raw::preface(&address).await;
            let mut hello = sig_tests::raw::hello();
            hello["params"]["heartbeat_ms"] = 500.into();
            mute.send(&control(&hello)).await;
            mute.call(1, "add_sender", &json!({ "sender": "mute", "events": ["e"] }))
                .await;
            assert_eq!(next(&mut presence).await.0, "mute/#connect");
            let (event, left) = next(&mut presence).await;
            assert_eq!(
                (event.as_str(), &left["reason"]),
                ("mute/#disconnect", &json!("timeout"))
            );
            soon("the end of its connection", mute.ended()).await;
        }

        assert_eq!(server.clients().len(), 1, "{:?}", server.clients());
        sender.signal("e").unwrap().trigger(&"hello").await.unwrap();
        assert_eq!(next_heard(&idle).await.3, "hello");
        for peer in [&silent, &idle] {
            assert_eq!(peer.ok("get_version", json!({})).await, "1.01");
            let events = peer.take_events();
            assert!(
                events.iter().all(|line| line.get("disconnected").is_none()),
                "{events:?}"
            );
        }
    }
}

#[tokio::test]
async fn one_that_speaks_no_json_costs_its_own_connection_only() {
    for pysig in Pysig::all() {
        let server = Serving::start();
        let (client, broken) = (server.pysig(&pysig).await, server.pysig(&pysig).await);
        listen(&client, "l", "s", "e").await;
        let mut presence = server.router.listen("b").unwrap();
        broken
            .ok("add_remote_sender", json!({ "name": "b", "events": ["e"] }))
            .await;
        assert_eq!(presence.next_event().await.name().as_str(), "#connect");
        broken
            .ok(
                "send_raw",
                json!({ "text": "{\"id\": 1, \"method\": \"get_version\", }" }),
            )
            .await;
        assert_eq!(presence.next_event().await.name().as_str(), "#disconnect");
        broken
            .next_event("the end of the connection", |line| line["disconnected"] == true)
            .await;
        let sender = server.router.add_sender("s").event("e").connect().unwrap();
        sender.signal("e").unwrap().trigger(&Value::Null).await.unwrap();
        assert_eq!(next_heard(&client).await.3, Value::Null);
    }
}
