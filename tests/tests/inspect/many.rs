//! Answers are bounded, however much there is.

use std::collections::BTreeSet;

use sig_router::inspect::{ClientReport, ListenerReport, Order, Page, Query, SenderReport};
use sig_router::{Event, Router};
use sig_tests::rig::{TcpServer, connected, soon};

use crate::ask;

#[tokio::test]
async fn a_hundred_thousand_listeners_come_page_by_page() {
    const COUNT: usize = 100_000;
    let router = Router::new();
    for n in 0..COUNT {
        let topic = (format!("sender {}", n % 1000), format!("event {}", n % 7));
        let listener = router.add_listener((&*topic.0, &*topic.1), |_: &Event<'_>| {});
        listener.unwrap().detach();
    }
    let ask = |query: Query| -> Page<ListenerReport> { router.inspect().listeners(&query) };
    assert_eq!(router.inspect().info().listeners, COUNT);
    assert_eq!((ask(Query::new()).rows.len(), ask(Query::new()).total), (1000, COUNT));
    assert_eq!(ask(Query::new().limit(usize::MAX)).rows.len(), 10_000);
    assert_eq!(ask(Query::new().limit(0)).rows.len(), 1);

    let (mut ids, mut query, mut pages) = (BTreeSet::new(), Query::new().limit(10_000).unmatched(), 0);
    loop {
        let page = ask(query.clone());
        assert_eq!(page.total, COUNT);
        let before = ids.len();
        ids.extend(page.rows.iter().map(|row| row.id));
        assert_eq!(ids.len() - before, page.rows.len(), "a row came twice");
        pages += 1;
        let Some(next) = page.next else { break };
        query = query.after(next);
    }
    assert_eq!((ids.len(), pages), (COUNT, 10));
}

#[tokio::test]
async fn senders_and_clients_come_page_by_page() {
    let server = TcpServer::start();
    let clients: Vec<_> = (0..5).map(|_| server.client()).collect();
    for client in &clients {
        soon("the link", connected(client)).await;
    }
    let _senders: Vec<_> = (0..25)
        .map(|n| {
            server
                .router
                .add_sender(format!("s{n:02}"))
                .event("e")
                .connect()
                .unwrap()
        })
        .collect();
    let mut names = Vec::new();
    let mut query = Query::new().limit(10);
    loop {
        let page: Page<SenderReport> = ask(&clients[0], "senders", &query).await;
        assert_eq!(page.total, 25);
        names.extend(page.rows.into_iter().map(|row| row.name));
        let Some(next) = page.next else { break };
        query = query.after(next);
    }
    assert_eq!(names, (0..25).map(|n| format!("s{n:02}")).collect::<Vec<_>>());

    let first: Page<ClientReport> = ask(&clients[0], "clients", &Query::new().limit(3)).await;
    let query = Query::new().limit(3).after(first.next.clone().unwrap());
    let second: Page<ClientReport> = ask(&clients[0], "clients", &query).await;
    let ids: Vec<_> = first.rows.iter().chain(&second.rows).map(|row| row.id).collect();
    let known: Vec<_> = server.router.clients().iter().map(|client| client.id.get()).collect();
    assert_eq!((ids, second.next, first.total), (known, None, 5));
}

#[tokio::test]
async fn a_sender_of_very_many_events_does_not_fill_the_answer() {
    let router = Router::new();
    let names = (0..2500).map(|n| format!("e{n:04}"));
    let _big = router.add_sender("big").events(names).connect().unwrap();
    let _small = router.add_sender("small").event("e").connect().unwrap();
    let page = router.inspect().senders(&Query::new());
    assert_eq!(
        (page.rows.len(), page.rows[0].events.len(), page.rows[0].more_events),
        (1, 1000, 1500)
    );
    let page = router.inspect().senders(&Query::new().after(page.next.unwrap()));
    assert_eq!((page.rows.len(), &*page.rows[0].name), (1, "small"));
}

#[tokio::test]
async fn the_listeners_for_which_most_waits_come_first_when_asked() {
    let router = Router::new();
    let sender = router.add_sender("s").events(["a", "b", "c"]).connect().unwrap();
    let _streams = ["s/a", "s/b", "s/c"].map(|topic| router.listen(topic).unwrap());
    for (event, count) in [("a", 1), ("b", 3), ("c", 2)] {
        let signal = sender.signal(event).unwrap();
        (0..count).for_each(|n| signal.try_trigger(&n).unwrap());
    }
    let page = router.inspect().listeners(&Query::new().by(Order::Waiting).limit(2));
    let rows: Vec<_> = page.rows.iter().map(|row| (&*row.topic, row.waiting)).collect();
    assert_eq!(rows, [("s/b", Some(3)), ("s/c", Some(2))]);
    assert_eq!((page.total, page.next), (3, None));
}
