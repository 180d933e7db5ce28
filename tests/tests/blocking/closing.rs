//! Whoever waits learns at once that the router is closed: how a program ends that was told to by Ctrl-C.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

use sig_router::blocking::GetError;
use sig_router::{AddSenderError, Event, LinkState, ListenError, Request, RouterError};
use sig_tests::rig::WAIT;

use crate::support::{Doing, Place, lonely, soon};

/// Far more than a test may take.
const LONG: Duration = Duration::from_secs(3600);

/// As long as it takes a thread to get where it waits.
const MOMENT: Duration = Duration::from_millis(50);

#[test]
fn close_ends_everything_that_waits_for_a_link() {
    let client = lonely();
    let stream = Doing::start("listen_remote", {
        let client = client.clone();
        move || client.listen_remote("s/e").map(drop)
    });
    let function = Doing::start("add_remote_listener", {
        let client = client.clone();
        move || client.add_remote_listener("s/e", |_: &Event<'_>| {}).map(drop)
    });
    let sender = Doing::start("connect", {
        let client = client.clone();
        move || client.add_remote_sender("s").event("e").connect().map(drop)
    });
    let ready = Doing::start("ready", {
        let client = client.clone();
        move || client.ready(LONG)
    });
    let state = Doing::start("wait_for", {
        let mut states = client.states();
        move || states.wait_for(LONG, |state| *state == LinkState::Closed)
    });
    let request = Doing::start("wait", {
        let client = client.clone();
        move || client.remote_request("s", "m", &()).timeout(LONG).wait()
    });
    for goes_on in [stream.goes_on(MOMENT), function.goes_on(MOMENT), sender.goes_on(MOMENT)] {
        assert!(goes_on);
    }
    assert!(ready.goes_on(MOMENT) && state.goes_on(MOMENT));
    client.close(MOMENT);
    assert!(matches!(stream.end(), Err(ListenError::Closed)));
    assert!(matches!(function.end(), Err(ListenError::Closed)));
    assert!(matches!(sender.end(), Err(AddSenderError::Closed)));
    assert!(matches!(ready.end(), Err(RouterError::Closed)));
    assert_eq!(state.end(), Some(LinkState::Closed));
    assert!(request.end().is_err());
}

#[test]
fn close_ends_whoever_waits_for_an_event() {
    for place in Place::all() {
        let client = place.client();
        let mut streams: Vec<_> = (0..3).map(|_| client.listen_remote("s/e").unwrap()).collect();
        let (mut getting, mut iterating) = (streams.remove(0), streams.remove(0));
        let getting = Doing::start("get", move || getting.get(LONG));
        let iterating = Doing::start("a loop", move || iterating.by_ref().count());
        let mut near = place.server.listen("s/e").unwrap();
        let near = Doing::start("get at the server", move || near.get(LONG));
        // What was there before is still taken.
        let sender = place.server.add_sender("s").event("f").connect().unwrap();
        let mut left = client.listen_remote("s/f").unwrap();
        sender.signal("f").unwrap().trigger(&1).unwrap();
        while left.is_empty() {
            std::thread::yield_now();
        }
        assert!(getting.goes_on(MOMENT) && iterating.goes_on(MOMENT) && near.goes_on(MOMENT));
        let began = Instant::now();
        client.close(WAIT);
        assert!(matches!(getting.end(), Err(GetError::Closed)));
        assert_eq!(iterating.end(), 0);
        assert!(left.get(LONG).unwrap().is_some());
        assert!(matches!(left.get(LONG), Err(GetError::Closed)));
        place.server.close(WAIT);
        assert!(matches!(near.end(), Err(GetError::Closed)));
        assert!(began.elapsed() < WAIT, "{:?} over {}", began.elapsed(), place.medium);
    }
}

#[test]
fn close_ends_a_request_and_a_trigger_under_way() {
    for place in Place::all() {
        let (release, stuck) = mpsc::sync_channel::<()>(0);
        let stuck = Mutex::new(stuck);
        let _sender = place
            .server
            .add_sender("s")
            .request("hang", move |_: Request| {
                let _ = stuck.lock().unwrap().recv();
                Ok(())
            })
            .connect()
            .unwrap();
        let client = place.client();
        client.ready(WAIT).unwrap();
        let request = Doing::start("wait", {
            let client = client.clone();
            move || client.remote_request("s", "hang", &()).timeout(LONG).wait()
        });
        // Nobody takes anything from it, until its sender has to wait.
        let full = place.server.listen("flood/e").unwrap();
        let flood = client.add_remote_sender("flood").event("e").connect().unwrap();
        let signal = flood.signal("e").unwrap();
        let trigger = Doing::start("trigger", move || {
            loop {
                if let Err(error) = signal.trigger(&vec![0_u8; 1000]) {
                    return error;
                }
            }
        });
        assert!(request.goes_on(MOMENT) && trigger.goes_on(MOMENT));
        soon("close", move || client.close(Duration::from_millis(100)));
        assert!(request.end().is_err());
        trigger.end();
        drop((release, full));
    }
}

/// A function that is stuck with the first of many events is not called with the rest once the router is closed.
#[test]
fn no_function_is_called_any_more_after_close() {
    for place in Place::all() {
        let client = place.client();
        let sender = place.server.add_sender("s").event("e").connect().unwrap();
        let (release, stuck) = mpsc::sync_channel::<()>(0);
        let (calls, (tell, told)) = (Arc::new(AtomicUsize::new(0)), mpsc::sync_channel(1));
        let (counting, stuck) = (Arc::clone(&calls), Mutex::new(stuck));
        let _listener = client
            .add_remote_listener("s/e", move |_: &Event<'_>| {
                if counting.fetch_add(1, Ordering::SeqCst) == 0 {
                    let _ = stuck.lock().unwrap().recv();
                    tell.send(()).unwrap();
                }
            })
            .unwrap();
        // Behind the function in the queue of this client, so that the others are there as well.
        let mut stream = client.listen_remote("s/e").unwrap();
        let signal = sender.signal("e").unwrap();
        (0..50).for_each(|n| signal.trigger(&n).unwrap());
        (0..50).for_each(|_| drop(stream.get(WAIT).unwrap().expect("an event")));
        let closed = soon("close", move || client.close(MOMENT));
        assert_eq!(closed.aborted, 1, "over {}", place.medium);
        drop(release);
        told.recv_timeout(WAIT).expect("the function returns");
        // 49 calls would take no time at all.
        std::thread::sleep(MOMENT);
        assert_eq!(calls.load(Ordering::SeqCst), 1, "over {}", place.medium);
    }
}

/// Dropping never waits: not for a listener that is stuck, nor for a handler.
#[test]
fn drop_waits_for_nobody() {
    for place in Place::all() {
        let client = place.client();
        let sender = place.server.add_sender("s").event("e").connect().unwrap();
        let (release, stuck) = mpsc::sync_channel::<()>(0);
        let (tell, told) = mpsc::sync_channel(1);
        let stuck = Mutex::new(stuck);
        let listener = client
            .add_remote_listener("s/e", move |_: &Event<'_>| {
                tell.send(()).unwrap();
                let _ = stuck.lock().unwrap().recv();
            })
            .unwrap();
        sender.signal("e").unwrap().trigger(&1).unwrap();
        told.recv_timeout(WAIT).expect("it is called");
        soon("drop", move || drop((listener, client, sender, place)));
        drop(release);
    }
}
