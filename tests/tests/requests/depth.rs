//! A listener that asks, whose handler triggers, whose listener asks, and so on: to depth 100, on every carrier.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::FutureExt as _;
use sig_router::{ClientRouter, Event, Listen, Policy, Request, Router, Signal};
use sig_tests::rig::soon;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use super::world::World;

const DEPTH: u64 = 100;

/// What is heard, through queues with room for one.
fn queues_of_one() -> Vec<Listen> {
    let listen = || Listen::to("chain/link").unwrap();
    vec![
        listen().capacity(1),
        listen().policy(Policy::Block(Duration::from_secs(5))).capacity(1),
        // One event is under way at a time, so none is ever dropped.
        listen().policy(Policy::DropNewest(1)),
        listen().policy(Policy::DropOldest(1)),
        listen().policy(Policy::Latest),
    ]
}

/// Where the signal is that the handler triggers: it is there once the sender is.
type Slot = watch::Sender<Option<Signal>>;

/// When the handler answers: at once, or when everything below it was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answers {
    AtOnce,
    AfterTheLast,
}

/// Tells when the chain has reached its end.
type End = watch::Sender<bool>;

/// The handler: it triggers the next link.
fn next(slot: &Slot, end: &End, answers: Answers) -> impl Fn(Request) -> BoxedAnswer + Send + Sync + 'static {
    let (slot, end) = (slot.clone(), end.clone());
    move |request| {
        let (slot, end) = (slot.clone(), end.clone());
        Box::pin(async move {
            let n: u64 = request.params()?;
            let signal = slot.subscribe().wait_for(Option::is_some).await?.clone();
            if let Some(signal) = signal {
                signal.trigger(&(n + 1)).await?;
            }
            if answers == Answers::AfterTheLast {
                end.subscribe().wait_for(|ended| *ended).await?;
            }
            Ok(n)
        })
    }
}

type BoxedAnswer = futures::future::BoxFuture<'static, Result<u64, sig_router::HandlerError>>;

/// The listener: it asks with what it heard, unless that is the end. Gives what it asked for back when it is answered.
fn on_link<A>(ask: A, end: &End) -> (impl Fn(&Event<'_>) + Send + Sync + 'static, mpsc::Receiver<u64>)
where
    A: Fn(u64) -> Asking + Send + Sync + 'static,
{
    let (tell, answered) = mpsc::channel(1024);
    let (tasks, end) = (Mutex::new(JoinSet::new()), end.clone());
    let hear = move |event: &Event<'_>| {
        let n: u64 = event.decode().unwrap();
        if n == DEPTH {
            end.send_replace(true);
            return;
        }
        let (asking, tell) = (ask(n), tell.clone());
        tasks.lock().unwrap().spawn(async move {
            tell.send(asking.await).await.unwrap();
        });
    };
    (hear, answered)
}

type Asking = futures::future::BoxFuture<'static, u64>;

fn remote(client: &ClientRouter) -> impl Fn(u64) -> Asking + Send + Sync + 'static {
    let client = client.clone();
    move |n| {
        let client = client.clone();
        Box::pin(async move {
            let answer = client.remote_request("chain", "next", &n).await;
            answer.unwrap().parse().unwrap()
        })
    }
}

fn near(router: &Router) -> impl Fn(u64) -> Asking + Send + Sync + 'static {
    let router = router.clone();
    move |n| {
        let router = router.clone();
        Box::pin(async move { router.request("chain", "next", &n).await.unwrap().parse().unwrap() })
    }
}

/// Starts the chain and waits until every link of it was answered.
async fn run(what: &str, slot: &Slot, signal: Signal, mut answered: mpsc::Receiver<u64>) {
    slot.send_replace(Some(signal.clone()));
    signal.trigger(&0_u64).await.unwrap();
    let mut answers = Vec::new();
    for _ in 0..DEPTH {
        answers.push(soon("an answer", answered.recv()).await.expect(what));
    }
    answers.sort_unstable();
    assert_eq!(answers, (0..DEPTH).collect::<Vec<_>>(), "{what}");
}

/// Where the listener is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// At the handler's own client, over the server.
    NextToTheHandler,
    AtAnotherClient,
    AtTheServer,
}

async fn chain(world: &World, answers: Answers, place: Place, listen: &Listen) {
    let what = format!("{}, {answers:?}, {place:?}, {listen:?}", world.name);
    let (slot, end) = (watch::Sender::new(None), watch::Sender::new(false));
    let (owner, other) = (world.client(), world.client());
    let chain = owner
        .add_remote_sender("chain")
        .event("link")
        .request_async("next", next(&slot, &end, answers));
    let chain = chain.connect().await.unwrap();
    let signal = chain.signal("link").unwrap();
    if place == Place::AtTheServer {
        let (hear, answered) = on_link(near(world.server.router()), &end);
        let _listener = world.server.add_listener(listen.clone(), hear).unwrap();
        run(&what, &slot, signal, answered).await;
    } else {
        let client = if place == Place::AtAnotherClient {
            &other
        } else {
            &owner
        };
        let (hear, answered) = on_link(remote(client), &end);
        let _listener = client.add_remote_listener(listen.clone(), hear).await.unwrap();
        run(&what, &slot, signal, answered).await;
    }
    slot.send_replace(None);
    chain.remove().await;
}

#[tokio::test]
async fn promise_4_a_chain_of_requests_and_events_to_depth_100_ends_on_every_carrier() {
    for world in World::each() {
        for listen in queues_of_one() {
            chain(&world, Answers::AtOnce, Place::AtAnotherClient, &listen).await;
        }
        let listen = &queues_of_one()[0];
        for place in [Place::NextToTheHandler, Place::AtAnotherClient, Place::AtTheServer] {
            chain(&world, Answers::AfterTheLast, place, listen).await;
        }
    }
}

#[tokio::test]
async fn promise_4_a_chain_from_a_stream_to_depth_100_ends_on_every_carrier() {
    for world in World::each() {
        for listen in queues_of_one() {
            let (slot, end) = (watch::Sender::new(None), watch::Sender::new(false));
            let (owner, other) = (world.client(), world.client());
            let chain = owner
                .add_remote_sender("chain")
                .event("link")
                .request_async("next", next(&slot, &end, Answers::AtOnce));
            let chain = chain.connect().await.unwrap();
            let mut stream = other.listen_remote(listen.clone()).await.unwrap();
            let signal = chain.signal("link").unwrap();
            slot.send_replace(Some(signal.clone()));
            signal.trigger(&0_u64).await.unwrap();
            for n in 0..=DEPTH {
                let event = soon("an event", stream.recv()).await.unwrap().unwrap();
                assert_eq!(event.decode::<u64>().unwrap(), n, "{}, {listen:?}", world.name);
                let answer = soon("an answer", other.remote_request("chain", "next", &n)).await;
                assert_eq!(answer.unwrap().parse::<u64>().unwrap(), n);
            }
            slot.send_replace(None);
            chain.remove().await;
        }
    }
}

/// Inside one process listeners are called on the spot, by the very task that triggers.
#[tokio::test]
async fn promise_4_a_chain_inside_one_process_to_depth_100_ends() {
    for answers in [Answers::AtOnce, Answers::AfterTheLast] {
        let router = Router::new();
        let (slot, end) = (watch::Sender::new(None), watch::Sender::new(false));
        let chain = router
            .add_sender("chain")
            .event("link")
            .request_async("next", next(&slot, &end, answers));
        let chain = chain.connect().unwrap();
        let (hear, answered) = on_link(near(&router), &end);
        let _listener = router.add_listener("chain/link", hear).unwrap();
        run("in process", &slot, chain.signal("link").unwrap(), answered).await;
    }
}

/// The same with every answer waited for on the spot, so that all of it is on one stack. How deep it went, and what the
/// first request came to.
fn on_one_stack(depth: u64) -> (u64, Result<u64, String>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let _inside = runtime.enter();
    let router = Router::new();
    let slot: Arc<Mutex<Option<Signal>>> = Arc::default();
    let taken = Arc::clone(&slot);
    let chain = router
        .add_sender("chain")
        .event("link")
        .request("next", move |request: Request| {
            let n: u64 = request.params()?;
            let signal = taken.lock().unwrap().clone();
            if let Some(signal) = signal {
                signal.try_trigger(&(n + 1))?;
            }
            Ok(n)
        });
    let chain = chain.connect().unwrap();
    *slot.lock().unwrap() = Some(chain.signal("link").unwrap());
    let ask = |router: &Router, n: u64| {
        let answer = router.request("chain", "next", &n).into_future().now_or_never();
        let answer = answer.expect("nothing to wait for");
        answer
            .map(|answer| answer.parse::<u64>().unwrap())
            .map_err(|error| error.to_string())
    };
    let seen = Arc::new(Mutex::new((0, Vec::new())));
    let (asking, reached) = (router.clone(), Arc::clone(&seen));
    let _listener = router
        .add_listener("chain/link", move |event: &Event<'_>| {
            let n: u64 = event.decode().unwrap();
            reached.lock().unwrap().0 = n;
            if n < depth
                && let Err(error) = ask(&asking, n)
            {
                reached.lock().unwrap().1.push(error);
            }
        })
        .unwrap();
    let first = ask(&router, 0);
    *slot.lock().unwrap() = None;
    let (deepest, errors) = std::mem::take(&mut *seen.lock().unwrap());
    (deepest, errors.into_iter().next().map_or(first, Err))
}

#[test]
fn promise_4_a_chain_on_one_stack_to_depth_100_ends() {
    assert_eq!(on_one_stack(DEPTH), (DEPTH, Ok(0)));
}

#[test]
fn promise_7_a_chain_without_end_on_one_stack_is_an_error() {
    let (deepest, error) = on_one_stack(u64::MAX);
    assert!(deepest > DEPTH, "{deepest}");
    assert!(
        error.as_ref().is_err_and(|error| error.contains("nested 128 deep")),
        "{error:?}"
    );
}
