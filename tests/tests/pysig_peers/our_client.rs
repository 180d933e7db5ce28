//! Our ClientRouter on the server of the real pysig.

use serde_json::{Value, json};
use sig_core::Dialect;
use sig_router::{AddSenderError, ClientRouter, HandlerError, ListenError, Request, RequestError, TriggerError};
use sig_tests::pysig::{Peer, Pysig};

use crate::support::{WAIT, dial, listen, next, next_call, next_heard};

/// A server of pysig's, and its port.
pub(crate) async fn serving(pysig: &Pysig) -> (Peer, u16) {
    let server = pysig.spawn().await;
    let port = start(&server, 0).await;
    (server, port)
}

pub(crate) async fn start(server: &Peer, port: u16) -> u16 {
    let started = server.ok("start_server", json!({ "port": port })).await;
    assert_eq!(started["started"], true);
    u16::try_from(started["port"].as_u64().expect("a number")).expect("a port")
}

/// A client of ours that is connected.
pub(crate) async fn connected(port: u16) -> ClientRouter {
    let client = dial(port, Dialect::Pysig);
    client.ready(WAIT).await.expect("the server is there");
    client
}

pub(crate) async fn trigger(server: &Peer, sender: &str, event: &str, data: Value) {
    server
        .ok("trigger", json!({ "sender": sender, "event": event, "data": data }))
        .await;
}

#[tokio::test]
async fn all_four_listening_forms_hear_senders_of_a_pysig_server() {
    for pysig in Pysig::all() {
        // `Auto` finds out by the server's silence.
        for dialect in [Dialect::Pysig, Dialect::Auto] {
            let (server, port) = serving(&pysig).await;
            let client = dial(port, dialect);
            let mut specific = client.listen_remote("timer/#tick").await.unwrap();
            let mut channel = client.listen_remote("#tick").await.unwrap();
            let mut sender = client.listen_remote("timer").await.unwrap();
            let mut router = client.listen_remote("*").await.unwrap();
            let mut presence = client.listen_remote("timer/#connect").await.unwrap();

            server
                .ok("add_sender", json!({ "name": "timer", "events": ["#tick", "plain"] }))
                .await;
            trigger(&server, "timer", "#tick", json!({ "n": 1 })).await;
            trigger(&server, "timer", "plain", json!(2)).await;
            server.ok("remove_sender", json!({ "name": "timer" })).await;

            for stream in [&mut sender, &mut router] {
                let (event, data) = next(stream).await;
                assert_eq!(event, "timer/#connect");
                assert!(data["events"].as_array().unwrap().contains(&json!("plain")), "{data}");
                assert_eq!(next(stream).await, ("timer/#tick".to_owned(), json!({ "n": 1 })));
                assert_eq!(next(stream).await, ("timer/plain".to_owned(), json!(2)));
                assert_eq!(next(stream).await.0, "timer/#disconnect");
            }
            for stream in [&mut specific, &mut channel] {
                assert_eq!(next(stream).await, ("timer/#tick".to_owned(), json!({ "n": 1 })));
            }
            assert_eq!(next(&mut presence).await.0, "timer/#connect");
            assert!(
                [specific, channel, sender, router, presence]
                    .iter()
                    .all(|stream| stream.is_empty())
            );
        }
    }
}

#[tokio::test]
async fn remote_senders_of_ours_are_heard_on_a_pysig_server_and_its_clients() {
    for pysig in Pysig::all() {
        let (server, port) = serving(&pysig).await;
        let other = pysig.spawn().await;
        assert_eq!(other.ok("connect", json!({ "port": port })).await, true);
        for (id, sender, event) in [
            ("specific", "c".into(), json!("#e")),
            ("router", Value::Null, Value::Null),
        ] {
            server
                .ok("add_listener", json!({ "id": id, "sender": sender, "event": event }))
                .await;
        }
        listen(&other, "sender", "c", None).await;
        listen(&other, "channel", None, "#e").await;
        let (client, listener) = (connected(port).await, connected(port).await);
        let mut ours = listener.listen_remote("c").await.unwrap();

        let sender = client
            .add_remote_sender("c")
            .event("#e")
            .request("m", |_| Ok(()))
            .connect()
            .await
            .unwrap();
        let signal = sender.signal("#e").unwrap();
        for n in 0..20 {
            signal.trigger(&json!({ "n": n })).await.unwrap();
        }
        sender.remove().await;

        assert_eq!(next_call(&server).await, "router: c/#connect");
        assert_eq!(next_call(&other).await, "sender: c/#connect");
        let (event, data) = next(&mut ours).await;
        assert_eq!((event.as_str(), &data["requests"]), ("c/#connect", &json!(["m"])));
        for n in 0..20 {
            for (peer, ids) in [(&server, ["router", "specific"]), (&other, ["sender", "channel"])] {
                for id in ids {
                    assert_eq!(
                        next_heard(peer).await,
                        (id.to_owned(), "c".to_owned(), "#e".to_owned(), json!({ "n": n }))
                    );
                }
            }
            assert_eq!(next(&mut ours).await, ("c/#e".to_owned(), json!({ "n": n })));
        }
        assert_eq!(next_call(&server).await, "router: c/#disconnect");
        assert_eq!(next_call(&other).await, "sender: c/#disconnect");
        assert_eq!(next(&mut ours).await.0, "c/#disconnect");
    }
}

#[tokio::test]
async fn requests_go_both_ways_with_their_errors() {
    for pysig in Pysig::all() {
        let (server, port) = serving(&pysig).await;
        let client = connected(port).await;
        let methods = json!(["echo", "none", "fail", null]);
        server
            .ok("add_sender", json!({ "name": "s", "events": [], "requests": methods }))
            .await;
        server
            .ok("add_sender", json!({ "name": "plain", "events": ["e"] }))
            .await;
        let ask = async |sender: &str, method: &str, params: Value| {
            client
                .remote_request(sender, method, &params)
                .await
                .map(|answer| answer.parse::<Value>().unwrap())
        };
        let params = json!([1, "zwei", null, { "x": 1.5 }]);
        assert_eq!(ask("s", "echo", params.clone()).await.unwrap(), params);
        assert_eq!(ask("s", "none", json!(1)).await.unwrap(), Value::Null);
        assert_eq!(
            ask("s", "other", json!(5)).await.unwrap(),
            json!({ "method": "other", "params": 5 })
        );
        for (sender, method, text) in [("s", "fail", "boom"), ("plain", "m", "requests not supported")] {
            let error = ask(sender, method, Value::Null).await.unwrap_err();
            assert_eq!(error.to_string(), text);
        }
        let error = ask("nobody", "m", Value::Null).await.unwrap_err();
        assert!(
            !matches!(error, RequestError::TimedOut { .. } | RequestError::NotConnected),
            "{error:?}"
        );

        let _sender = client
            .add_remote_sender("c")
            .request("double", |request: Request| Ok(request.params::<i64>()? * 2))
            .request("fail", |_| Err::<(), _>(HandlerError::new("out of paper")))
            .default_request(|request| Ok(request.method().to_owned()))
            .connect()
            .await
            .unwrap();
        let request = |method: &str| json!({ "sender": "c", "method": method, "params": 21 });
        assert_eq!(server.ok("request", request("double")).await, 42);
        assert_eq!(server.ok("request", request("anything")).await, "anything");
        // pysig's server swallows the error (P56).
        assert_eq!(server.ok("request", request("fail")).await, Value::Null);
        // Another client of ours asks it through pysig's server.
        let asker = connected(port).await;
        let answer = asker.remote_request("c", "double", &4).await.unwrap();
        assert_eq!(answer.parse::<i64>().unwrap(), 8);
    }
}

#[tokio::test]
async fn p47_p48_version_and_senders_of_a_pysig_server_are_listed() {
    for pysig in Pysig::all() {
        let (server, port) = serving(&pysig).await;
        let client = connected(port).await;
        server.ok("add_sender", json!({ "name": "s", "events": ["e"] })).await;
        server
            .ok("add_listener", json!({ "id": "l", "sender": "awaited", "event": "e" }))
            .await;
        assert_eq!(client.remote_version().await.unwrap(), "1.01");
        let listed = client.list_remote_senders().await.unwrap();
        let mut names: Vec<_> = listed
            .iter()
            .map(|info| (info.name.as_ref().map(ToString::to_string), info.connected))
            .collect();
        names.sort();
        assert_eq!(
            names,
            [
                (None, true),
                (Some("awaited".to_owned()), false),
                (Some("s".to_owned()), true)
            ]
        );
        let sender = listed
            .iter()
            .find(|info| info.name.as_ref().is_some_and(|name| name.as_str() == "s"))
            .unwrap();
        let mut events: Vec<_> = sender
            .events
            .iter()
            .map(|event| event.as_ref().map(ToString::to_string))
            .collect();
        events.sort();
        let expected = [None, Some("#connect"), Some("#disconnect"), Some("e")];
        assert_eq!(events, expected.map(|event| event.map(str::to_owned)));
    }
}

#[tokio::test]
async fn p61_a_name_that_a_pysig_server_refuses_is_an_error_here() {
    for pysig in Pysig::all() {
        let (server, port) = serving(&pysig).await;
        let client = connected(port).await;
        server.ok("add_sender", json!({ "name": "s", "events": ["e"] })).await;
        let error = client.add_remote_sender("s").event("e").connect().await.unwrap_err();
        assert!(
            matches!(&error, AddSenderError::NameTaken { name } if name == "s"),
            "{error:?}"
        );
        assert!(client.local().senders().is_empty(), "nothing is left behind");
        server.ok("remove_sender", json!({ "name": "s" })).await;
        client.add_remote_sender("s").event("e").connect().await.unwrap();
    }
}

#[tokio::test]
async fn p62_listeners_of_this_program_hear_its_remote_sender_on_the_spot() {
    let Some(pysig) = Pysig::available() else { return };
    let (server, port) = serving(&pysig).await;
    server
        .ok("add_listener", json!({ "id": "there", "sender": "c", "event": null }))
        .await;
    let client = connected(port).await;
    let mut local = client.local().listen("c").unwrap();
    let sender = client.add_remote_sender("c").event("e").connect().await.unwrap();
    sender.signal("e").unwrap().try_trigger(&1).unwrap();
    assert_eq!(local.len(), 2, "both are there without waiting");
    for event in ["c/#connect", "c/e"] {
        assert_eq!(next(&mut local).await.0, event);
        assert_eq!(next_call(&server).await, format!("there: {event}"));
    }
}

#[tokio::test]
async fn p64_p65_listeners_are_refused_in_words_and_removed_one_by_one() {
    for pysig in Pysig::all() {
        let (server, port) = serving(&pysig).await;
        let client = connected(port).await;
        let mut early = client.listen_remote("s/a").await.unwrap();
        server
            .ok("add_sender", json!({ "name": "s", "events": ["a", "b"] }))
            .await;
        let refused = client.listen_remote("s/undeclared").await.unwrap_err();
        assert!(
            matches!(&refused, ListenError::Refused(text) if text.contains("Failed to add")),
            "{refused:?}"
        );
        let b = client.listen_remote("s/b").await.unwrap();
        let mut again = client.listen_remote("s/b").await.unwrap();

        trigger(&server, "s", "a", json!(1)).await;
        assert_eq!(next(&mut early).await.1, 1);
        // Exactly the one that was named goes; the other of the same topic stays.
        b.unlisten().await;
        trigger(&server, "s", "b", json!(2)).await;
        assert_eq!(next(&mut again).await.1, 2);
        again.unlisten().await;
        let row = |rows: Value| {
            rows.as_array()
                .unwrap()
                .iter()
                .find(|row| row["name"] == "s")
                .unwrap()
                .clone()
        };
        let listeners = row(server.ok("senders", json!({})).await)["listeners"].clone();
        assert_eq!(listeners, 1, "only that on s/a is left");
        trigger(&server, "s", "a", json!(3)).await;
        assert_eq!(next(&mut early).await.1, 3);
    }
}

#[tokio::test]
async fn p66_p24_a_remote_sender_is_removed_by_name_once() {
    for pysig in Pysig::all() {
        let (server, port) = serving(&pysig).await;
        server
            .ok(
                "add_listener",
                json!({ "id": "presence", "sender": "c", "event": null }),
            )
            .await;
        let client = connected(port).await;
        let _sender = client.add_remote_sender("c").event("e").connect().await.unwrap();
        assert!(client.remove_remote_sender("c").await.unwrap());
        assert!(!client.remove_remote_sender("c").await.unwrap());
        assert!(!client.remove_remote_sender("unknown").await.unwrap());
        for expected in ["presence: c/#connect", "presence: c/#disconnect"] {
            assert_eq!(next_call(&server).await, expected);
        }
    }
}

#[tokio::test]
async fn many_and_large_events_pass_a_pysig_server_up_to_its_limit() {
    const COUNT: usize = 300;
    for pysig in Pysig::all() {
        let (server, port) = serving(&pysig).await;
        server
            .ok("add_listener", json!({ "id": "l", "sender": "c", "event": "e" }))
            .await;
        let client = connected(port).await;
        let sender = client.add_remote_sender("c").event("e").connect().await.unwrap();
        let signal = sender.signal("e").unwrap();
        let text = |n: usize| format!("{n:05}").repeat(n * 613 % 700 + 1);
        let triggering = async {
            for n in 0..COUNT {
                signal.trigger(&text(n)).await.unwrap();
            }
        };
        let hearing = async {
            for n in 0..COUNT {
                assert_eq!(next_heard(&server).await.3, text(n), "event {n}");
            }
        };
        tokio::join!(triggering, hearing);
        let error = signal.trigger(&"x".repeat(5_000)).await.unwrap_err();
        assert!(matches!(error, TriggerError::Pack(_)), "{error:?}");
        let error = client.remote_request("s", "m", &"x".repeat(5_000)).await.unwrap_err();
        assert!(
            matches!(&error, RequestError::Codec(why) if why.contains("4096")),
            "{error:?}"
        );
        signal.trigger(&"after").await.unwrap();
        assert_eq!(next_heard(&server).await.3, "after");

        // The other way pysig waits for each acknowledgement in steps of 10 ms, and may send as much as it likes.
        let mut heard = client.listen_remote("s/e").await.unwrap();
        server.ok("add_sender", json!({ "name": "s", "events": ["e"] })).await;
        server
            .ok(
                "trigger",
                json!({ "sender": "s", "event": "e", "count": 100, "pad": 20_000 }),
            )
            .await;
        for n in 0..100 {
            assert_eq!(next(&mut heard).await.1["n"], n);
        }
        trigger(
            &server,
            "s",
            "e",
            json!([{ "$float": "NaN" }, { "$float": "-Infinity" }]),
        )
        .await;
        assert_eq!(next(&mut heard).await.1, json!(["NaN", "-Infinity"]));
    }
}
