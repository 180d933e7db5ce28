//! The TCP carrier keeps the contract, over loopback: with sig/1 frames, and with every message through a codec.

use std::net::SocketAddr;
use std::sync::Arc;

use sig_carrier_tcp::{dial, listen};
use sig_conformance::{Fixture, Raw, Traits, carrier_suite};
use sig_core::bytes::{Bytes, BytesMut};
use sig_core::{Carrier, Codec, CodecError, Json, Message};
use tokio::net::TcpStream;

struct Loopback;

impl Fixture for Loopback {
    type Address = SocketAddr;

    fn listener(&self) -> (Arc<dyn Carrier>, SocketAddr) {
        let listener = listen("127.0.0.1:0").expect("loopback has a free port");
        let address = listener.medium().local_addr();
        (Arc::new(listener), address)
    }

    fn dialler(&self, address: &SocketAddr) -> Arc<dyn Carrier> {
        Arc::new(dial(&address.to_string()).expect("a valid address"))
    }

    async fn raw(&self, address: &SocketAddr) -> Option<Raw> {
        let stream = TcpStream::connect(address).await.expect("the listener runs");
        stream.set_nodelay(true).expect("a socket has the option");
        Some(Raw::sig1(stream))
    }
}

mod sig1 {
    use super::*;

    carrier_suite!(Loopback);
}

/// JSON, mirrored.
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

struct Mirrored;

impl Fixture for Mirrored {
    type Address = SocketAddr;

    fn listener(&self) -> (Arc<dyn Carrier>, SocketAddr) {
        let listener = listen("127.0.0.1:0").expect("loopback has a free port");
        let address = listener.medium().local_addr();
        (Arc::new(listener.with_codec(Mirror)), address)
    }

    fn dialler(&self, address: &SocketAddr) -> Arc<dyn Carrier> {
        let dialler = dial(&address.to_string()).expect("a valid address");
        Arc::new(dialler.with_codec(Mirror))
    }

    // Turning JSON around takes its time without optimisation.
    fn traits(&self) -> Traits {
        Traits::default().with_volume(5_000, 4 << 20)
    }
}

mod mirrored {
    use super::*;

    carrier_suite!(Mirrored);
}
