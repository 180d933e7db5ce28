//! Who gives up takes the handler along, over both hops, and however it gives up.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sig_router::{ClientRouter, Request, Router};
use sig_tests::proxy::{Cable, Proxy};
use sig_tests::rig::{WAIT, client_of, connected, holds, soon};
use tokio::sync::mpsc;

use super::world::{Told, World, called, callee, dropped, hanging};

/// Asks until the handler was called, and gives up.
async fn give_up(asker: &ClientRouter, tells: &mut mpsc::Receiver<Told>) {
    let asking = asker.remote_request("callee", "hang", &()).timeout(WAIT).into_future();
    tokio::select! {
        answer = asking => panic!("{answer:?}"),
        _ = called(tells) => {}
    }
}

#[tokio::test]
async fn promise_4_a_dropped_request_ends_its_handler_over_two_hops() {
    for world in World::each() {
        let (asker, client) = (world.client(), world.client());
        let (_sender, mut tells) = callee(&client).await;
        connected(&asker).await;
        // From another client, and from the callee's own.
        for asker in [&asker, &client] {
            give_up(asker, &mut tells).await;
            dropped(&mut tells).await;
        }
        // From the server, over one hop.
        tokio::select! {
            answer = world.server.request("callee", "hang", &()).timeout(WAIT).into_future() => panic!("{answer:?}"),
            _ = called(&mut tells) => {}
        }
        dropped(&mut tells).await;
        // At the server, over one hop.
        let (builder, mut tells) = hanging(world.server.add_sender("near"));
        let _near = builder.connect().unwrap();
        tokio::select! {
            answer = asker.remote_request("near", "hang", &()).timeout(WAIT).into_future() => panic!("{answer:?}"),
            _ = called(&mut tells) => {}
        }
        dropped(&mut tells).await;
    }
}

#[tokio::test]
async fn promise_4_an_asker_that_goes_ends_its_handler_over_two_hops() {
    for world in World::each() {
        let client = world.client();
        let (_sender, mut tells) = callee(&client).await;
        for how in ["dropped", "closed", "kicked"] {
            let asker = world.client();
            connected(&asker).await;
            let asked = asker.clone();
            let asking = async move { asked.remote_request("callee", "hang", &()).timeout(WAIT).await };
            let mut asking = tokio::task::JoinSet::from_iter([asking]);
            called(&mut tells).await;
            match how {
                "dropped" => asking.abort_all(),
                "closed" => drop(asker.close(Duration::ZERO).await),
                _ => {
                    let clients = world.server.clients();
                    let asker = clients.iter().find(|client| client.senders == 0).unwrap();
                    assert!(world.server.kick(asker.id, "a test"));
                }
            }
            dropped(&mut tells).await;
        }
    }
    // By the medium.
    let world = World::tcp();
    let proxy = Proxy::to(world.address()).await;
    let (asker, client) = (client_of(&proxy.address.to_string()), world.client());
    let (_sender, mut tells) = callee(&client).await;
    connected(&asker).await;
    let asking = asker.remote_request("callee", "hang", &()).timeout(WAIT).into_future();
    let cutting = async {
        called(&mut tells).await;
        proxy.set(Cable::Cut);
        dropped(&mut tells).await;
    };
    let (answer, ()) = tokio::join!(soon("an answer", asking), cutting);
    assert!(answer.is_err());
}

/// A handler that is a plain function cannot be dropped: it asks.
fn asks_itself<T>(builder: sig_router::SenderBuilder<T>) -> (sig_router::SenderBuilder<T>, [Arc<AtomicBool>; 2]) {
    let flags = [(); 2].map(|()| Arc::new(AtomicBool::new(false)));
    let [runs, ended] = flags.clone();
    let builder = builder.request("work", move |request: Request| {
        assert!(!request.is_cancelled());
        runs.store(true, Ordering::SeqCst);
        while !request.is_cancelled() {
            std::thread::sleep(Duration::from_millis(1));
        }
        ended.store(true, Ordering::SeqCst);
        Ok(())
    });
    (builder, flags)
}

// With one worker: it would wait for itself if the function kept it.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn promise_4_a_handler_that_is_a_function_learns_that_nobody_waits() {
    for world in World::each() {
        for how in ["given up", "asker gone", "sender removed", "callee kicked"] {
            let (asker, client) = (world.client(), world.client());
            let (builder, [runs, ended]) = asks_itself(client.add_remote_sender("callee"));
            let sender = builder.connect().await.unwrap();
            connected(&asker).await;
            let asked = asker.clone();
            let asking = async move { asked.remote_request("callee", "work", &()).timeout(WAIT).await };
            let mut asking = tokio::task::JoinSet::from_iter([asking]);
            holds("it runs", || runs.load(Ordering::SeqCst)).await;
            match how {
                "given up" => asking.abort_all(),
                "asker gone" => drop(asker.close(Duration::ZERO).await),
                "sender removed" => sender.remove().await,
                _ => world.kick_callee(),
            }
            holds("it ends", || ended.load(Ordering::SeqCst)).await;
            drop(client);
            let callees = || {
                world
                    .server
                    .clients()
                    .iter()
                    .filter(|client| client.senders > 0)
                    .count()
            };
            holds("its name is free", || callees() == 0).await;
        }
    }
}

#[tokio::test]
async fn promise_4_a_function_that_its_asker_runs_sees_the_deadline() {
    let router = Router::new();
    let (builder, [_, ended]) = asks_itself(router.add_sender("callee"));
    let _sender = builder.connect().unwrap();
    let asking = router.request("callee", "work", &()).timeout(Duration::from_millis(20));
    // It answered, if late: the asker ran it.
    drop(asking.await);
    assert!(ended.load(Ordering::SeqCst));
}

#[tokio::test]
async fn promise_4_what_a_handler_started_elsewhere_learns_that_nobody_waits() {
    let world = World::local();
    let (asker, client) = (world.client(), world.client());
    let (started, mut starts) = mpsc::channel(8);
    let starting = client
        .add_remote_sender("callee")
        .request_async("start", move |request: Request| {
            let started = started.clone();
            async move {
                started.send(request.clone()).await?;
                let answers: bool = request.params()?;
                if !answers {
                    std::future::pending::<()>().await;
                }
                Ok(answers)
            }
        });
    let _sender = starting.connect().await.unwrap();
    connected(&asker).await;
    for answers in [true, false] {
        let asking = asker
            .remote_request("callee", "start", &answers)
            .timeout(WAIT)
            .into_future();
        let request = tokio::select! {
            answer = asking => {
                assert_eq!(answer.unwrap().text(), "true");
                starts.recv().await
            }
            request = starts.recv(), if !answers => request,
        };
        let request = request.unwrap();
        soon("word that it is over", request.cancelled()).await;
        assert!(request.is_cancelled());
    }
}
