//! A publisher and a subscriber.

use std::time::Duration;

use sig_carrier_zmq::{Error, Socket};

/// Publishes to the one endpoint until a subscriber at the other has it.
pub(crate) fn publish(to: &str, from: &str, topic: &str, text: &str) -> Vec<Vec<u8>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime
        .unwrap()
        .block_on(async {
            let publisher = Socket::pub_()?.connect(to).await?;
            let subscriber = Socket::sub()?.connect(from).await?.subscribe(topic).await?;
            for _ in 0..2000 {
                publisher.send([topic, text]).await?;
                match subscriber.recv_within(Duration::from_millis(10)).await {
                    Ok(message) => return Ok(message.iter().map(<[u8]>::to_vec).collect()),
                    Err(error) if error.is_timeout() => {}
                    Err(error) => return Err(error),
                }
            }
            panic!("nothing arrives from {to} at {from}");
        })
        .unwrap_or_else(|error: Error| panic!("{error}"))
}
