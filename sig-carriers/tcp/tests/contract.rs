//! The TCP carrier keeps the contract, over loopback.

use std::net::SocketAddr;
use std::sync::Arc;

use sig_carrier_tcp::{dial, listen};
use sig_conformance::{Fixture, Raw, carrier_suite};
use sig_core::Carrier;
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

carrier_suite!(Loopback);
