//! Requests in both directions on one link at a time, to one's own sender, and from inside handlers and listeners.

use futures::future::join_all;
use sig_router::{ClientRouter, Event, RemoteSender, Request};
use sig_tests::rig::{connected, soon};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::world::World;

/// How many requests are under way in each direction.
const COUNT: u64 = 100;

/// A sender whose `next` answers one more, and whose `ask` asks that of another sender, as often as it is told.
async fn asks(client: &ClientRouter, name: &str, other: &'static str) -> RemoteSender {
    let asking = client.clone();
    let sender = client
        .add_remote_sender(name)
        .event("e")
        .request_async("next", |request: Request| async move {
            // Others have their turn in between.
            tokio::task::yield_now().await;
            Ok(request.params::<u64>()? + 1)
        })
        .request_async("ask", move |request: Request| {
            let client = asking.clone();
            async move {
                let n: u64 = request.params()?;
                let answer = client.remote_request(other, "next", &n).await?;
                Ok(answer.parse::<u64>()? + 1000)
            }
        });
    sender.connect().await.unwrap()
}

async fn number(asking: sig_router::PendingRequest<'_>) -> u64 {
    soon("an answer", asking).await.unwrap().parse().unwrap()
}

#[tokio::test]
async fn promise_4_requests_run_in_both_directions_on_one_link() {
    for world in World::each() {
        let (a, b) = (world.client(), world.client());
        let _a = asks(&a, "a", "b").await;
        let _b = asks(&b, "b", "a").await;
        let near = world
            .server
            .add_sender("near")
            .request("next", |request: Request| Ok(request.params::<u64>()? + 1));
        let _near = near.connect().unwrap();
        let all = (0..COUNT).map(|n| {
            let (a, b, server) = (&a, &b, &world.server);
            async move {
                let answers = tokio::join!(
                    // Each of the other, of itself over the server and without it, of the server, and the server of both.
                    number(a.remote_request("b", "next", &n)),
                    number(b.remote_request("a", "next", &n)),
                    number(a.remote_request("a", "next", &n)),
                    number(a.local().request("a", "next", &n)),
                    number(b.remote_request("near", "next", &n)),
                    number(server.request("near", "next", &n)),
                    number(server.request("a", "next", &n)),
                );
                assert_eq!(answers, (n + 1, n + 1, n + 1, n + 1, n + 1, n + 1, n + 1));
                // From inside a handler to the one that asks.
                let answers = tokio::join!(
                    number(b.remote_request("a", "ask", &n)),
                    number(a.remote_request("b", "ask", &n)),
                );
                assert_eq!(answers, (n + 1001, n + 1001));
            }
        });
        // In two halves: what asks from inside needs two places of the same link.
        let all: Vec<_> = all.collect();
        for half in halves(all) {
            join_all(half).await;
        }
    }
}

fn halves<T>(mut all: Vec<T>) -> [Vec<T>; 2] {
    let second = all.split_off(all.len() / 2);
    [all, second]
}

#[tokio::test]
async fn promise_4_a_listener_asks_whom_it_hears() {
    for world in World::each() {
        let (a, b) = (world.client(), world.client());
        let sender = asks(&a, "a", "b").await;
        let _b = asks(&b, "b", "a").await;
        let (tell, mut answers) = mpsc::channel(1024);
        // On the callback's own account, and from a stream.
        let tasks = std::sync::Arc::new(std::sync::Mutex::new(JoinSet::new()));
        let (asking, spawning, told) = (b.clone(), tasks.clone(), tell.clone());
        let _listener = b
            .add_remote_listener("a/e", move |event: &Event<'_>| {
                let (client, tell, n) = (asking.clone(), told.clone(), event.decode::<u64>().unwrap());
                spawning.lock().unwrap().spawn(async move {
                    tell.send(number(client.remote_request("a", "ask", &n)).await)
                        .await
                        .unwrap();
                });
            })
            .await
            .unwrap();
        let mut stream = b.listen_remote("a/e").await.unwrap();
        let client = b.clone();
        tasks.lock().unwrap().spawn(async move {
            while let Some(Ok(event)) = stream.recv().await {
                let n: u64 = event.decode().unwrap();
                tell.send(number(client.remote_request("a", "ask", &n)).await)
                    .await
                    .unwrap();
            }
        });
        connected(&b).await;
        let signal = sender.signal("e").unwrap();
        for n in 0..COUNT {
            signal.trigger(&n).await.unwrap();
        }
        let mut sum = 0;
        for _ in 0..2 * COUNT {
            sum += soon("an answer", answers.recv()).await.unwrap();
        }
        assert_eq!(sum, 2 * (0..COUNT).map(|n| n + 1001).sum::<u64>(), "{}", world.name);
    }
}
