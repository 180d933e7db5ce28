//! What the router tells as events.

use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use sig_core::{Batch, Carrier, CarrierError, ClientId, Disconnect, Uplink, async_trait};
use sig_router::inspect::{
    CarrierReport, ClientConnected, ClientDisconnected, Lagging, LinkReport, LinkState, Query, Verdict,
};
use sig_router::{Event, Listen, Policy, ServerRouter};
use sig_tests::rig::{TcpServer, client_of, connected, holds, soon};
use sig_tests::valve::Valve;

use crate::{ask, next, next_remote};

#[tokio::test]
async fn clients_come_and_go_with_a_reason() {
    let server = TcpServer::start();
    let observer = server.client();
    let mut came = soon("listening", observer.listen_remote("#router/client_connected"))
        .await
        .unwrap();
    let mut left = soon("listening", observer.listen_remote("#router/client_disconnected"))
        .await
        .unwrap();
    for reason in ["closed", "kicked"] {
        let client = server.client();
        soon("the link", connected(&client)).await;
        let there: ClientConnected = next_remote(&mut came).await;
        let known = server
            .router
            .clients()
            .into_iter()
            .find(|client| client.id.get() == there.id)
            .unwrap();
        assert_eq!((&*there.carrier, &*there.dialect), ("tcp", "sig/1"));
        assert_eq!(there.address, known.address);
        if reason == "closed" {
            soon("the end", client.close(Duration::from_secs(5))).await;
        } else {
            assert!(server.router.kick(known.id, "out you go"));
            drop(client);
        }
        let gone: ClientDisconnected = next_remote(&mut left).await;
        assert_eq!(
            (gone.id, &*gone.dialect, &*gone.address),
            (there.id, "sig/1", &*known.address)
        );
        assert_eq!(gone.reason, reason);
        assert_eq!(gone.text, if reason == "kicked" { "out you go" } else { "" });
    }
}

#[tokio::test]
async fn carriers_are_told_when_they_change() {
    let server = TcpServer::start();
    let mut states = server.router.listen("#router/carrier").unwrap();
    let (hub, _dialer) = sig_carrier_local::pair();
    let handle = server.router.attach(Arc::new(hub));
    let mut told: CarrierReport = next(&mut states).await;
    while told.name != "local" {
        told = next(&mut states).await;
    }
    assert_eq!((&*told.state, told.error, told.failures), ("running", None, 0));
    handle.stop().await;
    let told: CarrierReport = next(&mut states).await;
    assert_eq!((&*told.name, &*told.state), ("local", "stopped"));
}

/// A carrier that watches two links which nobody is at.
#[derive(Debug)]
struct Watcher;

#[async_trait]
impl Carrier for Watcher {
    fn name(&self) -> &'static str {
        "watcher"
    }

    async fn run(self: Arc<Self>, router: Uplink) -> Result<(), CarrierError> {
        let report = |address: &str, state| LinkReport::new("watcher", address, state);
        router.report(report("b", LinkState::Absent).with_detail("plug it in"));
        router.report(report("a", LinkState::Opening));
        let live = report("b", LinkState::Live).with_device("tty");
        let live = live.with_verdict(Verdict::WrongBaud).with_counter("crc_errors", 7);
        router.report(live);
        router.stopped().await;
        Ok(())
    }

    async fn handle_tx(&self, client: ClientId, _: &mut Batch) -> Result<(), CarrierError> {
        Err(CarrierError::UnknownClient(client))
    }

    fn close_client(&self, _: ClientId, _: &Disconnect) {}
}

#[tokio::test]
async fn links_are_told_when_they_change_and_remembered_until_their_carrier_stops() {
    let server = TcpServer::start();
    let client = server.client();
    let mut told = soon("listening", client.listen_remote("#router/link")).await.unwrap();
    let watcher = server.router.attach(Arc::new(Watcher));
    let mut seen = Vec::new();
    for _ in 0..3 {
        let report: LinkReport = next_remote(&mut told).await;
        seen.push((report.address, report.state, report.detail));
    }
    let row = |address: &str, state, detail: &str| (address.to_owned(), state, detail.to_owned());
    let wanted = [
        row("b", LinkState::Absent, "plug it in"),
        row("a", LinkState::Opening, ""),
        row("b", LinkState::Live, ""),
    ];
    assert_eq!(seen, wanted);

    let links = ask::<LinkReport>(&client, "links", &Query::new()).await.rows;
    let newest: Vec<_> = links.iter().map(|link| (&*link.address, link.state)).collect();
    assert_eq!(newest, [("a", LinkState::Opening), ("b", LinkState::Live)]);
    assert_eq!((links[1].verdict, &*links[1].device), (Some(Verdict::WrongBaud), "tty"));
    assert_eq!((&*links[1].carrier, links[1].counters["crc_errors"]), ("watcher", 7));
    assert_eq!(server.router.inspect().links(), links);

    watcher.stop().await;
    assert_eq!(server.router.inspect().links(), []);
}

#[tokio::test]
async fn a_listener_that_does_not_keep_up_is_told_once_for_each_episode() {
    const PATIENCE: Duration = Duration::from_millis(30);
    let server = TcpServer::start();
    let mut lagging = server.router.listen("#router/lagging").unwrap();
    let sender = server.router.add_sender("s").event("e").connect().unwrap();
    let signal = sender.signal("e").unwrap();
    let slow = Listen::to("s/e").unwrap().capacity(4).policy(Policy::Block(PATIENCE));
    let mut slow = server.router.listen(slow).unwrap();
    for _episode in 0..2 {
        for n in 0..50 {
            signal.trigger(&n).await.unwrap();
        }
        let told: Lagging = next(&mut lagging).await;
        assert_eq!((&*told.sender, told.client), ("s", None));
        assert!(told.place.unwrap().contains("told.rs"));
        let row = server.router.inspect().listeners(&Query::new()).rows;
        let row = row.iter().find(|row| row.topic == "s/e").unwrap();
        assert_eq!((row.lagging, row.waiting), (Some(true), Some(4)));
        // It catches up, and with that the episode ends.
        let mut lost = 0;
        while lost < 46 {
            if let Err(lagged) = soon("an event", slow.recv()).await.unwrap() {
                lost += lagged.count();
            }
        }
        assert!(lagging.is_empty(), "once for each episode");
        assert!(!slow.stats().lagging);
    }
}

#[tokio::test]
async fn a_client_that_does_not_keep_up_is_told_by_its_id() {
    let listener = sig_carrier_tcp::listen("127.0.0.1:0").unwrap();
    let address = listener.medium().local_addr().to_string();
    let valve = Valve::around(listener);
    let server = ServerRouter::new().unwrap();
    server.attach(Arc::clone(&valve) as _);
    let client = client_of(&address);
    let wanted = Listen::to("s/e")
        .unwrap()
        .policy(Policy::Block(Duration::from_millis(300)));
    let _heard = soon("listening", client.listen_remote(wanted)).await.unwrap();
    let mut lagging = server.listen("#router/lagging").unwrap();
    let sender = server.add_sender("s").event("e").connect().unwrap();
    let signal = sender.signal("e").unwrap();
    let row = || server.inspect().clients(&Query::new()).rows.remove(0);
    assert_eq!((row().waiting, row().lagging, row().lost), (0, false, 0));
    valve.close();
    // What the carrier was given and has not sent waits as well.
    let given = row().bytes_out;
    signal.trigger(&0).await.unwrap();
    holds("the carrier has it", || row().bytes_out > given).await;
    assert_eq!((row().waiting, row().events_out), (1, 0));
    // More than a mebibyte may not wait.
    let data = "x".repeat(64 * 1024);
    for _ in 0..40 {
        soon("the trigger", signal.trigger(&data)).await.unwrap();
    }
    let told: Lagging = next(&mut lagging).await;
    assert_eq!((&*told.sender, told.client, told.place), ("s", Some(row().id), None));
    assert!(row().waiting > 10 && row().lagging && row().lost > 0, "{:?}", row());
    let stats = server.inspect().info();
    assert_eq!((stats.waiting, stats.lost), (row().waiting, row().lost));
    valve.let_out(1000);
    holds("it caught up", || !row().lagging && row().waiting == 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_blocks_in_its_function_holds_up_no_other_who_wants_the_news() {
    let server = TcpServer::start();
    let (release, blocked) = sync_channel::<()>(0);
    let blocked = std::sync::Mutex::new(blocked);
    let _blocks = server
        .router
        .add_listener("#router/client_connected", move |_: &Event<'_>| {
            let _ = blocked.lock().unwrap().recv();
        })
        .unwrap();
    let mut came = server.router.listen("#router/client_connected").unwrap();
    let mut clients = Vec::new();
    for _ in 0..5 {
        let client = server.client();
        soon("the link", connected(&client)).await;
        let _: ClientConnected = next(&mut came).await;
        clients.push(client);
    }
    drop(release);
}
