//! A server and its clients over each carrier and encoding.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use sig_carrier_local::Local;
use sig_core::{Carrier, Codec, CodecError, Json, Message};
use sig_router::{ClientRouter, Confirmation, RemoteSender, ServerRouter, Signal};
use sig_tests::rig::client_over;
use tempfile::TempDir;

/// A server with one carrier.
pub(crate) struct World {
    /// Which carrier, for people.
    pub(crate) name: &'static str,
    pub(crate) server: ServerRouter,
    place: Place,
}

enum Place {
    Tcp(String),
    Packed(String),
    Ipc(TempDir),
    Local(Arc<Local>),
}

/// JSON, as a codec of somebody's own: everything is packed by it.
#[derive(Debug, Clone)]
struct Own;

impl Codec for Own {
    fn name(&self) -> &'static str {
        "own"
    }

    fn pack(&self, message: &Message, out: &mut BytesMut) -> Result<(), CodecError> {
        Json.pack(message, out)
    }

    fn unpack(&self, frame: Bytes) -> Result<Message, CodecError> {
        Json.unpack(frame)
    }
}

impl World {
    /// Events as binary frames.
    pub(crate) fn tcp() -> Self {
        let listener = sig_carrier_tcp::listen("127.0.0.1:0").unwrap();
        let address = listener.medium().local_addr().to_string();
        Self::over("tcp", Arc::new(listener), Place::Tcp(address))
    }

    /// Events through a codec.
    fn packed() -> Self {
        let listener = sig_carrier_tcp::listen("127.0.0.1:0").unwrap();
        let address = listener.medium().local_addr().to_string();
        Self::over("packed", Arc::new(listener.with_codec(Own)), Place::Packed(address))
    }

    /// Events as values.
    pub(crate) fn local() -> Self {
        let local = Arc::new(Local::new());
        Self::over("local", local.clone(), Place::Local(local))
    }

    fn ipc() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let listener = sig_carrier_ipc::listen(&socket(&directory)).unwrap();
        Self::over("ipc", Arc::new(listener), Place::Ipc(directory))
    }

    /// Over every carrier and encoding, one after the other.
    pub(crate) fn each() -> impl Iterator<Item = Self> {
        let ipc: Option<fn() -> Self> = cfg!(unix).then_some(Self::ipc);
        let all = [
            Some(Self::tcp as fn() -> Self),
            Some(Self::packed),
            ipc,
            Some(Self::local),
        ];
        all.into_iter().flatten().map(|start| start())
    }

    fn over(name: &'static str, carrier: Arc<dyn Carrier>, place: Place) -> Self {
        let server = ServerRouter::new().unwrap();
        server.attach(carrier);
        Self { name, server, place }
    }

    /// A client of the server.
    pub(crate) fn client(&self) -> ClientRouter {
        match &self.place {
            Place::Tcp(address) => client_over(sig_carrier_tcp::dial(address).unwrap()),
            Place::Packed(address) => client_over(sig_carrier_tcp::dial(address).unwrap().with_codec(Own)),
            Place::Ipc(directory) => client_over(sig_carrier_ipc::dial(&socket(directory)).unwrap()),
            Place::Local(local) => client_over(local.dialer()),
        }
    }

    /// Where the server listens on TCP.
    pub(crate) fn address(&self) -> &str {
        match &self.place {
            Place::Tcp(address) | Place::Packed(address) => address,
            Place::Ipc(_) | Place::Local(_) => panic!("{} has no address", self.name),
        }
    }
}

fn socket(directory: &TempDir) -> String {
    directory.path().join("router").to_str().unwrap().to_owned()
}

/// The sender `s` with its event `e`, at a client.
pub(crate) async fn sender(client: &ClientRouter) -> (RemoteSender, Signal) {
    let sender = client.add_remote_sender("s").event("e").connect().await.unwrap();
    let signal = sender.signal("e").unwrap();
    (sender, signal)
}

/// Accepted, delivered, lost, pending.
pub(crate) fn counts(confirmation: Confirmation) -> [u64; 4] {
    let Confirmation {
        accepted,
        delivered,
        lost,
        pending,
        ..
    } = confirmation;
    [accepted, delivered, lost, pending]
}

/// A deadline that no test reaches.
pub(crate) const FAR: Duration = Duration::from_secs(3600);
