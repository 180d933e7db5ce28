//! What a carrier is and does: P42 to P44, P71 and P75.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use bytes::{Bytes, BytesMut};
use serde_json::json;
use sig_core::{
    Batch, Carrier, CarrierError, Client, ClientId, Codec, CodecError, Disconnect, Encoding, Json, Message, PeerInfo,
    Uplink, async_trait,
};
use sig_router::{ClientRouter, Request, ServerRouter};
use sig_tests::pysig::Pysig;
use sig_tests::rig::holds;

use crate::support::{Serving, WAIT, free_port, next};

/// JSON with a letter in front.
#[derive(Debug)]
struct Lettered(AtomicUsize);

impl Codec for Lettered {
    fn name(&self) -> &'static str {
        "lettered"
    }

    fn pack(&self, message: &Message, out: &mut BytesMut) -> Result<(), CodecError> {
        self.0.fetch_add(1, Ordering::Relaxed);
        out.extend_from_slice(b"J");
        Json.pack(message, out)
    }

    fn unpack(&self, frame: Bytes) -> Result<Message, CodecError> {
        match frame.split_first() {
            Some((b'J', rest)) => Json.unpack(frame.slice_ref(rest)),
            _ => Err(CodecError::Shape("no J".to_owned())),
        }
    }
}

#[tokio::test]
async fn p42_pack_and_unpack_can_be_replaced() {
    let server = ServerRouter::new().unwrap();
    let listening = sig_carrier_tcp::listen("127.0.0.1:0").unwrap();
    let address = listening.medium().local_addr().to_string();
    let listening = Arc::new(listening.with_codec(Lettered(AtomicUsize::new(0))));
    server.attach(Arc::clone(&listening) as _);
    let codec = || Lettered(AtomicUsize::new(0));
    let connect = || {
        let dialling = sig_carrier_tcp::dial(&address).unwrap().with_codec(codec());
        ClientRouter::connect(Arc::new(dialling)).unwrap()
    };
    let (publisher, listener) = (connect(), connect());
    let sender = publisher
        .add_remote_sender("s")
        .event("e")
        .request("m", |request: Request| Ok(request.raw_params().clone()))
        .connect()
        .await
        .unwrap();
    let mut heard = listener.listen_remote("s/e").await.unwrap();
    sender.signal("e").unwrap().trigger(&[1, 2]).await.unwrap();
    assert_eq!(next(&mut heard).await, ("s/e".to_owned(), json!([1, 2])));
    let answer = listener.remote_request("s", "m", &"x").await.unwrap();
    assert_eq!(answer.parse::<String>().unwrap(), "x");
}

/// What a carrier's hooks were called for.
type Log = Arc<Mutex<Vec<String>>>;

/// Carries one client that says `get_version` and leaves, and writes down every hook.
#[derive(Debug)]
struct Observed {
    log: Log,
}

impl Observed {
    fn note(&self, text: impl Into<String>) {
        self.log
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
            .push(text.into());
    }
}

#[async_trait]
impl Carrier for Observed {
    fn name(&self) -> &'static str {
        "observed"
    }

    async fn run(self: Arc<Self>, router: Uplink) -> Result<(), CarrierError> {
        let peer = PeerInfo::new("the test", Encoding::Packed);
        let client = self.handle_client_connected(&router, ClientId::next(), peer).await?;
        let mut batch = Batch::of_frames(Encoding::Packed);
        batch.push_frame(Bytes::from_static(br#"{"id":1,"method":"get_version"}"#));
        self.handle_rx(&client, &mut batch).await?;
        self.handle_client_disconnected(client, Disconnect::closed()).await;
        Ok(())
    }

    async fn handle_tx(&self, client: ClientId, _: &mut Batch) -> Result<(), CarrierError> {
        Err(CarrierError::UnknownClient(client))
    }

    fn close_client(&self, _: ClientId, _: &Disconnect) {}

    async fn handle_rx(&self, client: &Client, batch: &mut Batch) -> Result<(), CarrierError> {
        self.note("rx");
        client.deliver(batch)?;
        self.note("dispatched");
        Ok(())
    }

    async fn handle_client_connected(
        &self,
        router: &Uplink,
        id: ClientId,
        peer: PeerInfo,
    ) -> Result<Client, CarrierError> {
        self.note("connected");
        router.admit(id, peer)
    }

    async fn handle_client_disconnected(&self, client: Client, why: Disconnect) {
        client.retire(why);
        self.note("disconnected");
    }

    async fn handle_all_clients_disconnected(&self, router: &Uplink, why: Disconnect) {
        router.all_disconnected(why);
        self.note("all disconnected");
    }
}

#[tokio::test]
async fn p43_p44_a_carriers_hooks_see_clients_and_messages_in_order() {
    let log = Log::default();
    let server = ServerRouter::new().unwrap();
    let handle = server.attach(Arc::new(Observed { log: Arc::clone(&log) }));
    let all = ["connected", "rx", "dispatched", "disconnected", "all disconnected"];
    holds("the hooks", || log.lock().unwrap().len() >= all.len()).await;
    handle.stop().await;
    assert_eq!(log.lock().unwrap()[..all.len()], all);
    assert_eq!(server.clients(), []);
}

#[tokio::test]
async fn p71_a_port_that_is_taken_is_an_error_and_one_that_was_closed_is_free_at_once() {
    let server = Serving::at(free_port());
    let taken = format!("127.0.0.1:{}", server.port);
    let error = sig_carrier_tcp::listen(&taken).unwrap_err();
    assert!(
        matches!(&error, CarrierError::Listen { address, .. } if *address == taken),
        "{error}"
    );
    for pysig in Pysig::all() {
        // One server of pysig's on it, with a client on the line.
        let peer = pysig.spawn().await;
        let raised = peer
            .command("start_server", json!({ "port": server.port }))
            .await
            .unwrap_err();
        assert!(raised.text.contains("in use"), "{raised}");
    }
    let (mut client, port) = (server.raw().await, server.port);
    client.ask(json!({ "id": 1, "method": "get_version" })).await;
    server.close().await;
    assert_eq!(client.document().await, None);
    Serving::at(port).close().await;
}

#[tokio::test]
async fn p75_a_local_pair_connects_two_routers_in_process() {
    let (hub, dialer) = sig_carrier_local::pair();
    let server = ServerRouter::new().unwrap();
    server.attach(Arc::new(hub));
    let client = ClientRouter::connect(Arc::new(dialer)).unwrap();
    client.ready(WAIT).await.unwrap();
    let mut heard = server.listen("s").unwrap();
    let sender = client.add_remote_sender("s").event("e").connect().await.unwrap();
    sender.signal("e").unwrap().trigger(&1).await.unwrap();
    assert_eq!(client.remote_version().await.unwrap(), "1.01");
    client.close(WAIT).await;
    for event in ["s/#connect", "s/e", "s/#disconnect"] {
        assert_eq!(next(&mut heard).await.0, event);
    }
}
