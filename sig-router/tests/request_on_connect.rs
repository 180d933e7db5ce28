//! A sender that is announced can be asked.

use std::sync::Arc;

use sig_router::{ClientRouter, ServerRouter};

/// Whoever hears `#connect` may ask at once, while the sender's own program still waits for the router's word.
#[tokio::test]
async fn a_remote_sender_answers_from_its_connect_on() {
    let hub = Arc::new(sig_carrier_local::Local::new());
    let server = ServerRouter::new().unwrap();
    server.attach(hub.clone());
    let client = ClientRouter::connect(Arc::new(hub.dialer())).unwrap();
    let mut arrivals = server.listen("#connect").unwrap();
    let mut adding = Box::pin(client.add_remote_sender("s").request("one", |_| Ok(1)).connect());
    // Polled once, which asks for it, and then not before it was asked.
    tokio::select! {
        biased;
        added = &mut adding => panic!("{added:?} before the link was up"),
        () = std::future::ready(()) => {}
    }
    arrivals.recv().await.unwrap().unwrap();
    let answer = server.request("s", "one", &()).await.unwrap();
    assert_eq!(answer.parse::<u32>().unwrap(), 1);
    assert_eq!(adding.await.unwrap().name().as_str(), "s");
}
