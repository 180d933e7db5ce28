//! Who is meant: W9 and promise 8.

use sig_router::{RequestError, Router, Topic};

use crate::{drain, sender};

#[test]
fn promise_8_a_handle_speaks_for_its_own_sender_only() {
    let router = Router::new();
    let old = sender(&router, "S", &["e"]);
    let signal = old.signal("e").unwrap();
    let mut stream = router.listen("S").unwrap();
    assert!(router.remove_sender("S"));
    let new = sender(&router, "S", &["e"]);
    drop(drain(&mut stream));
    assert!(old.signal("e").is_err() && signal.try_trigger(&()).is_err() && !old.remove());
    assert!(new.is_connected());
    assert!(drain(&mut stream).is_empty());
}

#[test]
fn w9_names_that_begin_alike_never_leak_into_each_other() {
    let names = ["a", "ab", "a.b", "a/b", "A", "a "];
    let router = Router::new();
    let mut streams = Vec::new();
    let channel = |name: &str| format!("#{name}");
    for name in names {
        streams.push((format!("{name} {name}"), router.listen((name, name)).unwrap()));
        streams.push((
            format!("{name} *"),
            router.listen(Topic::sender(name).unwrap()).unwrap(),
        ));
        streams.push((
            format!("* {}", channel(name)),
            router.listen(Topic::channel(channel(name)).unwrap()).unwrap(),
        ));
    }
    let senders = names.map(|name| {
        let events = names.into_iter().map(str::to_owned).chain(names.map(channel));
        router.add_sender(name).events(events).connect().unwrap()
    });
    streams.iter_mut().for_each(|(_, stream)| drop(drain(stream)));

    for sender in &senders {
        for event in names.into_iter().map(str::to_owned).chain(names.map(channel)) {
            sender.signal(&event).unwrap().try_trigger(&()).unwrap();
            let mut heard = Vec::new();
            for (topic, stream) in &mut streams {
                if !drain(stream).is_empty() {
                    heard.push(topic.clone());
                }
            }
            let mut expected = vec![format!("{} *", sender.name())];
            if event == sender.name().as_str() {
                expected.push(format!("{event} {event}"));
            }
            if event.starts_with('#') {
                expected.push(format!("* {event}"));
            }
            heard.sort();
            expected.sort();
            assert_eq!(heard, expected, "{}/{event}", sender.name());
        }
    }
}

#[tokio::test]
async fn w9_requests_go_to_the_sender_of_exactly_that_name() {
    let router = Router::new();
    let _senders = ["a", "ab", "a.b"].map(|name| {
        router
            .add_sender(name)
            .request(name, move |_| Ok(name))
            .connect()
            .unwrap()
    });
    for sender in ["a", "ab", "a.b"] {
        for method in ["a", "ab", "a.b"] {
            let answer = router.request(sender, method, &()).await;
            assert_eq!(
                answer.ok().map(|answer| answer.parse::<String>().unwrap()).as_deref(),
                (sender == method).then_some(method)
            );
        }
    }
    assert!(matches!(
        router.request("a.", "a", &()).await,
        Err(RequestError::NoSuchSender { .. })
    ));
}

#[test]
fn promise_10_names_that_nobody_uses_any_more_are_forgotten() {
    let router = Router::new();
    let _all = router.listen("S").unwrap();
    let events = |router: &Router| -> Vec<String> {
        let [info] = router.senders().try_into().unwrap();
        info.events.iter().map(ToString::to_string).collect()
    };
    for round in 0..3 {
        let (old, new) = (format!("#old{round}"), format!("#new{round}"));
        drop(sender(&router, "S", &[&old, "same"]));
        let kept = router.listen(("S", "kept")).unwrap();
        let _source = sender(&router, "S", &[&new, "same"]);
        drop(router.listen(("S", "nothing")).unwrap());
        drop(router.listen(("S", "#nothing")).unwrap());
        drop(router.listen(("S", "same")).unwrap());
        assert_eq!(events(&router), ["#connect", "#disconnect", &new, "kept", "same"]);
        drop(kept);
    }
    let shown = router.to_string();
    assert!(
        !shown.contains("nothing") && !shown.contains("old") && !shown.contains("kept"),
        "{shown}"
    );
}
