//! Ending routers: in good order, promptly, and twice (promise 9, W7, W12).

#![allow(
    clippy::unwrap_used,
    reason = "a broken assumption of a test is a panic with a line number"
)]

mod counts;

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures::FutureExt as _;
use sig_router::{
    AddSenderError, ClientRouter, Closed, Event, LinkState, ListenError, Presence, Reconnect, Request, RequestError,
    RouterError, SenderState, ServerRouter, TriggerError,
};
use sig_tests::rig::{TcpServer, WAIT, becomes, connected, disconnected, holds, lasting_address, soon};

/// Longer than anything here may take, shorter than any pause or deadline that could hide a wait.
const PROMPT: Duration = Duration::from_secs(2);

/// Does something and checks that it did not wait for a pause or deadline.
async fn promptly<F: Future>(what: &str, future: F) -> F::Output {
    let began = Instant::now();
    let output = future.await;
    assert!(began.elapsed() < PROMPT, "{what} took {:?}", began.elapsed());
    output
}

#[tokio::test]
async fn w7_a_server_stops_and_another_starts_on_the_same_port_at_once() {
    let mut server = TcpServer::at(&lasting_address());
    let (publisher, listener) = (server.client(), server.client());
    let sender = publisher.add_remote_sender("s").event("e").connect().await.unwrap();
    let signal = sender.signal("e").unwrap();
    let mut events = listener.listen_remote("s/e").await.unwrap();
    for round in 0..20_u64 {
        // The address is in use by live connections when the server goes, and bound again right away.
        assert_eq!(promptly("close", server.router.close(WAIT)).await.aborted, 0);
        server = TcpServer::at(&server.address);
        holds("both are back", || registered(&server) == (1, 1)).await;
        signal.trigger(&round).await.unwrap();
        let event = soon("an event", events.recv()).await.unwrap().unwrap();
        assert_eq!(event.decode::<u64>().unwrap(), round);
    }
}

/// A client as impatient as pysig's: it connects again the moment its link ends. Gives what came of that.
fn impatient(address: &str) -> std::thread::JoinHandle<std::io::Result<TcpStream>> {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(WAIT)).unwrap();
    stream.write_all(br#"{"method": "get_version", "id": 1}"#).unwrap();
    assert_ne!(stream.read(&mut [0; 512]).unwrap(), 0, "it is a client now");
    let address = address.to_owned();
    std::thread::spawn(move || {
        assert_eq!(stream.read(&mut [0; 512]).unwrap(), 0, "the link ends in good order");
        TcpStream::connect(address)
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w7_who_connects_again_at_once_does_not_meet_the_server_that_ended_its_link() {
    // Taken by a listener that is about to go, pysig would register everything with nobody.
    let refused = |client: std::thread::JoinHandle<std::io::Result<TcpStream>>| {
        let again = client.join().unwrap();
        assert_eq!(again.unwrap_err().kind(), ErrorKind::ConnectionRefused);
    };
    let address = lasting_address();
    for _ in 0..20 {
        let server = TcpServer::at(&address);
        let client = impatient(&address);
        assert_eq!(promptly("close", server.router.close(WAIT)).await.aborted, 0);
        refused(client);

        let router = ServerRouter::new().unwrap();
        let carrier = router.attach(Arc::new(sig_carrier_tcp::listen(&address).unwrap()));
        let client = impatient(&address);
        promptly("stop", carrier.stop()).await;
        refused(client);
    }
}

/// How many senders and listeners the server's clients have.
fn registered(server: &TcpServer) -> (usize, usize) {
    let clients = server.router.clients();
    let senders = clients.iter().map(|client| client.senders).sum();
    (senders, clients.iter().map(|client| client.listeners).sum())
}

#[tokio::test]
async fn w7_closing_a_client_while_it_pauses_or_connects_returns_at_once() {
    let server = TcpServer::start();
    let patient = Reconnect::new()
        .first(Duration::from_secs(600))
        .max(Duration::from_secs(600));
    let dial = || Arc::new(sig_carrier_tcp::dial(&server.address).unwrap());
    let pausing = ClientRouter::builder().reconnect(patient).connect(dial()).unwrap();
    connected(&pausing).await;
    server.router.close(WAIT).await;
    becomes(pausing.states(), |state| matches!(state, LinkState::Waiting { .. })).await;
    assert_eq!(promptly("close in a pause", pausing.close(WAIT)).await.aborted, 0);
    assert_eq!(pausing.state(), LinkState::Closed);

    // A server that accepts and never answers.
    let mute = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = mute.local_addr().unwrap().to_string();
    let connecting = ClientRouter::connect(Arc::new(sig_carrier_tcp::dial(&address).unwrap())).unwrap();
    let accepted = soon("a connection", mute.accept()).await.unwrap();
    assert_eq!(
        promptly("close while connecting", connecting.close(WAIT)).await.aborted,
        0
    );
    drop(accepted);
}

#[tokio::test]
async fn w12_shutdown_with_open_subscribers_returns_and_returns_twice() {
    let server = TcpServer::start();
    let client = server.client();
    let sender = client.add_remote_sender("s").event("e").connect().await.unwrap();
    let mut remote = client.listen_remote("s/e").await.unwrap();
    let mut local = server.router.listen("s/e").unwrap();
    let _callback = client.add_remote_listener("*", |_: &Event<'_>| {}).await.unwrap();
    let _local_callback = server.router.add_listener("*", |_: &Event<'_>| {}).unwrap();
    sender.signal("e").unwrap().trigger(&1).await.unwrap();
    assert_eq!(soon("an event", local.recv()).await.unwrap().unwrap().number(), 1);

    assert_eq!(
        promptly("close of the server", server.router.close(WAIT)).await.aborted,
        0
    );
    assert_eq!(
        promptly("second close of the server", server.router.close(WAIT)).await,
        Closed::default()
    );
    // Streams end, after what waited in them.
    holds("the sender has left", || !sender_is_there(&server)).await;
    while let Some(event) = soon("the end", local.recv()).await {
        assert!(event.is_ok());
    }

    disconnected(&client).await;
    assert_eq!(promptly("close of the client", client.close(WAIT)).await.aborted, 0);
    assert_eq!(
        promptly("second close of the client", client.close(WAIT)).await,
        Closed::default()
    );
    while let Some(event) = soon("the end", remote.recv()).await {
        assert!(event.is_ok());
    }
    assert_eq!(sender.state(), SenderState::Gone);
}

fn sender_is_there(server: &TcpServer) -> bool {
    server.router.senders().iter().any(|sender| sender.connected)
}

#[tokio::test]
async fn what_is_asked_of_a_closed_client_errs_at_once() {
    let server = TcpServer::start();
    let client = server.client();
    let sender = client.add_remote_sender("s").event("e").connect().await.unwrap();
    let signal = sender.signal("e").unwrap();
    client.close(WAIT).await;
    promptly("everything", async {
        assert!(matches!(client.listen_remote("s/e").await, Err(ListenError::Closed)));
        let added = client.add_remote_sender("t").event("e").connect().await;
        assert!(matches!(added, Err(AddSenderError::Closed)), "{added:?}");
        let asked = client.remote_request("s", "m", &()).await;
        assert!(matches!(asked, Err(RequestError::NotConnected)), "{asked:?}");
        assert!(matches!(client.ready(WAIT).await, Err(RouterError::Closed)));
        let triggered = signal.trigger(&1).await;
        assert!(
            matches!(triggered, Err(TriggerError::SenderGone { .. })),
            "{triggered:?}"
        );
        sender.remove().await;
    })
    .await;
}

#[tokio::test]
async fn a_trigger_that_waits_for_the_link_ends_with_its_sender() {
    let server = TcpServer::start();
    let client = server.client();
    let sender = client.add_remote_sender("s").event("e").connect().await.unwrap();
    let signal = sender.signal("e").unwrap();
    server.router.close(WAIT).await;
    becomes(sender.states(), |state| *state == SenderState::Pending).await;
    let mut waiting = std::pin::pin!(signal.trigger(&1));
    assert!(waiting.as_mut().now_or_never().is_none());
    let closing = async { promptly("close", client.close(WAIT)).await };
    let (triggered, _) = promptly("the trigger", async { tokio::join!(waiting, closing) }).await;
    assert!(
        matches!(triggered, Err(TriggerError::SenderGone { .. })),
        "{triggered:?}"
    );
}

#[tokio::test]
async fn closing_flushes_what_was_triggered_before() {
    const COUNT: u64 = 5_000;
    let server = TcpServer::start();
    let (publisher, listener) = (server.client(), server.client());
    let sender = publisher.add_remote_sender("s").event("e").connect().await.unwrap();
    let mut events = listener.listen_remote("s/e").await.unwrap();
    let mut leaving = listener.listen_remote("s/#disconnect").await.unwrap();
    let counting = async {
        let mut count = 0;
        loop {
            tokio::select! {
                biased;
                event = events.recv() => { event.unwrap().unwrap(); count += 1; }
                gone = leaving.recv() => {
                    let reason = gone.unwrap().unwrap().decode::<Presence>().unwrap().reason;
                    while count < COUNT {
                        events.recv().await.unwrap().unwrap();
                        count += 1;
                    }
                    return (count, reason);
                }
            }
        }
    };
    let sending = async {
        let signal = sender.signal("e").unwrap();
        for n in 0..COUNT {
            signal.trigger(&n).await.unwrap();
        }
        assert_eq!(publisher.close(WAIT).await.aborted, 0);
    };
    let (counted, ()) = soon("all of it", async { tokio::join!(counting, sending) }).await;
    assert_eq!(counted, (COUNT, Some("closed".to_owned())));
}

#[tokio::test]
async fn dropping_the_last_handle_ends_everything_without_waiting() {
    let server = TcpServer::start();
    let client = server.client();
    let mut remote = client.listen_remote("*").await.unwrap();
    let mut local = server.router.listen("*").unwrap();
    let TcpServer { router, address, .. } = server;
    let began = Instant::now();
    drop(router);
    drop(client);
    assert!(began.elapsed() < Duration::from_millis(100), "{:?}", began.elapsed());
    assert!(soon("the end of the remote stream", remote.recv()).await.is_none());
    assert!(soon("the end of the local stream", local.recv()).await.is_none());
    // The port is free as soon as the task that had it is gone.
    holds("a free port", || std::net::TcpListener::bind(&address).is_ok()).await;
}

#[tokio::test]
async fn a_handler_that_never_ends_is_cut_off_and_counted() {
    struct Dropped(Arc<AtomicBool>);
    impl Drop for Dropped {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Release);
        }
    }

    let server = TcpServer::start();
    let client = server.client();
    let dropped = Arc::new(AtomicBool::new(false));
    let (running, mut runs) = tokio::sync::mpsc::channel(1);
    let shared = Arc::clone(&dropped);
    let _sender = client
        .add_remote_sender("s")
        .request_async("forever", move |_: Request| {
            let (guard, running) = (Dropped(Arc::clone(&shared)), running.clone());
            async move {
                let _guard = guard;
                running.send(()).await.unwrap();
                std::future::pending::<()>().await;
                Ok(())
            }
        })
        .connect()
        .await
        .unwrap();
    let asked = server.router.request("s", "forever", &()).timeout(WAIT);
    let asking = async { asked.await };
    let closing = async {
        soon("the handler", runs.recv()).await.unwrap();
        promptly("close", client.close(Duration::from_millis(500))).await;
    };
    let (answer, ()) = tokio::join!(asking, closing);
    assert!(
        matches!(answer, Err(RequestError::SenderGone { .. } | RequestError::Cancelled)),
        "{answer:?}"
    );
    assert!(dropped.load(Ordering::Acquire), "the handler's future is gone");
}
