//! W1: many messages of all sizes, back to back.

use std::sync::Arc;

use bytes::Bytes;
use sig_core::{Payload, StreamCarrier};
use sig_router::{ClientRouter, ServerRouter};
use sig_tests::media::{ChoppedDialer, ChoppedListener};
use sig_tests::rig::{TcpServer, client_over, soon};

/// Sizes from 1 byte to 1 MiB; most are small.
fn size(n: usize) -> usize {
    match n {
        _ if n % 500 == 499 => 1024 * 1024,
        _ if n % 100 == 98 => 64 * 1024 - 20 + n % 41,
        _ => 1 + (n * n + 7 * n) % (1 << (n % 12)),
    }
}

/// Bytes that tell whether they were cut, merged, reordered or changed.
fn data(n: usize, size: usize) -> Bytes {
    (0..size).map(|at| (n * 31 + at * 7 + at / 251) as u8).collect()
}

/// Sends `count` events from one client to the other and checks each.
async fn exchange(publisher: &ClientRouter, listener: &ClientRouter, count: usize, size: fn(usize) -> usize) {
    let sender = publisher
        .add_remote_sender("s")
        .events(["e", "f"])
        .connect()
        .await
        .unwrap();
    let mut stream = listener.listen_remote("s").await.unwrap();
    let sending = async {
        let signals = [sender.signal("e").unwrap(), sender.signal("f").unwrap()];
        for n in 0..count {
            let payload = Payload::from_bytes(data(n, size(n)));
            signals[n % 2].trigger(&payload).await.unwrap();
        }
    };
    let receiving = async {
        for n in 0..count {
            let event = soon("an event", stream.recv()).await.unwrap().unwrap();
            let payload = event.payload().unwrap();
            assert_eq!(event.name().as_str(), ["e", "f"][n % 2]);
            assert_eq!(event.number(), (n / 2 + 1) as u64);
            assert!(payload.bytes() == &data(n, size(n)), "event {n} of {} bytes", size(n));
        }
    };
    tokio::join!(sending, receiving);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w1_ten_thousand_messages_of_1_byte_to_1_mib_back_to_back() {
    let server = TcpServer::start();
    exchange(&server.client(), &server.client(), 10_000, size).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w1_in_reads_and_writes_of_a_few_bytes_at_every_hop() {
    let server = ServerRouter::new().unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    server.attach(Arc::new(StreamCarrier::new(ChoppedListener(listener))));
    let client = || client_over(StreamCarrier::new(ChoppedDialer(address)));
    exchange(&client(), &client(), 600, |n| match n {
        599 => 256 * 1024,
        _ => 1 + n * 3,
    })
    .await;
}
