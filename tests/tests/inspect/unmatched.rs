//! Listeners that wait for what nobody sends.

use sig_router::inspect::{ListenerReport, Query, Unmatched};
use sig_router::{Event, Listen, Policy, Router};
use sig_tests::rig::{TcpServer, soon};

use crate::ask;

#[tokio::test]
async fn a_listener_that_nobody_matches_is_told_with_the_reason_and_what_was_perhaps_meant() {
    let router = Router::new();
    let timer = router.add_sender("timer").events(["tic", "#alarm"]).connect().unwrap();
    let cases = [
        ("timer/tic", None, None),
        ("timer/#connect", None, None),
        ("timer", None, None),
        ("*", None, None),
        ("#alarm", None, None),
        ("#connect", None, None),
        ("tiemr/tic", Some(Unmatched::NoSuchSender), Some("timer/tic")),
        ("Timer", Some(Unmatched::NoSuchSender), Some("timer/*")),
        ("clock/tic", Some(Unmatched::NoSuchSender), None),
        ("timer/tick", Some(Unmatched::NotDeclared), Some("timer/tic")),
        ("timer/celsius", Some(Unmatched::NotDeclared), None),
        ("#alarms", Some(Unmatched::NobodyDeclares), Some("#alarm")),
        ("#router", Some(Unmatched::NobodyDeclares), Some("#router/*")),
        ("#router/stat", Some(Unmatched::NotDeclared), None),
    ];
    let _listeners: Vec<_> = cases.iter().map(|(topic, ..)| router.listen(*topic).unwrap()).collect();
    let rows = router.inspect().listeners(&Query::new()).rows;
    assert_eq!(rows.len(), cases.len());
    for (row, (topic, reason, nearest)) in rows.iter().zip(cases) {
        let topic = if topic.contains(['/', '*', '#']) {
            topic.to_owned()
        } else {
            format!("{topic}/*")
        };
        assert_eq!((&row.topic, row.unmatched), (&topic, reason.is_some()));
        assert_eq!((row.reason, row.nearest.as_deref()), (reason, nearest), "{topic}");
    }
    let unmatched = router.inspect().listeners(&Query::new().unmatched());
    assert_eq!(
        unmatched.total,
        cases.iter().filter(|(_, reason, _)| reason.is_some()).count()
    );
    assert!(unmatched.rows.iter().all(|row| row.unmatched));

    // What a listener waits for may come and go.
    let find = || {
        let rows = router.inspect().listeners(&Query::new()).rows;
        let reason = |topic: &str| rows.iter().find(|row| row.topic == topic).unwrap().reason;
        [reason("clock/tic"), reason("timer/tic"), reason("#alarm")]
    };
    let _clock = router.add_sender("clock").event("tic").connect().unwrap();
    assert_eq!(find(), [None; 3]);
    drop(timer);
    assert_eq!(
        find(),
        [None, Some(Unmatched::NoSuchSender), Some(Unmatched::NobodyDeclares)]
    );
}

#[tokio::test]
async fn a_listener_is_told_with_who_it_is_and_what_became_of_its_events() {
    let server = TcpServer::start();
    let client = server.client();
    let sender = server.router.add_sender("s").event("e").connect().unwrap();
    let wanted = Listen::to("s/e").unwrap().policy(Policy::DropOldest(2));
    let mut stream = server.router.listen(wanted).unwrap();
    let _function = server.router.add_listener("s", |_: &Event<'_>| {}).unwrap();
    let latest = Listen::to("s/e").unwrap().policy(Policy::Latest);
    let _remote = soon("listening", client.listen_remote(latest)).await.unwrap();
    for n in 0..5 {
        sender.signal("e").unwrap().try_trigger(&n).unwrap();
    }
    assert!(stream.recv().await.unwrap().is_err());
    stream.recv().await.unwrap().unwrap();

    let rows = ask::<ListenerReport>(&client, "listeners", &Query::new()).await.rows;
    let [stream, function, remote] = &rows[..] else {
        panic!("{rows:?}")
    };
    assert!(stream.id < function.id && function.id < remote.id);
    assert_eq!(
        (&*stream.topic, stream.client, stream.policy),
        ("s/e", None, Policy::DropOldest(2))
    );
    assert!(stream.place.as_ref().unwrap().contains("unmatched.rs:"), "{stream:?}");
    let counts = (
        stream.waiting,
        stream.received,
        stream.lost,
        stream.skipped,
        stream.lagging,
    );
    assert_eq!(counts, (Some(1), Some(1), Some(3), Some(0), Some(false)));
    // A function that is called on the spot has no queue, and nobody counts its calls.
    assert_eq!(
        (&*function.topic, function.client, function.waiting),
        ("s/*", None, None)
    );
    assert!(function.place.is_some() && function.policy == Policy::default());
    let id = server.router.clients()[0].id.get();
    assert_eq!((&*remote.topic, remote.client, &remote.place), ("s/e", Some(id), &None));
    assert_eq!(
        (remote.policy, remote.waiting, remote.unmatched),
        (Policy::Latest, None, false)
    );
}
