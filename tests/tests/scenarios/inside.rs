//! W2: a client that deals with itself, and calls made from inside of callbacks and handlers, never stall.

use std::sync::{Arc, Mutex};

use sig_router::{ClientRouter, Event, Request};
use sig_tests::rig::{TcpServer, soon};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

#[tokio::test]
async fn w2_a_client_listens_to_its_own_sender_and_asks_it() {
    let server = TcpServer::start();
    let client = server.client();
    let mut everything = client.listen_remote("*").await.unwrap();
    let sender = client
        .add_remote_sender("s")
        .event("e")
        .request("double", |request: Request| Ok(request.params::<i64>()? * 2))
        .connect()
        .await
        .unwrap();
    let mut own = client.listen_remote("s/e").await.unwrap();
    let signal = sender.signal("e").unwrap();
    for n in 1..=1000_u64 {
        signal.trigger(&n).await.unwrap();
        let answer = soon("an answer", client.remote_request("s", "double", &n))
            .await
            .unwrap();
        assert_eq!(answer.parse::<u64>().unwrap(), 2 * n);
    }
    for n in 1..=1000_u64 {
        assert_eq!(soon("an event", own.recv()).await.unwrap().unwrap().number(), n);
    }
    assert_eq!(
        soon("presence", everything.recv())
            .await
            .unwrap()
            .unwrap()
            .name()
            .as_str(),
        "#connect"
    );
}

/// A sender that answers `echo`.
async fn echo(client: &ClientRouter) -> sig_router::RemoteSender {
    client
        .add_remote_sender("echo")
        .request("echo", |request: Request| Ok(request.params::<u64>()?))
        .connect()
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn w2_requests_from_inside_listeners_blocking_or_spawned() {
    const COUNT: u64 = 200;
    let server = TcpServer::start();
    let (client, publisher) = (server.client(), server.client());
    let _echo = echo(&client).await;
    let sender = publisher.add_remote_sender("s").event("e").connect().await.unwrap();
    let (answered, mut answers) = mpsc::channel(1000);
    let tasks = Arc::new(Mutex::new(JoinSet::new()));

    // pysig's way: the callback waits for the answer right there.
    let (asking, tell) = (client.clone(), answered.clone());
    let _blocking = client
        .add_remote_listener("s/e", move |event: &Event<'_>| {
            let n: u64 = event.decode().unwrap();
            let request = asking.remote_request("echo", "echo", &n);
            let answer = tokio::task::block_in_place(|| Handle::current().block_on(async { request.await }));
            tell.try_send(("blocking", answer.unwrap().parse::<u64>().unwrap()))
                .unwrap();
        })
        .await
        .unwrap();
    // And on a task of its own.
    let (asking, tell, spawning) = (client.clone(), answered.clone(), Arc::clone(&tasks));
    let _spawned = client
        .add_remote_listener("s/e", move |event: &Event<'_>| {
            let (client, tell, n) = (asking.clone(), tell.clone(), event.decode::<u64>().unwrap());
            spawning.lock().unwrap().spawn(async move {
                let answer = client.remote_request("echo", "echo", &n).await.unwrap();
                tell.send(("spawned", answer.parse::<u64>().unwrap())).await.unwrap();
            });
        })
        .await
        .unwrap();

    let signal = sender.signal("e").unwrap();
    for n in 0..COUNT {
        signal.trigger(&n).await.unwrap();
    }
    let mut sums = [0, 0];
    for _ in 0..2 * COUNT {
        let (how, n) = soon("an answer", answers.recv()).await.unwrap();
        sums[usize::from(how == "spawned")] += n;
    }
    assert_eq!(sums, [COUNT * (COUNT - 1) / 2; 2]);
}

#[tokio::test]
async fn w2_requests_and_events_from_inside_handlers() {
    let server = TcpServer::start();
    let (client, other) = (server.client(), server.client());
    let _echo = echo(&client).await;
    let bell = client.add_remote_sender("bell").event("rung").connect().await.unwrap();
    let rung = bell.signal("rung").unwrap();
    let asking = client.clone();
    let _relay = client
        .add_remote_sender("relay")
        .request_async("relay", move |request: Request| {
            let (client, rung) = (asking.clone(), rung.clone());
            async move {
                let n: u64 = request.params()?;
                rung.trigger(&n).await?;
                // Its own client, over the router and back.
                let answer = client.remote_request("echo", "echo", &n).await?;
                Ok(answer.parse::<u64>()?)
            }
        })
        .connect()
        .await
        .unwrap();
    let mut rings = other.listen_remote("bell/rung").await.unwrap();
    for n in 0..200_u64 {
        let answer = soon("an answer", other.remote_request("relay", "relay", &n))
            .await
            .unwrap();
        assert_eq!(answer.parse::<u64>().unwrap(), n);
        assert_eq!(
            soon("a ring", rings.recv())
                .await
                .unwrap()
                .unwrap()
                .decode::<u64>()
                .unwrap(),
            n
        );
    }
}

#[tokio::test]
async fn w2_listening_and_unlistening_from_inside_a_listener() {
    let server = TcpServer::start();
    let (client, publisher) = (server.client(), server.client());
    let sender = publisher
        .add_remote_sender("s")
        .events(["a", "b"])
        .connect()
        .await
        .unwrap();
    let (heard, mut hears) = mpsc::channel(10);
    let (tasks, listening) = (Arc::new(Mutex::new(JoinSet::new())), client.clone());
    let spawning = Arc::clone(&tasks);
    let first = client
        .add_remote_listener("s/a", move |_: &Event<'_>| {
            let (client, heard) = (listening.clone(), heard.clone());
            spawning.lock().unwrap().spawn(async move {
                let mut stream = client.listen_remote("s/b").await.unwrap();
                heard.send(0).await.unwrap();
                let event = stream.recv().await.unwrap().unwrap();
                heard.send(event.decode::<u64>().unwrap()).await.unwrap();
            });
        })
        .await
        .unwrap();
    sender.signal("a").unwrap().trigger(&1).await.unwrap();
    assert_eq!(soon("the second listener", hears.recv()).await, Some(0));
    sender.signal("b").unwrap().trigger(&2).await.unwrap();
    assert_eq!(soon("its event", hears.recv()).await, Some(2));
    soon("unlisten", first.unlisten()).await;
}
