//! Peers that speak something else: the log says what they look like.

use sig_tests::log::Log;
use sig_tests::raw::Raw;
use sig_tests::rig::soon;

use crate::neighbour::Neighbour;

#[tokio::test]
async fn other_protocols_are_told_apart_and_closed() {
    let log = Log::capture();
    let mut neighbour = Neighbour::move_in().await;
    let tls = [&[0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3][..], &[7; 500]].concat();
    let damaged = b"\x93SIG\n\n\x1a\n\x01\x01\x00\x00";
    for (bytes, looks_like) in [
        (&tls[..], "a TLS handshake"),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", "HTTP"),
        (b"POST /rpc HTTP/1.1\r\n\r\n", "HTTP"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "SSH"),
        (b"\xff\0\0\0\0\0\0\0\x01\x7f\x03\x01", "ZeroMQ"),
        (b"[1,2,3]", "a JSON array"),
        (damaged, "damaged"),
        (b"\0\0\0\0", "no protocol known here"),
    ] {
        let mut raw = Raw::connect(neighbour.address()).await;
        raw.send(bytes).await;
        assert_eq!(raw.ended().await, None, "{looks_like}");
        let line = soon("a line in the log", log.line(looks_like)).await;
        assert!(line.contains("the peer does not speak sig"), "{line}");
        neighbour.is_well().await;
    }
}
