//! Routers that refuse: for good, for now, and by throwing out whom they welcomed.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use serde_json::{Value, json};
use sig_core::{Codec, CodecError, Json, Message};
use sig_router::{AddSenderError, ClientRouter, LinkState, ListenError, RequestError, RouterError, ServerRouter};
use sig_tests::raw::control;
use sig_tests::rig::{WAIT, becomes, client_of, client_over, connected, soon};
use sig_wire::{Encoding, Preface};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

/// A router that answers each hello with this, and waits for the client to leave.
struct Sham {
    listener: TcpListener,
    answer: Value,
}

impl Sham {
    async fn answering(answer: Value) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self { listener, answer }
    }

    fn client(&self) -> ClientRouter {
        client_of(&self.listener.local_addr().unwrap().to_string())
    }

    /// The next client, answered.
    async fn serve_one(&self) -> TcpStream {
        let (mut stream, _) = self.listener.accept().await.unwrap();
        let mut hello = [0; 1024];
        stream.read_exact(&mut hello[..sig_wire::preface::LEN]).await.unwrap();
        stream
            .write_all(&Preface::chosen(1, Encoding::Sig1).encode())
            .await
            .unwrap();
        assert!(stream.read(&mut hello).await.unwrap() > 0);
        stream.write_all(&control(&self.answer)).await.unwrap();
        stream
    }
}

fn refuse(retry: &str) -> Value {
    json!({ "method": "refuse", "params": { "code": "token", "text": "not you", "retry": retry } })
}

#[tokio::test]
async fn promise_5_refused_for_good_ends_the_reconnecting_and_everybody_is_told() {
    let sham = Sham::answering(refuse("never")).await;
    let client = sham.client();
    // These are under way when it happens.
    let listening = client.listen_remote("s/e");
    let adding = client.add_remote_sender("s").event("e").connect();
    let asking = async { client.remote_request("s", "m", &()).await };
    let refusing = async { drop(sham.serve_one().await) };
    let all = async { tokio::join!(listening, adding, asking, client.ready(WAIT), refusing) };
    let (listened, added, asked, ready, ()) = soon("an answer for everybody", all).await;
    assert!(
        matches!(&listened, Err(ListenError::Refused(text)) if text.contains("not you")),
        "{listened:?}"
    );
    assert!(
        matches!(&added, Err(AddSenderError::Refused(text)) if text.contains("not you")),
        "{added:?}"
    );
    assert!(matches!(asked, Err(RequestError::NotConnected)), "{asked:?}");
    assert!(
        matches!(&ready, Err(RouterError::Refused { text, .. }) if text == "not you"),
        "{ready:?}"
    );
    let (code, text) = ("token".to_owned(), "not you".to_owned());
    assert_eq!(client.state(), LinkState::Refused { code, text });
    // And these come later.
    let listened = soon("an answer", client.listen_remote("s/e")).await;
    assert!(
        matches!(&listened, Err(ListenError::Refused(text)) if text.contains("not you")),
        "{listened:?}"
    );
    let added = soon("an answer", client.add_remote_sender("s").event("e").connect()).await;
    assert!(
        matches!(&added, Err(AddSenderError::Refused(text)) if text.contains("not you")),
        "{added:?}"
    );
    // It does not come again.
    timeout(Duration::from_millis(500), sham.listener.accept())
        .await
        .unwrap_err();
    assert_eq!(client.close(WAIT).await.aborted, 0);
}

#[tokio::test]
async fn refused_for_now_comes_again() {
    let sham = Sham::answering(refuse("later")).await;
    let client = sham.client();
    for _ in 0..3 {
        drop(soon("an attempt", sham.serve_one()).await);
    }
    let waiting = becomes(client.states(), |state| matches!(state, LinkState::Waiting { .. })).await;
    assert!(
        matches!(&waiting, LinkState::Waiting { error, .. } if error.contains("not you")),
        "{waiting:?}"
    );
}

#[tokio::test]
async fn a_router_that_throws_out_whom_it_welcomed_is_not_asked_without_a_pause() {
    let welcome = json!({ "method": "welcome", "params": { "version": 1, "router_id": "sham", "epoch": 1 } });
    let sham = Sham::answering(welcome).await;
    let address = sham.listener.local_addr().unwrap().to_string();
    let client = ClientRouter::connect(Arc::new(sig_carrier_tcp::dial(&address).unwrap())).unwrap();
    let began = Instant::now();
    let mut attempts = 0;
    while let Ok(stream) = timeout(Duration::from_secs(2).saturating_sub(began.elapsed()), sham.serve_one()).await {
        drop(stream);
        attempts += 1;
    }
    // At once, then after 100, 200, 400 and 800 ms.
    assert!((2..10).contains(&attempts), "{attempts} attempts in two seconds");
    client.close(WAIT).await;
}

/// JSON, mirrored: no JSON any more.
#[derive(Debug)]
struct Mirror;

impl Codec for Mirror {
    fn name(&self) -> &'static str {
        "mirror"
    }

    fn pack(&self, message: &Message, out: &mut BytesMut) -> Result<(), CodecError> {
        let start = out.len();
        Json.pack(message, out)?;
        out[start..].reverse();
        Ok(())
    }

    fn unpack(&self, frame: Bytes) -> Result<Message, CodecError> {
        Json.unpack(frame.iter().rev().copied().collect())
    }
}

#[tokio::test]
async fn another_codec_is_refused_for_good_and_the_reason_arrives() {
    let server = ServerRouter::new().unwrap();
    let listener = sig_carrier_tcp::listen("127.0.0.1:0").unwrap();
    let address = listener.medium().local_addr().to_string();
    server.attach(Arc::new(listener));
    let client = client_over(sig_carrier_tcp::dial(&address).unwrap().with_codec(Mirror));
    let state = becomes(client.states(), |state| matches!(state, LinkState::Refused { .. })).await;
    let LinkState::Refused { code, text } = state else {
        unreachable!()
    };
    assert_eq!(code, "codec");
    assert!(text.contains("mirror") && text.contains("json"), "{text}");
    assert!(server.senders().is_empty());
}

#[tokio::test]
async fn a_client_without_the_codec_is_told_in_its_state() {
    let server = ServerRouter::new().unwrap();
    let listener = sig_carrier_tcp::listen("127.0.0.1:0").unwrap();
    let address = listener.medium().local_addr().to_string();
    server.attach(Arc::new(listener.with_codec(Mirror)));
    let client = client_of(&address);
    let state = becomes(client.states(), |state| matches!(state, LinkState::Waiting { .. })).await;
    assert!(
        matches!(&state, LinkState::Waiting { error, .. } if error.contains("packed")),
        "{state:?}"
    );
    // With it, everything works, also what is said in JSON by rule.
    let client = client_over(sig_carrier_tcp::dial(&address).unwrap().with_codec(Mirror));
    soon("the link", connected(&client)).await;
    let sender = client.add_remote_sender("s").event("e").connect().await.unwrap();
    let mut stream = client.listen_remote("s/e").await.unwrap();
    sender.signal("e").unwrap().trigger(&"mirrored").await.unwrap();
    let event = soon("an event", stream.recv()).await.unwrap().unwrap();
    assert_eq!(event.decode::<String>().unwrap(), "mirrored");
}
