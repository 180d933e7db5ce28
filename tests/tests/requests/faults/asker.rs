//! The asker, and its link.

use std::time::Duration;

use futures::FutureExt as _;
use futures::stream::{FuturesUnordered, StreamExt as _};
use sig_core::StreamCarrier;
use sig_router::RequestError;
use sig_tests::media::SmallFrames;
use sig_tests::proxy::{Cable, Proxy};
use sig_tests::rig::{client_of, client_over, connected, disconnected, soon};

use super::super::world::{World, called, callee, dropped};
use super::{Fault, ask, ask_within, late, offline, too_large};

pub(super) fn faults() -> Vec<Fault> {
    vec![
        before_sending("the asker's link is cut before it asks", Cable::Cut).boxed(),
        before_sending("the asker's link is dead before it asks", Cable::Silent).boxed(),
        before_sending("the asker hears nothing", Cable::Deaf).boxed(),
        after_sending("the asker's link is cut before the answer", Cable::Cut).boxed(),
        after_sending("the asker's link is dead before the answer", Cable::Silent).boxed(),
        never_a_link().boxed(),
        request_too_large().boxed(),
        busy().boxed(),
        deadline_zero().boxed(),
        deadlines_race_with_answers().boxed(),
        nobody_there().boxed(),
    ]
}

async fn before_sending(what: &'static str, cable: Cable) {
    let world = World::tcp();
    let proxy = Proxy::to(world.address()).await;
    let (asker, client) = (client_of(&proxy.address.to_string()), world.client());
    let (_sender, _tells) = callee(&client).await;
    connected(&asker).await;
    proxy.set(cable);
    let ended = ask(asker.remote_request("callee", "echo", &())).await;
    ended.check(what, if cable == Cable::Cut { offline } else { late });
    if cable == Cable::Cut {
        // And when it knows that there is no link.
        disconnected(&asker).await;
        let ended = ask(asker.remote_request("callee", "echo", &())).await;
        ended.check(what, offline);
    }
}

async fn after_sending(what: &'static str, cable: Cable) {
    let world = World::tcp();
    let proxy = Proxy::to(world.address()).await;
    let (asker, client) = (client_of(&proxy.address.to_string()), world.client());
    let (_sender, mut tells) = callee(&client).await;
    connected(&asker).await;
    let fault = async {
        called(&mut tells).await;
        proxy.set(cable);
    };
    let (ended, ()) = tokio::join!(ask(asker.remote_request("callee", "hang", &())), fault);
    ended.check(what, if cable == Cable::Cut { offline } else { late });
    // Either way the handler is not left alone: the deadline travelled along.
    dropped(&mut tells).await;
}

async fn never_a_link() {
    let asker = client_of("127.0.0.1:9");
    let ended = ask(asker.remote_request("callee", "echo", &())).await;
    ended.check("there never was a link", offline);
}

async fn request_too_large() {
    let world = World::tcp();
    let inner = sig_carrier_tcp::Dialer::new(world.address()).unwrap();
    let asker = client_over(StreamCarrier::new(SmallFrames {
        inner,
        max_frame: 64 * 1024,
    }));
    let client = world.client();
    let (_sender, _tells) = callee(&client).await;
    connected(&asker).await;
    let large = "x".repeat(100 * 1024);
    let ended = ask(asker.remote_request("callee", "echo", &large)).await;
    ended.check("the request is too large", too_large);
    // The link is as good as before.
    let answer = soon("an answer", asker.remote_request("callee", "echo", &1)).await;
    assert_eq!(answer.unwrap().text(), "1");
}

async fn busy() {
    let world = World::tcp();
    let (asker, client) = (world.client(), world.client());
    let (_sender, mut tells) = callee(&client).await;
    connected(&asker).await;
    let mut hanging: FuturesUnordered<_> = (0..256)
        .map(|_| asker.remote_request("callee", "hang", &()).into_future())
        .collect();
    let full = async {
        for _ in 0..256 {
            called(&mut tells).await;
        }
    };
    tokio::select! {
        ended = hanging.next() => panic!("{ended:?}"),
        () = full => {}
    }
    let ended = ask(asker.remote_request("callee", "echo", &())).await;
    ended.check("256 requests are under way", |answer| {
        *answer == Err(RequestError::Busy)
    });
}

async fn deadline_zero() {
    let world = World::tcp();
    let (asker, client) = (world.client(), world.client());
    let (_sender, _tells) = callee(&client).await;
    connected(&asker).await;
    for asking in [
        asker.remote_request("callee", "hang", &()),
        world.server.request("callee", "hang", &()),
        client.local().request("callee", "hang", &()),
    ] {
        let after = Duration::ZERO;
        let ended = ask_within(after, asking).await;
        ended.check("there is no time", |answer| {
            *answer == Err(RequestError::TimedOut { after })
        });
    }
}

/// The deadline passes, and the request is cancelled, about when the answer comes.
async fn deadlines_race_with_answers() {
    const PAUSE: Duration = Duration::from_millis(20);
    let world = World::tcp();
    let (asker, client) = (world.client(), world.client());
    let slow = client.add_remote_sender("callee").request_async("slow", |_| async {
        tokio::time::sleep(PAUSE).await;
        Ok(1)
    });
    let _sender = slow.connect().await.unwrap();
    connected(&asker).await;
    let asking = (0..50_u64).map(async |n| {
        let timeout = PAUSE + Duration::from_micros(200 * n) - Duration::from_millis(3);
        ask_within(timeout, asker.remote_request("callee", "slow", &())).await
    });
    for ended in futures::future::join_all(asking).await {
        ended.check("the answer comes at the deadline", |answer| {
            matches!(answer, Ok(_) | Err(RequestError::TimedOut { .. }))
        });
    }
    // Each gave its place back, at every hop.
    let answer = soon("an answer", asker.remote_request("callee", "slow", &())).await;
    assert_eq!(answer.unwrap().text(), "1");
}

async fn nobody_there() {
    let world = World::tcp();
    let asker = world.client();
    connected(&asker).await;
    let ended = ask(asker.remote_request("callee", "echo", &())).await;
    ended.check(
        "there is no callee",
        |answer| matches!(answer, Err(RequestError::NoSuchSender { sender }) if sender == "callee"),
    );
}
