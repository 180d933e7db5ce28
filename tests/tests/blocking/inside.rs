//! Inside async code, listeners and handlers: no panic, no deadlock.

use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

use sig_router::blocking::{ClientRouter, RemoteListener};
use sig_router::{Event, HandlerError, LinkState, Request, RequestError};
use sig_tests::rig::WAIT;

use crate::support::{Place, soon};

/// What a program does, from the first router to the last drop.
fn program(place: &Place) {
    let client = place.client();
    client.ready(WAIT).unwrap();
    let mut stream = client.listen_remote("s/e").unwrap();
    let heard = Arc::new(Mutex::new(0));
    let counting = Arc::clone(&heard);
    let listener = client
        .add_remote_listener("s/e", move |_: &Event<'_>| *counting.lock().unwrap() += 1)
        .unwrap();
    let sender = client
        .add_remote_sender("s")
        .event("e")
        .request("echo", |request: Request| Ok(request.params::<u64>()?))
        .connect()
        .unwrap();
    let signal = sender.signal("e").unwrap();
    for n in 1..=300 {
        signal.trigger(&n).unwrap();
        assert_eq!(stream.get(WAIT).unwrap().unwrap().number(), n);
        let answer = place.server.request("s", "echo", &n).wait().unwrap();
        assert_eq!(answer.parse::<u64>().unwrap(), n);
    }
    let mut states = client.states();
    assert!(states.wait_for(WAIT, |state| *state == LinkState::Connected).is_some());
    let began = Instant::now();
    while *heard.lock().unwrap() < 300 {
        assert!(began.elapsed() < WAIT);
        std::thread::yield_now();
    }
    listener.unlisten();
    stream.unlisten();
    sender.remove();
    client.close(WAIT);
    place.server.close(WAIT);
}

#[tokio::test]
async fn a_whole_program_inside_a_task_of_a_single_thread() {
    Place::all().iter().for_each(program);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_whole_program_inside_a_task_of_many_threads() {
    let mut tasks = tokio::task::JoinSet::new();
    for place in [Place::tcp, Place::local] {
        tasks.spawn(async move { program(&place()) });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_program_where_blocking_in_place_is_forbidden() {
    let local = tokio::task::LocalSet::new();
    local.run_until(async { program(&Place::tcp()) }).await;
}

/// tokio's own runtimes panic when they are dropped there.
#[tokio::test]
async fn the_last_handles_are_dropped_inside_async_code() {
    for place in Place::all() {
        let client = place.client();
        let stream = client.listen_remote("s/e").unwrap();
        let listener = client.add_remote_listener("s/e", |_: &Event<'_>| {}).unwrap();
        let sender = client.add_remote_sender("s").event("e").connect().unwrap();
        // The router first, and then what was made with it.
        drop(client);
        drop((stream, listener, sender));
        drop(place);
    }
}

#[test]
fn the_last_handle_is_dropped_inside_its_own_listener() {
    let place = Place::tcp();
    let sender = place.server.add_sender("s").event("e").connect().unwrap();
    let kept: Arc<Mutex<Option<(ClientRouter, RemoteListener)>>> = Arc::default();
    let (dropping, (tell, told)) = (Arc::clone(&kept), mpsc::sync_channel(1));
    let client = place.client();
    let listener = client
        .add_remote_listener("s/e", move |_: &Event<'_>| {
            // Comes after the first event is there to be waited for.
            let kept = loop {
                if let Some(kept) = dropping.lock().unwrap().take() {
                    break kept;
                }
                std::thread::yield_now();
            };
            drop(kept);
            tell.send(()).unwrap();
        })
        .unwrap();
    *kept.lock().unwrap() = Some((client, listener));
    sender.signal("e").unwrap().trigger(&1).unwrap();
    told.recv_timeout(WAIT).expect("the function goes on");
    soon("the client left", move || {
        while !place.server.clients().is_empty() {
            std::thread::yield_now();
        }
    });
}

#[test]
fn a_listener_may_call_everything_on_its_own_router() {
    for place in Place::all() {
        let client = place.client();
        let _echo = client
            .add_remote_sender("echo")
            .event("said")
            .request("echo", |request: Request| Ok(request.params::<u64>()?))
            .connect()
            .unwrap();
        let ping = place.server.add_sender("ping").event("sent").connect().unwrap();
        let (tell, told) = mpsc::sync_channel(1);
        let inside = client.clone();
        let listener = client
            .add_remote_listener("ping/sent", move |event: &Event<'_>| {
                let n: u64 = event.decode().unwrap();
                let answer = inside.remote_request("echo", "echo", &n).wait().unwrap();
                let mut stream = inside.listen_remote("other/e").unwrap();
                let second = inside.add_remote_listener("other/e", |_: &Event<'_>| {}).unwrap();
                let other = inside.add_remote_sender("other").event("e").connect().unwrap();
                other.signal("e").unwrap().trigger(&n).unwrap();
                let heard: u64 = stream.get(WAIT).unwrap().unwrap().decode().unwrap();
                second.unlisten();
                other.remove();
                stream.unlisten();
                inside.ready(WAIT).unwrap();
                let known = inside.list_remote_senders().unwrap().len();
                tell.send((answer.parse::<u64>().unwrap(), heard, known > 1)).unwrap();
            })
            .unwrap();
        for n in 0..20_u64 {
            ping.signal("sent").unwrap().trigger(&n).unwrap();
            assert_eq!(told.recv_timeout(WAIT), Ok((n, n, true)), "over {}", place.medium);
        }
        soon("the end of the listener", move || listener.unlisten());
    }
}

#[test]
fn a_listener_may_close_its_own_router() {
    for place in Place::all() {
        let client = place.client();
        let sender = place.server.add_sender("s").event("e").connect().unwrap();
        let (inside, (tell, told)) = (client.clone(), mpsc::sync_channel(1));
        let _listener = client
            .add_remote_listener("s/e", move |_: &Event<'_>| {
                let began = Instant::now();
                // Its own task is the one that does not end in time.
                let closed = inside.close(Duration::from_millis(100));
                tell.send((closed.aborted, began.elapsed())).unwrap();
            })
            .unwrap();
        sender.signal("e").unwrap().trigger(&1).unwrap();
        let (cut, took) = told.recv_timeout(WAIT).expect("close returns");
        assert!(cut > 0 && took < Duration::from_secs(5), "{cut} in {took:?}");
        assert_eq!(client.state(), LinkState::Closed);
    }
}

#[test]
fn a_handler_may_close_its_own_router() {
    for place in Place::all() {
        let client = place.client();
        let inside = client.clone();
        let _sender = client
            .add_remote_sender("s")
            .request("close", move |_| {
                inside.close(Duration::from_millis(100));
                Ok(())
            })
            .connect()
            .unwrap();
        let server = place.server.clone();
        let asked = soon("an answer", move || server.request("s", "close", &()).wait());
        assert!(asked.is_err(), "{asked:?} over {}", place.medium);
        let mut states = client.states();
        assert!(states.wait_for(WAIT, |state| *state == LinkState::Closed).is_some());
    }
}

/// Each handler asks the next one, on the same client and over the link, and waits for it.
#[test]
fn w2_handlers_ask_each_other_and_wait() {
    for place in Place::all() {
        let client = place.client();
        let asking = client.clone();
        let _chain = client
            .add_remote_sender("chain")
            .request("sum", move |request: Request| {
                let n: u64 = request.params()?;
                if n == 0 {
                    return Ok(0);
                }
                Ok(n + asking.remote_request("chain", "sum", &(n - 1)).wait()?.parse::<u64>()?)
            })
            .connect()
            .unwrap();
        let sum = soon("the sum", move || {
            place.server.request("chain", "sum", &60).wait().unwrap()
        });
        assert_eq!(sum.parse::<u64>().unwrap(), 60 * 61 / 2);
    }
}

#[test]
fn too_many_handlers_are_busy_and_one_that_panics_has_failed() {
    let place = Place::local();
    let (release, stuck) = mpsc::sync_channel::<()>(0);
    let stuck = Mutex::new(stuck);
    let _sender = place
        .server
        .add_sender("s")
        .request("panic", |_| -> Result<(), HandlerError> { panic!("on purpose") })
        .request("hang", move |_| {
            let _ = stuck.lock().unwrap().recv();
            Ok(())
        })
        .connect()
        .unwrap();
    let client = place.client();
    client.ready(WAIT).unwrap();
    let panicked = client.remote_request("s", "panic", &()).wait().unwrap_err();
    assert!(panicked.to_string().contains("on purpose"), "{panicked:?}");
    // Their askers are gone, but they run on, and so they count.
    let ask = || {
        let hang = client.remote_request("s", "hang", &());
        hang.timeout(Duration::from_millis(1)).wait().unwrap_err()
    };
    let began = Instant::now();
    let mut late = 0;
    while ask() != RequestError::Busy {
        late += 1;
        assert!(late <= 1000 && began.elapsed() < WAIT, "{late} handlers run");
    }
    drop(release);
}
