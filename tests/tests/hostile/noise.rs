//! Random bytes, at every stage of a conversation.

use sig_tests::raw::{Raw, call};
use sig_tests::rig::holds;
use tokio::io::AsyncWriteExt as _;

use crate::neighbour::Neighbour;

const ROUNDS: u64 = 150;

/// A stream of bytes that is the same on every run.
struct Noise(u64);

impl Noise {
    fn byte(&mut self) -> u8 {
        // xorshift64*
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 56) as u8
    }

    fn bytes(&mut self, longest: usize) -> Vec<u8> {
        let length = (usize::from(self.byte()) << 8 | usize::from(self.byte())) % longest + 1;
        (0..length).map(|_| self.byte()).collect()
    }
}

/// Sends bytes, of which the server may have had enough in the middle, and waits for the end.
async fn send_and_end(mut raw: Raw, bytes: &[u8]) {
    let _ = raw.stream.write_all(bytes).await;
    let _ = raw.stream.shutdown().await;
    let mut last = [0; 1024];
    loop {
        match sig_tests::rig::soon("the end", tokio::io::AsyncReadExt::read(&mut raw.stream, &mut last)).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
    }
}

#[tokio::test]
async fn w10_random_bytes_at_every_stage() {
    let mut neighbour = Neighbour::move_in().await;
    let mut noise = Noise(0x5167_0001);
    for round in 0..ROUNDS {
        send_and_end(Raw::connect(neighbour.address()).await, &noise.bytes(400)).await;
        send_and_end(Raw::preface(neighbour.address()).await, &noise.bytes(400)).await;
        send_and_end(Raw::hello(neighbour.address()).await, &noise.bytes(400)).await;
        // JSON from the start: taken for a pysig peer.
        let json = [&b"{"[..], &noise.bytes(400)].concat();
        send_and_end(Raw::connect(neighbour.address()).await, &json).await;
        // A frame whose outside is right.
        let mut inside = call(
            1,
            "add_listener",
            &serde_json::json!({ "listener_id": 1, "sender": "a", "event": "b" }),
        );
        for _ in 0..=round % 4 {
            let at = 6 + usize::from(noise.byte()) % (inside.len() - 6);
            inside[at] = noise.byte();
        }
        send_and_end(Raw::hello(neighbour.address()).await, &inside).await;
        if round % 10 == 0 {
            neighbour.is_well().await;
        }
    }
    holds("all are gone", || neighbour.others() == 0).await;
    neighbour.is_well().await;
}
