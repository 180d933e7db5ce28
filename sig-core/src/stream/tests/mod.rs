//! Stream carriers over in-memory pipes.

mod detection;
mod dialling;
mod links;

use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio::sync::{Mutex, mpsc};

use super::probe::{Side, within};
use super::{Link, Medium, StreamCarrier};
use crate::carrier::Profile;
use crate::error::CarrierError;

/// A listener's offer and answer in version 1.
const PREFACE: [u8; 12] = [0x93, b'S', b'I', b'G', 13, 10, 26, 10, 1, 1, 0, 0];
const PACKED_PREFACE: [u8; 12] = [0x93, b'S', b'I', b'G', 13, 10, 26, 10, 1, 1, 1, 0];

type Next = Result<Link<DuplexStream>, CarrierError>;

/// Hands out the streams that a test put in.
#[derive(Debug)]
struct Pipes {
    given: Mutex<mpsc::Receiver<Next>>,
    dials: bool,
}

impl Medium for Pipes {
    const NAME: &'static str = "pipe";
    type Io = DuplexStream;

    async fn next(&self) -> Next {
        match self.given.lock().await.recv().await {
            Some(next) => next,
            None => std::future::pending().await,
        }
    }

    fn profile(&self) -> Profile {
        Profile::default().dialling(self.dials)
    }
}

/// Where a test puts streams in.
#[derive(Debug, Clone)]
struct Give(mpsc::Sender<Next>);

impl Give {
    /// A new link with these properties; returns the peer's end.
    async fn link(&self, room: usize, patience: Option<Duration>) -> DuplexStream {
        let (ours, theirs) = tokio::io::duplex(room);
        let link = Link::new(ours, "peer").with_patience(patience);
        self.0.send(Ok(link)).await.unwrap();
        theirs
    }

    /// A new link to a peer that has said this.
    async fn peer(&self, said: &[u8]) -> DuplexStream {
        let mut peer = self.link(1 << 16, None).await;
        peer.write_all(said).await.unwrap();
        peer
    }

    async fn error(&self, error: CarrierError) {
        self.0.send(Err(error)).await.unwrap();
    }
}

fn pipes(dials: bool) -> (StreamCarrier<Pipes>, Give) {
    let (give, given) = mpsc::channel(16);
    let medium = Pipes {
        given: Mutex::new(given),
        dials,
    };
    (StreamCarrier::new(medium), Give(give))
}

/// A listener that runs.
fn listener() -> (Side<StreamCarrier<Pipes>>, Give) {
    let (carrier, give) = pipes(false);
    (Side::start(carrier), give)
}

/// A native frame.
fn frame(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut frame = u32::try_from(body.len() + 2).unwrap().to_le_bytes().to_vec();
    frame.extend([kind, 0]);
    frame.extend(body);
    frame
}

/// What the peer gets next, of which the length is known.
async fn expect(peer: &mut DuplexStream, expected: &[u8]) {
    let mut got = vec![0; expected.len()];
    within("bytes from the carrier", peer.read_exact(&mut got))
        .await
        .unwrap();
    assert_eq!(Bytes::from(got), Bytes::copy_from_slice(expected));
}

/// Everything that the peer gets until the stream ends.
async fn rest(peer: &mut DuplexStream) -> Vec<u8> {
    let mut rest = Vec::new();
    within("the end of the stream", peer.read_to_end(&mut rest))
        .await
        .unwrap();
    rest
}
