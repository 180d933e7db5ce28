//! Clients that take more than their share.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sig_tests::raw::{Raw, call, control, event};
use sig_tests::rig::{WAIT, holds, soon};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

use crate::neighbour::Neighbour;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_asks_and_never_reads_is_let_go() {
    let mut neighbour = Neighbour::move_in().await;
    let large = "x".repeat(1_000_000);
    let _library = (neighbour.server.router)
        .add_sender("library")
        .request("read", move |_: sig_router::Request| Ok(large.clone()))
        .connect()
        .unwrap();
    let mut raw = Raw::hello(neighbour.address()).await;
    let asking = async {
        let question = call(1, "request", &json!({ "sender": "library", "method": "read" }));
        // Each answer is a megabyte; 32 of them may wait.
        while raw.stream.write_all(&question).await.is_ok() {}
    };
    // An unoptimised build needs seconds of work for so many megabytes.
    let patience = 5 * WAIT;
    tokio::time::timeout(patience, asking)
        .await
        .expect("the end of its connection");
    holds("it is gone", || neighbour.others() == 0).await;
    neighbour.is_well().await;
}

#[tokio::test]
async fn one_that_ignores_its_credit_is_refused() {
    let mut neighbour = Neighbour::move_in().await;
    // Nobody takes what it sends.
    let _full = neighbour.server.router.listen("flood/e").unwrap();
    let mut raw = Raw::hello(neighbour.address()).await;
    let added = raw
        .call(1, "add_sender", &json!({ "sender": "flood", "events": ["e"] }))
        .await;
    let alias = u32::try_from(added["response"]["aliases"]["e"].as_u64().unwrap()).unwrap();
    let flood = async {
        let payload = vec![b' '; 100_000];
        let mut number = 0;
        loop {
            number += 1;
            if raw.stream.write_all(&event(alias, number, &payload)).await.is_err() {
                return number;
            }
        }
    };
    let sent = soon("the end of its connection", flood).await;
    // It is read and dropped for as long as a goodbye takes.
    assert!(sent < 100_000, "{sent} events of 100 kB");
    holds("it is gone", || neighbour.others() == 0).await;
    neighbour.is_well().await;
}

#[tokio::test]
async fn requests_without_end_are_answered_busy() {
    let mut neighbour = Neighbour::move_in().await;
    let hangs = neighbour
        .server
        .router
        .add_sender("hangs")
        .request_async("hang", |_: sig_router::Request| async {
            std::future::pending::<Result<(), sig_router::HandlerError>>().await
        })
        .connect()
        .unwrap();
    let mut raw = Raw::hello(neighbour.address()).await;
    let mut busy = 0;
    for id in 1..=1000 {
        // Ids of calls may repeat, if the client wants it so.
        raw.send(&call(
            id % 500,
            "request",
            &json!({ "sender": "hangs", "method": "hang" }),
        ))
        .await;
    }
    while busy < 1000 - 256 {
        let reply = raw.control().await;
        assert_eq!(reply["code"], "busy", "{reply}");
        busy += 1;
    }
    neighbour.is_well().await;
    drop(raw);
    holds("it is gone", || neighbour.others() == 0).await;
    drop(hangs);
    neighbour.is_well().await;
}

#[tokio::test]
async fn one_that_claims_to_be_full_for_ever_holds_nobody_up_for_ever() {
    let mut neighbour = Neighbour::move_in().await;
    let mut raw = Raw::hello(neighbour.address()).await;
    let params = json!({ "listener_id": 1, "sender": "healthy", "event": null });
    assert_eq!(raw.call(0, "add_listener", &params).await["status"], 0);
    let stall = control(&json!({ "method": "stall", "params": { "sender": "healthy" } }));
    raw.send(&stall).await;
    // An answer to what was sent after it: it was taken.
    raw.call(1, "get_version", &json!({})).await;
    let began = Instant::now();
    let stalling = async {
        loop {
            raw.send(&stall).await;
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::select! {
        () = stalling => {}
        // More than the sender's credit, so that it has to wait.
        () = neighbour.sends_much() => {}
    }
    assert!(began.elapsed() < Duration::from_secs(12), "{:?}", began.elapsed());
    // Having been too slow once, it holds nobody up until it says that it has room.
    raw.send(&stall).await;
    let began = Instant::now();
    neighbour.sends_much().await;
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    neighbour.is_well().await;
}

#[tokio::test]
async fn promise_6_one_that_claims_to_be_full_without_listening_holds_nobody_up() {
    let mut neighbour = Neighbour::move_in().await;
    let mut raw = Raw::hello(neighbour.address()).await;
    raw.send(&control(
        &json!({ "method": "stall", "params": { "sender": "healthy" } }),
    ))
    .await;
    raw.call(1, "get_version", &json!({})).await;
    let began = Instant::now();
    neighbour.sends_much().await;
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    neighbour.is_well().await;
}

#[tokio::test]
async fn one_that_adds_without_end_is_refused_more() {
    let mut neighbour = Neighbour::move_in().await;
    let mut raw = Raw::hello(neighbour.address()).await;
    // Eight senders of 16,384 events each are as many events as one client may have.
    let events: Vec<_> = (0..16_384).map(|n| format!("e{n}")).collect();
    let mut added = 0;
    let refused = loop {
        let params = json!({ "sender": format!("s{added}"), "events": events });
        let reply = raw.call(added, "add_sender", &params).await;
        if reply["status"] != 0 {
            break reply;
        }
        added += 1;
    };
    assert_eq!((added, &refused["code"]), (8, &json!("refused")), "{refused}");
    // And of listeners.
    let mut last = json!(null);
    for batch in 0..=64 {
        let ids = (batch * 1024..(batch + 1) * 1024).take(if batch == 64 { 1 } else { 1024 });
        let ids: Vec<_> = ids.map(|n| 1_000_000 + n).collect();
        for id in &ids {
            let params = json!({ "listener_id": id, "sender": "nobody", "event": format!("e{id}") });
            raw.send(&call(*id, "add_listener", &params)).await;
        }
        last = raw.reply(ids[ids.len() - 1]).await;
        assert_eq!(last["status"] == 0, batch < 64, "{last}");
    }
    assert_eq!(last["code"], "refused", "{last}");
    neighbour.is_well().await;
    drop(raw);
    holds("it is gone with all it had", || neighbour.others() == 0).await;
    assert_eq!(neighbour.server.router.senders().len(), 1);
    neighbour.is_well().await;
}

#[tokio::test]
async fn promise_10_a_pysig_client_that_declares_without_end_is_told_the_most() {
    let neighbour = Neighbour::move_in().await;
    let mut pysig = BufReader::new(TcpStream::connect(neighbour.address()).await.unwrap());
    // Before its first call it may not say as much at once.
    pysig.write_all(br#"{"id":9,"method":"get_version"}"#).await.unwrap();
    let mut reply = [0; 4096];
    soon("a reply", pysig.read(&mut reply)).await.unwrap();
    let many = |count: usize, name: &str| vec![name.to_owned(); count];
    let refused = [
        json!({ "sender": "s", "events": many(16_385, "e") }),
        json!({ "sender": "s", "events": ["e"], "requests": many(16_385, "m") }),
        json!({ "sender": "s", "events": ["e"], "requests": many(1, &"m".repeat(256)) }),
    ];
    for (id, params) in refused.iter().enumerate() {
        let document = json!({ "id": id, "method": "add_sender", "params": params }).to_string();
        pysig.write_all(document.as_bytes()).await.unwrap();
        let mut reply = [0; 4096];
        let length = soon("a reply", pysig.read(&mut reply)).await.unwrap();
        let reply: Value = serde_json::from_slice(&reply[..length]).unwrap();
        assert_eq!((&reply["id"], &reply["status"]), (&json!(id), &json!(-2)), "{reply}");
        assert!(reply["exception"].as_str().unwrap().contains("most"), "{reply}");
    }
    assert!(
        neighbour
            .server
            .router
            .senders()
            .iter()
            .all(|info| info.name.as_str() != "s")
    );
}
