//! When a listener ends: promise 9.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Weak, mpsc};
use std::thread;

use futures::FutureExt as _;
use sig_router::{Event, Listener, Router};

use crate::{numbers, sender};

#[test]
fn promise_9_what_a_callback_owns_goes_with_its_guard() {
    let router = Router::new();
    let source = sender(&router, "source", &["e"]);
    let owned = Arc::new(());
    let listen = |topic: &str| {
        let owned = Arc::clone(&owned);
        router
            .add_listener(topic, move |_: &Event<'_>| assert!(Arc::strong_count(&owned) > 1))
            .unwrap()
    };
    let guards = ["source/e", "source", "*"].map(listen);
    source.signal("e").unwrap().try_trigger(&()).unwrap();
    assert_eq!(Arc::strong_count(&owned), 4);
    drop(guards);
    assert_eq!(Arc::strong_count(&owned), 1);

    let guard = listen("source/e");
    guard.unlisten().now_or_never().unwrap();
    assert_eq!(Arc::strong_count(&owned), 1);
}

#[test]
fn promise_9_what_a_callback_owns_goes_at_once_however_often_it_was_called() {
    let router = Router::new();
    let source = sender(&router, "source", &["a", "b"]);
    let (a, b) = (source.signal("a").unwrap(), source.signal("b").unwrap());
    let called = Arc::new(AtomicU64::new(0));
    let listen = |topic: &str| {
        let owned = (Arc::clone(&called), Arc::new(()));
        let weak = Arc::downgrade(&owned.1);
        let guard = router.add_listener(topic, move |_: &Event<'_>| _ = owned.0.fetch_add(1, Ordering::Relaxed));
        (guard.unwrap(), weak)
    };
    let _other = listen("source/a");
    let (guard, owned) = listen("source");
    let mut streams = Vec::new();
    for round in 0..6 {
        for signal in [&a, &b] {
            signal.try_trigger(&()).unwrap();
        }
        if round == 3 {
            streams.push(router.listen("source/b").unwrap());
        }
    }
    assert_eq!(called.load(Ordering::Relaxed), 18);
    drop(guard);
    assert!(owned.upgrade().is_none(), "though both events were triggered just now");
    a.try_trigger(&()).unwrap();
    assert_eq!(called.load(Ordering::Relaxed), 19);

    // It goes with the router's last event as well, whatever the sender did.
    let (guard, owned) = listen("source/a");
    a.try_trigger(&()).unwrap();
    assert!(source.remove());
    assert!(a.try_trigger(&()).is_err());
    let again = sender(&router, "source", &["a"]);
    assert!(a.try_trigger(&()).is_err(), "a signal is one of its own sender alone");
    again.signal("a").unwrap().try_trigger(&()).unwrap();
    guard.unlisten().now_or_never().unwrap();
    assert!(owned.upgrade().is_none());
}

#[test]
fn promise_9_after_the_drop_of_a_guard_no_new_call_begins() {
    let router = Router::new();
    let source = sender(&router, "source", &["e"]);
    let stop = Arc::new(AtomicBool::new(false));
    let triggers = {
        let (signal, stop) = (source.signal("e").unwrap(), Arc::clone(&stop));
        thread::spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                signal.try_trigger(&()).unwrap();
            }
        })
    };
    for _ in 0..200 {
        let (began, gone) = (mpsc::sync_channel(1), Arc::new(AtomicBool::new(false)));
        let broken = Arc::new(AtomicBool::new(false));
        let guard = {
            let (gone, broken) = (Arc::clone(&gone), Arc::clone(&broken));
            router.add_listener("source/e", move |_: &Event<'_>| {
                let _ = began.0.try_send(());
                // Set after the guard was dropped and the call that ran then, if any, was waited for.
                broken.fetch_or(gone.load(Ordering::SeqCst), Ordering::SeqCst);
            })
        }
        .unwrap();
        began.1.recv().unwrap();
        tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap()
            .block_on(guard.unlisten());
        gone.store(true, Ordering::SeqCst);
        assert_eq!(
            Arc::strong_count(&gone),
            1,
            "the function is gone, so nobody can call it"
        );
        assert!(!broken.load(Ordering::SeqCst));
    }
    stop.store(true, Ordering::Relaxed);
    triggers.join().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn promise_9_unlisten_waits_for_the_call_that_runs() {
    let router = Router::new();
    let source = sender(&router, "source", &["e"]);
    let (entered, mut inside) = tokio::sync::mpsc::channel(1);
    let (leave, may_leave) = mpsc::sync_channel(1);
    let (may_leave, done) = (Mutex::new(may_leave), Arc::new(AtomicBool::new(false)));
    let finished = Arc::clone(&done);
    let guard = router
        .add_listener("source/e", move |_: &Event<'_>| {
            entered.try_send(()).unwrap();
            may_leave.lock().unwrap().recv().unwrap();
            finished.store(true, Ordering::SeqCst);
        })
        .unwrap();
    let signal = source.signal("e").unwrap();
    let call = thread::spawn(move || signal.try_trigger(&()));
    inside.recv().await.unwrap();

    let mut unlisten = Box::pin(guard.unlisten());
    assert!((&mut unlisten).now_or_never().is_none());
    assert!(!done.load(Ordering::SeqCst));
    leave.send(()).unwrap();
    unlisten.await;
    assert!(done.load(Ordering::SeqCst));
    call.join().unwrap().unwrap();
}

#[test]
fn promise_9_unlisten_inside_its_own_call_does_not_wait_for_itself() {
    let router = Router::new();
    let source = sender(&router, "source", &["outer", "inner"]);
    let outer: Arc<Mutex<Option<Listener>>> = Arc::default();
    let ended = Arc::new(AtomicBool::new(false));
    // The guard is ended two calls further in: outer -> inner -> unlisten(outer).
    let _inner = {
        let (outer, ended) = (Arc::clone(&outer), Arc::clone(&ended));
        router.add_listener("source/inner", move |_: &Event<'_>| {
            let guard = outer.lock().unwrap().take().unwrap();
            ended.store(guard.unlisten().now_or_never().is_some(), Ordering::SeqCst);
        })
    }
    .unwrap();
    let inner = source.signal("inner").unwrap();
    let guard = router.add_listener("source/outer", move |_: &Event<'_>| inner.try_trigger(&()).unwrap());
    *outer.lock().unwrap() = Some(guard.unwrap());
    source.signal("outer").unwrap().try_trigger(&()).unwrap();
    assert!(ended.load(Ordering::SeqCst));
}

/// Enters the function on two threads, and ends its guard inside of it on one of them.
#[test]
fn promise_9_unlisten_inside_its_own_call_waits_for_the_one_on_another_thread() {
    let router = Router::new();
    let source = sender(&router, "source", &["e"]);
    let signal = source.signal("e").unwrap();
    let guard: Arc<Mutex<Option<Listener>>> = Arc::default();
    let (entered, inside) = mpsc::sync_channel(1);
    let (leave, may_leave) = mpsc::sync_channel(1);
    let (may_leave, left, leave_once) = (Mutex::new(may_leave), AtomicBool::new(false), Mutex::new(Some(leave)));
    let this_one = thread::current().id();
    let ended = Arc::new(AtomicU64::new(0));
    let function = {
        let (guard, ended) = (Arc::clone(&guard), Arc::clone(&ended));
        move |event: &Event<'_>| {
            if event.value::<&str>() == Some(&"warm up") {
                return;
            }
            if thread::current().id() != this_one {
                entered.send(()).unwrap();
                may_leave.lock().unwrap().recv().unwrap();
                left.store(true, Ordering::SeqCst);
                return;
            }
            let guard = guard.lock().unwrap().take().unwrap();
            let mut unlisten = Box::pin(guard.unlisten());
            assert!((&mut unlisten).now_or_never().is_none());
            leave_once.lock().unwrap().take().unwrap().send(()).unwrap();
            tokio::runtime::Builder::new_current_thread()
                .build()
                .unwrap()
                .block_on(unlisten);
            assert!(left.load(Ordering::SeqCst), "that call is over");
            ended.fetch_add(1, Ordering::SeqCst);
        }
    };
    *guard.lock().unwrap() = Some(router.add_listener("source/e", function).unwrap());
    signal.try_trigger(&"warm up").unwrap();
    let other = signal.clone();
    let call = thread::spawn(move || other.try_trigger(&"wait"));
    inside.recv().unwrap();
    signal.try_trigger(&"end").unwrap();
    call.join().unwrap().unwrap();
    assert_eq!(ended.load(Ordering::SeqCst), 1);
    assert_eq!(router.senders()[0].listeners, 0);
}

#[test]
fn promise_9_a_detached_listener_stays() {
    let router = Router::new();
    let source = sender(&router, "source", &["e"]);
    let count = Arc::new(AtomicU64::new(0));
    let inner = Arc::clone(&count);
    router
        .add_listener("source/e", move |_: &Event<'_>| {
            _ = inner.fetch_add(1, Ordering::Relaxed)
        })
        .unwrap()
        .detach();
    source.signal("e").unwrap().try_trigger(&()).unwrap();
    assert_eq!((count.load(Ordering::Relaxed), router.senders()[0].listeners), (1, 1));
}

#[test]
fn promise_9_a_router_that_nobody_has_any_more_is_gone() {
    let alive: Weak<()> = {
        let (router, owned) = (Router::new(), Arc::new(()));
        let alive = Arc::downgrade(&owned);
        let _waiting = router.listen("absent/e").unwrap();
        let source = sender(&router, "source", &["e"]);
        router
            .add_listener("source/e", move |_: &Event<'_>| {
                assert_eq!(Arc::strong_count(&owned), 1)
            })
            .unwrap()
            .detach();
        source.signal("e").unwrap().try_trigger(&()).unwrap();
        alive
    };
    assert!(alive.upgrade().is_none());
}

#[test]
fn promise_9_streams_end_with_the_last_who_could_trigger() {
    let router = Router::new();
    let mut streams = ["source/e", "source", "*", "absent"].map(|topic| router.listen(topic).unwrap());
    let source = sender(&router, "source", &["e"]);
    let signal = source.signal("e").unwrap();
    drop((router, source));
    assert!(signal.try_trigger(&()).is_err());
    let [specific, ..] = &mut streams;
    assert!(specific.recv().now_or_never().is_none(), "not while there is a signal");
    drop(signal);
    // What waits can still be taken: #connect and #disconnect.
    for (stream, waiting) in streams.iter_mut().zip([0, 2, 2, 0]) {
        assert_eq!(numbers(stream).len(), waiting);
        assert!(stream.recv().now_or_never().unwrap().is_none());
    }
}

#[test]
fn promise_7_what_answers_requests_may_own_listeners_and_senders() {
    let router = Router::new();
    let listener = router.add_listener("S/e", |_: &Event<'_>| {}).unwrap();
    let other = router.add_sender("other").event("e").connect().unwrap();
    let owns = move |_| {
        let _ = (&listener, &other);
        Ok(())
    };
    let sender = router.add_sender("S").event("e").request("m", owns).connect().unwrap();
    // Both go with the handler that owns them, in the middle of the removal.
    assert!(sender.remove());
    assert!(router.senders().is_empty(), "{router}");
}
