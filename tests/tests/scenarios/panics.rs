//! W11, promise 7: user code that panics harms nobody else; a listener may end itself.

use std::sync::{Arc, Mutex};

use sig_router::{Event, RemoteListener, Request, RequestError};
use sig_tests::rig::{TcpServer, soon};
use tokio::sync::mpsc;

#[tokio::test]
async fn w11_a_panicking_listener_stops_neither_the_others_nor_itself() {
    let server = TcpServer::start();
    let (publisher, client) = (server.client(), server.client());
    let (heard, mut hears) = mpsc::channel(100);
    let (before, during, after) = (heard.clone(), heard.clone(), heard);
    let _before = client
        .add_remote_listener("s/e", move |_: &Event<'_>| before.try_send("before").unwrap())
        .await
        .unwrap();
    let _panicking = client
        .add_remote_listener("s/e", move |_: &Event<'_>| {
            during.try_send("during").unwrap();
            panic!("a listener that panics");
        })
        .await
        .unwrap();
    let _after = client
        .add_remote_listener("s/e", move |_: &Event<'_>| after.try_send("after").unwrap())
        .await
        .unwrap();
    let _server_side = server
        .router
        .add_listener("s/e", |_: &Event<'_>| panic!("on the server, too"))
        .unwrap();
    let sender = publisher.add_remote_sender("s").event("e").connect().await.unwrap();
    let signal = sender.signal("e").unwrap();
    for _ in 0..3 {
        signal.trigger(&()).await.unwrap();
        let mut round = Vec::new();
        for _ in 0..3 {
            round.push(soon("a listener", hears.recv()).await.unwrap());
        }
        round.sort_unstable();
        assert_eq!(round, ["after", "before", "during"]);
    }
}

#[tokio::test]
async fn w11_a_panicking_handler_is_an_error_with_its_text() {
    let server = TcpServer::start();
    let (owner, client) = (server.client(), server.client());
    let _sender = owner
        .add_remote_sender("s")
        .request("now", |_: Request| -> Result<(), _> { panic!("this handler panics") })
        .request_async("later", |_: Request| async { Err::<(), _>(unreachable_here()) })
        .connect()
        .await
        .unwrap();
    for method in ["now", "later"] {
        for _ in 0..3 {
            match soon("an answer", client.remote_request("s", method, &())).await {
                Err(RequestError::HandlerFailed { text, .. }) => assert!(text.contains("handler panics"), "{text}"),
                other => panic!("{other:?}"),
            }
        }
    }
}

fn unreachable_here() -> sig_router::HandlerError {
    panic!("this async handler panics")
}

#[tokio::test]
async fn w11_a_listener_may_end_itself_while_it_is_called() {
    let server = TcpServer::start();
    let (publisher, client) = (server.client(), server.client());
    let own: Arc<Mutex<Option<RemoteListener>>> = Arc::default();
    let (heard, mut hears) = mpsc::channel(100);
    let (slot, tell) = (Arc::clone(&own), heard.clone());
    let listener = client
        .add_remote_listener("s/e", move |event: &Event<'_>| {
            drop(slot.lock().unwrap().take());
            tell.try_send(("once", event.number())).unwrap();
        })
        .await
        .unwrap();
    *own.lock().unwrap() = Some(listener);
    let _always = client
        .add_remote_listener("s/e", move |event: &Event<'_>| {
            heard.try_send(("always", event.number())).unwrap()
        })
        .await
        .unwrap();
    let sender = publisher.add_remote_sender("s").event("e").connect().await.unwrap();
    for _ in 0..3 {
        sender.signal("e").unwrap().trigger(&()).await.unwrap();
    }
    let mut always = Vec::new();
    let mut once = Vec::new();
    while always.len() < 3 || once.is_empty() {
        match soon("a listener", hears.recv()).await.unwrap() {
            ("once", number) => once.push(number),
            (_, number) => always.push(number),
        }
    }
    assert_eq!((always, once), (vec![1, 2, 3], vec![1]));
}
