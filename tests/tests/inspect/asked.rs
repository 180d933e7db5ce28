//! Requests to the router itself.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::json;
use sig_core::{Batch, Carrier, CarrierError, ClientId, Disconnect, Uplink, async_trait};
use sig_router::inspect::{CarrierReport, ClientReport, Query, RouterReport, SenderReport};
use sig_router::{CarrierState, Listen, RequestError, Router};
use sig_tests::rig::{TcpServer, becomes, client_over, connected, holds, soon};

use crate::ask;

#[tokio::test]
async fn the_router_answers_over_every_carrier_and_in_its_own_process() {
    let server = TcpServer::start();
    let (hub, dialer) = sig_carrier_local::pair();
    server.router.attach(Arc::new(hub));
    let mut clients = vec![server.client(), client_over(dialer)];
    let directory = tempfile::tempdir().unwrap();
    if cfg!(unix) {
        let socket = directory.path().join("socket");
        let listener = sig_carrier_ipc::listen(socket.to_str().unwrap()).unwrap();
        server.router.attach(Arc::new(listener));
        clients.push(client_over(sig_carrier_ipc::dial(socket.to_str().unwrap()).unwrap()));
    }
    for client in &clients {
        soon("the link", connected(client)).await;
    }
    let _sender = server.router.add_sender("timer").event("tic").connect().unwrap();
    let _listener = server.router.listen("timer/tic").unwrap();

    let here = server.router.inspect().info();
    assert_eq!((here.clients, here.carriers), (clients.len(), clients.len()));
    assert_eq!((here.senders, here.listeners), (1, 1));
    assert_eq!(here.version, env!("CARGO_PKG_VERSION"));
    assert!(!here.router_id.is_empty() && here.epoch > 0);
    let asked = |info: RouterReport| {
        assert_eq!((&info.router_id, info.epoch), (&here.router_id, here.epoch));
        assert_eq!((info.clients, info.senders, info.listeners), (clients.len(), 1, 1));
        assert!(info.uptime_ms >= here.uptime_ms);
    };
    for client in &clients {
        let info = soon("the answer", client.remote_request("#router", "info", &())).await;
        asked(info.unwrap().parse().unwrap());
    }
    asked(
        server
            .router
            .request("#router", "info", &())
            .await
            .unwrap()
            .parse()
            .unwrap(),
    );
    let rows = ask::<CarrierReport>(&clients[0], "carriers", &Query::new()).await.rows;
    let names: Vec<_> = rows.iter().map(|row| (row.id, &*row.name, &*row.state)).collect();
    let expected = [(1, "tcp", "running"), (2, "local", "running"), (3, "ipc", "running")];
    assert_eq!(names, expected[..clients.len()]);
}

#[tokio::test]
async fn a_router_without_links_answers_for_itself() {
    let router = Router::new();
    let client = client_over(sig_carrier_local::pair().1);
    for router in [&router, client.local()] {
        let _sender = router.add_sender("a").event("e").connect().unwrap();
        let info: RouterReport = router.request("#router", "info", &()).await.unwrap().parse().unwrap();
        assert_eq!((info.senders, info.clients, info.carriers), (1, 0, 0));
        let clients = router.request("#router", "clients", &()).await.unwrap();
        assert_eq!(clients.parse::<serde_json::Value>().unwrap()["rows"], json!([]));
    }
}

#[tokio::test]
async fn a_client_is_told_with_what_went_over_its_link() {
    let server = TcpServer::start();
    let (speaker, listener) = (server.client(), server.client());
    let sender = soon("the sender", speaker.add_remote_sender("s").event("e").connect())
        .await
        .unwrap();
    let mut heard = soon("listening", listener.listen_remote("s/e")).await.unwrap();
    let _other = soon("listening", listener.listen_remote("other")).await.unwrap();
    let signal = sender.signal("e").unwrap();
    for n in 0..10 {
        signal.trigger(&n).await.unwrap();
        soon("the event", heard.recv()).await.unwrap().unwrap();
    }

    // What was sent is counted when the carrier has said so.
    let mut rows = Vec::new();
    while rows.iter().map(|row: &ClientReport| row.events_out).sum::<u64>() < 10 {
        rows = ask::<ClientReport>(&listener, "clients", &Query::new()).await.rows;
    }
    let [from, to] = &rows[..] else { panic!("{rows:?}") };
    let (from, to) = if from.senders == 1 { (from, to) } else { (to, from) };
    assert_eq!(
        (from.events_in, from.events_out, from.senders, from.listeners),
        (10, 0, 1, 0)
    );
    assert_eq!((to.events_in, to.events_out, to.senders, to.listeners), (0, 10, 0, 2));
    assert!(from.bytes_in >= 10 * 19 && to.bytes_out >= 10 * 19, "{rows:?}");
    let now = u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap();
    for row in &rows {
        assert_eq!(
            (&*row.carrier, &*row.dialect, row.heartbeat_ms),
            ("tcp", "sig/1", 15_000)
        );
        assert!(row.address.contains("127.0.0.1"), "{row:?}");
        assert_eq!((row.waiting, row.lost, row.skipped, row.lagging), (0, 0, 0, false));
        assert!(
            row.since <= now && now - row.since < 60_000 && row.silent_ms <= row.age_ms,
            "{row:?}"
        );
    }
    assert!(server.router.clients().iter().any(|client| client.id.get() == from.id));
    let info = server.router.inspect().info();
    assert_eq!((info.events_in, info.events_out), (10, 10));

    // Who left still counts in the whole.
    speaker.close(Duration::from_secs(5)).await;
    holds("it left", || server.router.clients().len() == 1).await;
    let info = server.router.inspect().info();
    assert_eq!((info.clients, info.events_in, info.events_out), (1, 10, 10));
}

/// A carrier that always fails.
#[derive(Debug)]
struct Failing;

#[async_trait]
impl Carrier for Failing {
    fn name(&self) -> &'static str {
        "failing"
    }

    async fn run(self: Arc<Self>, _: Uplink) -> Result<(), CarrierError> {
        Err(CarrierError::Other("the cable is out".to_owned()))
    }

    async fn handle_tx(&self, client: ClientId, _: &mut Batch) -> Result<(), CarrierError> {
        Err(CarrierError::UnknownClient(client))
    }

    fn close_client(&self, _: ClientId, _: &Disconnect) {}
}

#[tokio::test]
async fn a_carrier_that_fails_is_told_with_the_reason_until_it_is_stopped() {
    let server = TcpServer::start();
    let failing = server.router.attach(Arc::new(Failing));
    becomes(failing.states(), |state| {
        matches!(state, CarrierState::Restarting { .. })
    })
    .await;
    let client = server.client();
    let rows = ask::<CarrierReport>(&client, "carriers", &Query::new()).await.rows;
    assert_eq!((rows.len(), &*rows[1].name), (2, "failing"));
    assert_eq!(rows[1].error.as_deref(), Some("the cable is out"));
    assert!(rows[1].failures >= 1, "{rows:?}");
    assert_eq!(rows[1].retry_ms.is_some(), rows[1].state == "restarting", "{rows:?}");
    assert_eq!(
        (&*rows[0].state, rows[0].failures, &rows[0].error),
        ("running", 0, &None)
    );

    failing.stop().await;
    let rows = server.router.inspect().carriers();
    assert_eq!((rows.len(), &*rows[0].name), (1, "tcp"));
}

#[tokio::test]
async fn a_sender_is_told_with_its_owner_and_its_events() {
    let server = TcpServer::start();
    let client = server.client();
    let _remote = soon(
        "the sender",
        client
            .add_remote_sender("remote")
            .event("#c")
            .request("add", |_| Ok(1))
            .connect(),
    )
    .await
    .unwrap();
    let local = server
        .router
        .add_sender("local")
        .event("e")
        .event("other")
        .connect()
        .unwrap();
    for n in 0..3 {
        local.signal("e").unwrap().try_trigger(&n).unwrap();
    }
    let _listeners = ["local/e", "local/e", "local", "*", "local/undeclared", "later/x", "#c"]
        .map(|topic| server.router.listen(topic).unwrap());

    let page = ask::<SenderReport>(&client, "senders", &Query::new()).await;
    let names: Vec<_> = page
        .rows
        .iter()
        .map(|row| (&*row.name, row.connected, row.listeners))
        .collect();
    assert_eq!(names, [("later", false, 1), ("local", true, 4), ("remote", true, 0)]);
    assert_eq!((page.total, page.next), (3, None));
    let [later, local, remote] = &page.rows[..] else {
        panic!()
    };
    let events = |row: &SenderReport| -> Vec<_> {
        let row = row.events.iter();
        row.map(|event| (event.event.clone(), event.declared, event.number, event.listeners))
            .collect()
    };
    let event = |name: &str, declared, number, listeners| (name.to_owned(), declared, number, listeners);
    assert_eq!(events(later), [event("x", false, 0, 2)]);
    assert_eq!(
        events(local),
        [
            event("e", true, 3, 4),
            event("other", true, 0, 2),
            event("undeclared", false, 0, 3)
        ]
    );
    assert_eq!(events(remote), [event("#c", true, 0, 2)]);
    assert_eq!((local.client, &*local.carrier, &local.requests), (None, "local", &None));
    let id = server.router.clients()[0].id.get();
    let requests = Some(vec![Some("add".to_owned())]);
    assert_eq!(
        (remote.client, &*remote.carrier, &remote.requests),
        (Some(id), "tcp", &requests)
    );
    assert_ne!(local.generation, remote.generation);
    assert!(!local.held_up && (later.client, later.generation) == (None, 0));

    let own = ask::<SenderReport>(&client, "senders", &Query::new().with_router()).await;
    assert_eq!((own.total, &*own.rows[0].name), (4, "#router"));
    let answers = own.rows[0].requests.as_ref().unwrap();
    for method in ["info", "clients", "carriers", "links", "senders", "listeners"] {
        assert!(answers.contains(&Some(method.to_owned())), "{answers:?}");
    }
}

#[tokio::test]
async fn a_sender_that_has_to_wait_is_told_to_be_held_up() {
    let router = Router::new();
    let sender = router.add_sender("s").event("e").connect().unwrap();
    let _full = router.listen(Listen::to("s/e").unwrap().capacity(2)).unwrap();
    let signal = sender.signal("e").unwrap();
    let held_up = || router.inspect().senders(&Query::new()).rows[0].held_up;
    assert!(!held_up());
    (0..2).for_each(|n| signal.try_trigger(&n).unwrap());
    assert!(held_up());
}

#[tokio::test]
async fn a_question_that_cannot_be_read_is_refused_with_what_is_wanted() {
    let router = Router::new();
    for wrong in [json!({ "limit": "many" }), json!("all"), json!({ "by": "colour" })] {
        let error = router.request("#router", "listeners", &wrong).await.unwrap_err();
        let RequestError::HandlerFailed { code, text } = &error else {
            panic!("{error:?}")
        };
        assert_eq!(code.as_deref(), Some("invalid_params"));
        assert!(text.contains("listeners") && text.contains("limit"), "{text}");
    }
    let error = router.request("#router", "nonsense", &()).await.unwrap_err();
    assert!(matches!(error, RequestError::NoSuchMethod { .. }), "{error:?}");
}
