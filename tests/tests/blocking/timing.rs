//! What may give up gives up in time, and not before.

use std::sync::{Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use sig_router::blocking::EventStream;
use sig_router::{LinkState, Listen, Policy, RequestError, Router, RouterError};
use sig_tests::rig::WAIT;

use crate::support::{Doing, Place, lonely, soon};

const SHORT: Duration = Duration::from_millis(100);

/// How much later than that is still in time, on a busy machine.
const SLACK: Duration = Duration::from_secs(2);

/// How much sooner a far router may find that the time is up: it keeps something for the way back.
const EARLY: Duration = Duration::from_millis(5);

/// Runs something that has to take `SHORT`.
#[track_caller]
fn takes_short<T>(work: impl FnOnce() -> T) -> T {
    let began = Instant::now();
    let done = work();
    let took = began.elapsed();
    assert!(took + EARLY >= SHORT && took < SHORT + SLACK, "{took:?}");
    done
}

#[test]
fn get_comes_back_with_nothing_at_its_timeout() {
    for place in Place::all() {
        let client = place.client();
        let mut remote = client.listen_remote("s/e").unwrap();
        let mut near = place.server.listen("s/e").unwrap();
        soon("nothing", move || {
            assert!(matches!(takes_short(|| remote.get(SHORT)), Ok(None)));
            assert!(matches!(takes_short(|| near.get(SHORT)), Ok(None)));
            let began = Instant::now();
            assert!(matches!(remote.get(Duration::ZERO), Ok(None)));
            assert!(matches!(near.try_get(), Ok(None)));
            assert!(began.elapsed() < SLACK);
        });
    }
}

#[test]
fn get_comes_back_with_an_event_before_its_timeout() {
    for place in Place::all() {
        let client = place.client();
        let mut stream = client.listen_remote("s/e").unwrap();
        let sender = place.server.add_sender("s").event("e").connect().unwrap();
        let (tell, told) = mpsc::sync_channel(1);
        let getting = Doing::start("an event", move || {
            tell.send(()).unwrap();
            // The longest timeout is one.
            let event = stream.get(Duration::MAX).unwrap().expect("an event");
            event.decode::<u32>().unwrap()
        });
        told.recv().unwrap();
        assert!(getting.goes_on(Duration::from_millis(20)));
        sender.signal("e").unwrap().trigger(&7).unwrap();
        assert_eq!(getting.end(), 7);
    }
}

/// What a policy holds back comes when it is due, with no runtime to keep the time, or with one that keeps none.
#[test]
fn get_comes_back_with_an_event_that_was_held_back() {
    let held_back = || {
        let router = Router::new();
        let rate = Listen::to("s/e").unwrap().policy(Policy::Rate(5.0));
        let mut stream = EventStream::from(router.listen(rate).unwrap());
        let sender = router.add_sender("s").event("e").connect().unwrap();
        let signal = sender.signal("e").unwrap();
        for n in 1..=5 {
            signal.try_trigger(&n).unwrap();
        }
        assert_eq!(stream.get(WAIT).unwrap().unwrap().number(), 1);
        assert!(matches!(stream.try_get(), Ok(None)));
        let last = takes_short(|| stream.get(WAIT)).unwrap();
        assert_eq!(last.unwrap().number(), 5);
    };
    held_back();
    let timeless = tokio::runtime::Builder::new_current_thread().build().unwrap();
    timeless.block_on(async { held_back() });
}

#[test]
fn a_request_ends_at_its_deadline_although_its_handler_does_not() {
    for place in Place::all() {
        let (release, stuck) = mpsc::sync_channel::<()>(0);
        let stuck = Mutex::new(stuck);
        let _sender = place
            .server
            .add_sender("s")
            .request("hang", move |_| {
                let _ = stuck.lock().unwrap().recv();
                Ok(())
            })
            .connect()
            .unwrap();
        let (client, server) = (place.client(), place.server.clone());
        client.ready(WAIT).unwrap();
        soon("two timeouts", move || {
            let far = || client.remote_request("s", "hang", &()).timeout(SHORT).wait();
            let late = Err(RequestError::TimedOut { after: SHORT });
            assert_eq!(takes_short(far), late);
            assert_eq!(
                takes_short(|| server.request("s", "hang", &()).timeout(SHORT).wait()),
                late
            );
        });
        drop(release);
    }
}

#[test]
fn ready_and_states_give_up_at_their_timeout() {
    let client = lonely();
    let error = takes_short(|| client.ready(SHORT)).unwrap_err();
    assert!(matches!(error, RouterError::NotReady { .. }), "{error:?}");
    assert_eq!(takes_short(|| client.states().wait_for(SHORT, |_| false)), None);
    let mut states = sig_router::blocking::Router::new().map(|_| client.states()).unwrap();
    client.close(Duration::ZERO);
    drop(client);
    assert_eq!(states.next(WAIT), Some(LinkState::Closed));
    // What cannot change any more is not waited for.
    let began = Instant::now();
    assert_eq!(states.next(WAIT), None);
    assert!(began.elapsed() < WAIT);
}

/// Waiting costs nothing: a thread that waits sleeps.
#[test]
#[cfg(target_os = "linux")]
fn waiting_takes_no_time_of_the_processor() {
    let client = lonely();
    let ticks = || {
        let stat = std::fs::read_to_string("/proc/thread-self/stat").expect("Linux has it");
        let fields = stat.rsplit_once(')').expect("the name is in brackets").1;
        let fields: Vec<_> = fields.split_whitespace().collect();
        fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
    };
    thread::spawn(move || {
        let before = ticks();
        let _ = client.ready(Duration::from_millis(500));
        // In hundredths of a second.
        assert!(ticks() - before < 10, "{} of 50 hundredths", ticks() - before);
    })
    .join()
    .unwrap();
}
