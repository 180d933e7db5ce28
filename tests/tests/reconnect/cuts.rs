//! What was registered comes back after every cut, and only that.

use sig_router::{Event, Presence, Request, SenderState};
use sig_tests::proxy::{Cable, Proxy};
use sig_tests::rig::{TcpServer, becomes, client_of, connected, disconnected, holds, soon};
use tokio::sync::mpsc;

#[tokio::test]
async fn promise_5_senders_and_listeners_come_back_after_every_cut() {
    let server = TcpServer::start();
    let proxy = Proxy::to(&server.address).await;
    let client = client_of(&proxy.address.to_string());
    let other = server.client();
    let sender = client
        .add_remote_sender("s")
        .event("e")
        .request("double", |request: Request| Ok(request.params::<u64>()? * 2))
        .connect()
        .await
        .unwrap();
    let signal = sender.signal("e").unwrap();
    let mut stream = client.listen_remote("other/e").await.unwrap();
    let (heard, mut hears) = mpsc::channel(100);
    let _callback = client
        .add_remote_listener("other", move |event: &Event<'_>| {
            if !event.name().is_presence() {
                heard.try_send(event.number()).unwrap();
            }
        })
        .await
        .unwrap();
    let mut from_client = other.listen_remote("s").await.unwrap();
    let others = other.add_remote_sender("other").event("e").connect().await.unwrap();
    let others = others.signal("e").map(|signal| (signal, others)).unwrap();

    let mut last = 0;
    for round in 1..=20_u64 {
        signal.trigger(&round).await.unwrap();
        let event = soon("its event", from_client.recv()).await.unwrap().unwrap();
        assert_eq!(event.decode::<u64>().unwrap(), round);
        // Numbers go on across cuts.
        assert_eq!(event.number(), round);
        others.0.trigger(&round).await.unwrap();
        assert_eq!(soon("an event", stream.recv()).await.unwrap().unwrap().number(), round);
        assert_eq!(soon("an event", hears.recv()).await, Some(round));
        let answer = soon("an answer", other.remote_request("s", "double", &round))
            .await
            .unwrap();
        assert_eq!(answer.parse::<u64>().unwrap(), 2 * round);

        proxy.set(Cable::Cut);
        soon("the cut is noticed", disconnected(&client)).await;
        becomes(sender.states(), |state| *state == SenderState::Pending).await;
        proxy.set(Cable::Whole);
        soon("it heals", connected(&client)).await;
        assert_eq!(sender.state(), SenderState::Live);
        // Presence alternates, and says that it was the link.
        let event = soon("#disconnect", from_client.recv()).await.unwrap().unwrap();
        let gone: Presence = event.decode().unwrap();
        assert_eq!(event.name().as_str(), "#disconnect");
        assert!(
            matches!(gone.reason.as_deref(), Some("link_lost" | "closed")),
            "{gone:?}"
        );
        let event = soon("#connect", from_client.recv()).await.unwrap().unwrap();
        let back: Presence = event.decode().unwrap();
        assert_eq!(event.name().as_str(), "#connect");
        assert!(back.generation > gone.generation && back.generation > last);
        last = back.generation;
    }
}

#[tokio::test]
async fn promise_5_what_was_given_up_while_offline_does_not_come_back() {
    let server = TcpServer::start();
    let proxy = Proxy::to(&server.address).await;
    let client = client_of(&proxy.address.to_string());
    let mut senders = Vec::new();
    let mut streams = Vec::new();
    for n in 0..50 {
        senders.push(
            client
                .add_remote_sender(format!("s{n}"))
                .event("e")
                .connect()
                .await
                .unwrap(),
        );
        streams.push(client.listen_remote((format!("s{n}").as_str(), "e")).await.unwrap());
    }
    let count = || {
        let clients = server.router.clients();
        clients.first().map(|client| (client.senders, client.listeners))
    };
    assert_eq!(count(), Some((50, 50)));
    proxy.set(Cable::Cut);
    soon("the cut is noticed", disconnected(&client)).await;
    senders.truncate(30);
    streams.truncate(20);
    assert!(
        client.remove_remote_sender("s0").await.is_err(),
        "there is no link to say so over"
    );
    // What is added meanwhile waits for the link.
    let adding = client.add_remote_sender("late").event("e").connect();
    let listening = client.listen_remote("late/e");
    let healing = async {
        proxy.set(Cable::Whole);
        connected(&client).await
    };
    let (late, stream, _) = soon("it heals", async { tokio::join!(adding, listening, healing) }).await;
    let (late, mut stream) = (late.unwrap(), stream.unwrap());
    holds("exactly what is wanted", || count() == Some((30, 21))).await;
    let connected: Vec<_> = server
        .router
        .senders()
        .into_iter()
        .filter(|info| info.connected)
        .collect();
    assert_eq!(connected.len(), 30);
    assert!(connected.iter().all(|info| info.name.as_str() != "s0"));
    late.signal("e").unwrap().trigger(&1).await.unwrap();
    assert_eq!(soon("an event", stream.recv()).await.unwrap().unwrap().number(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_lost_in_a_cut_are_gaps_in_the_numbers_and_never_disorder() {
    const COUNT: u64 = 20_000;
    let server = TcpServer::start();
    let proxy = Proxy::to(&server.address).await;
    let publisher = client_of(&proxy.address.to_string());
    let listener = server.client();
    let sender = publisher.add_remote_sender("s").event("e").connect().await.unwrap();
    let signal = sender.signal("e").unwrap();
    let mut stream = listener.listen_remote("s/e").await.unwrap();
    signal.trigger(&1_u64).await.unwrap();
    assert_eq!(soon("an event", stream.recv()).await.unwrap().unwrap().number(), 1);
    let sending = async {
        for n in 2..=COUNT {
            signal.trigger(&n).await.unwrap();
            if n % 5000 == 2500 {
                proxy.set(Cable::Cut);
                disconnected(&publisher).await;
                proxy.set(Cable::Whole);
            }
        }
    };
    let receiving = async {
        let (mut last, mut received, mut missed) = (1, 1, 0);
        while received + missed < COUNT {
            let event = match soon("an event", stream.recv()).await.unwrap() {
                Ok(event) => event,
                Err(lagged) => {
                    missed += lagged.count();
                    continue;
                }
            };
            assert_eq!(
                event.number(),
                event.decode::<u64>().unwrap(),
                "the number says which it is"
            );
            assert!(event.number() > last, "{} after {last}", event.number());
            received += 1;
            last = event.number();
        }
        (received, missed)
    };
    let ((), (received, missed)) = tokio::join!(sending, receiving);
    assert_eq!(received + missed, COUNT);
    // At least what followed the last cut.
    assert!(received >= COUNT / 8, "{received} received");
}
