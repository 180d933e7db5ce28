//! Bare JSON from peers that have not shown yet that they speak pysig's dialect.

use serde_json::{Value, json};
use sig_tests::rig::soon;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::neighbour::Neighbour;

/// A call with so much in it.
fn padded(id: u64, method: &str, size: usize) -> Vec<u8> {
    let params = json!({ "sender": "nobody", "padding": "x".repeat(size) });
    json!({ "id": id, "method": method, "params": params })
        .to_string()
        .into_bytes()
}

/// The next reply; `None` at the end.
async fn reply(stream: &mut TcpStream) -> Option<Value> {
    let mut bytes = [0; 4096];
    let length = soon("a reply, or the end", stream.read(&mut bytes)).await.unwrap_or(0);
    serde_json::from_slice(&bytes[..length]).ok()
}

#[tokio::test]
async fn promise_10_a_stranger_does_not_send_much_before_its_first_call() {
    let mut neighbour = Neighbour::move_in().await;
    for first in [
        padded(1, "get_version", 70_000),
        // Neither of these is a proper call.
        [padded(1, "no such method", 10), padded(2, "get_version", 70_000)].concat(),
        [
            br#"{"id":1,"method":"add_sender","params":7}"#.to_vec(),
            padded(2, "get_version", 70_000),
        ]
        .concat(),
        [br#"{"id":1,"status":0}"#.to_vec(), padded(2, "get_version", 70_000)].concat(),
        // Nor does it get further by not ending it.
        vec![b'{'; 1],
    ] {
        let mut stream = TcpStream::connect(neighbour.address()).await.unwrap();
        let is_open_end = first.len() == 1;
        let _ = stream.write_all(&first).await;
        if is_open_end {
            let _ = stream.write_all(&[b' '; 70_000]).await;
        }
        while let Some(reply) = reply(&mut stream).await {
            assert_ne!(reply["status"], 0, "{reply}");
        }
        neighbour.is_well().await;
    }
}

#[tokio::test]
async fn promise_10_a_proper_call_opens_the_way_for_large_ones() {
    let mut neighbour = Neighbour::move_in().await;
    // In one go: the first is accepted before the size of the second counts.
    for calls in [
        vec![padded(1, "get_version", 10), padded(2, "get_version", 1_000_000)],
        vec![
            padded(1, "get_version", 60_000),
            padded(2, "get_version", 60_000),
            padded(3, "get_version", 100_000),
        ],
    ] {
        let mut stream = TcpStream::connect(neighbour.address()).await.unwrap();
        soon("it is taken", stream.write_all(&calls.concat())).await.unwrap();
        for _ in &calls {
            let reply = reply(&mut stream).await.unwrap();
            assert_eq!(reply["status"], 0, "{reply}");
        }
        neighbour.is_well().await;
    }
}
