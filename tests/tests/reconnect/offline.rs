//! Triggering while there is no link.

use std::time::{Duration, Instant};

use futures::FutureExt as _;
use sig_router::{SenderState, TriggerError};
use sig_tests::proxy::{Cable, Proxy};
use sig_tests::rig::{TcpServer, becomes, client_of, soon};

#[tokio::test]
async fn promise_5_offline_try_trigger_errs_at_once_and_trigger_waits_then_errs_and_counts() {
    let server = TcpServer::start();
    let proxy = Proxy::to(&server.address).await;
    let client = client_of(&proxy.address.to_string());
    let sender = client.add_remote_sender("s").event("e").connect().await.unwrap();
    let signal = sender.signal("e").unwrap();
    let mut stream = server.router.listen("s/e").unwrap();
    let mut local = client.local().listen("s/e").unwrap();
    signal.trigger(&1).await.unwrap();
    assert_eq!(soon("an event", stream.recv()).await.unwrap().unwrap().number(), 1);
    assert_eq!(soon("here, too", local.recv()).await.unwrap().unwrap().number(), 1);

    proxy.set(Cable::Cut);
    becomes(sender.states(), |state| *state == SenderState::Pending).await;
    let began = Instant::now();
    let tried = signal.try_trigger(&2);
    assert!(matches!(tried, Err(TriggerError::Offline { .. })), "{tried:?}");
    assert!(began.elapsed() < Duration::from_millis(100), "{:?}", began.elapsed());

    let began = Instant::now();
    let triggered = signal.trigger(&3).await;
    assert!(matches!(triggered, Err(TriggerError::Offline { .. })), "{triggered:?}");
    assert!((4..8).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());

    assert_eq!((sender.lost(), sender.kept()), (1, 0));

    // One that waits when the link comes back goes through.
    let mut waiting = Box::pin(signal.trigger(&4));
    assert!((&mut waiting).now_or_never().is_none());
    proxy.set(Cable::Whole);
    soon("the trigger", waiting).await.unwrap();
    // The one that was given up is missing from the numbers; the one that was only tried never counted.
    for stream in [&mut stream, &mut local] {
        let lagged = soon("what was lost", stream.recv()).await.unwrap().unwrap_err();
        assert_eq!(lagged.count(), 1);
        let event = soon("an event", stream.recv()).await.unwrap().unwrap();
        assert_eq!((event.number(), event.decode::<i32>().unwrap()), (3, 4));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn blocking_trigger_waits_for_the_link_inside_a_runtime_without_a_panic() {
    let server = TcpServer::start();
    let proxy = Proxy::to(&server.address).await;
    let client = client_of(&proxy.address.to_string());
    let sender = client.add_remote_sender("s").event("e").connect().await.unwrap();
    let signal = sender.signal("e").unwrap();
    let mut stream = server.router.listen("s/e").unwrap();
    proxy.set(Cable::Cut);
    becomes(sender.states(), |state| *state == SenderState::Pending).await;
    let blocking = tokio::task::spawn_blocking(move || signal.blocking_trigger(&1));
    proxy.set(Cable::Whole);
    soon("the trigger", blocking).await.unwrap().unwrap();
    assert_eq!(soon("an event", stream.recv()).await.unwrap().unwrap().number(), 1);
}
