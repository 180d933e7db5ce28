//! Senders behind links: who owns them, and where their events are heard.

use std::collections::{BTreeMap, BTreeSet};
use std::panic;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::FutureExt as _;
use sig_core::{ClientId, EventName, Payload, Reason, SenderName, Tasks};
use tokio::task::yield_now;

use super::drain;
use crate::hub::senders::RemoveError;
use crate::hub::{EventRecord, Hub, NewSender, Owner};
use crate::request::Requests;
use crate::{Event, Router};

struct Linked {
    hub: Arc<Hub>,
    router: Router,
    tasks: Tasks,
    owner: Owner,
    event: Arc<EventRecord>,
}

/// A router with the sender `S` of a client, and its event `e`.
fn linked() -> Linked {
    let tasks = Tasks::new().unwrap();
    let hub = Hub::new(Some(tasks.clone()));
    let owner = Owner::Client(ClientId::next());
    let (name, event) = (SenderName::new("S").unwrap(), EventName::new("e").unwrap());
    let new = NewSender {
        name: name.clone(),
        events: BTreeSet::from([event.clone()]),
        requests: Requests::default(),
        owner,
        carrier: "test",
        uplink: None,
        keep_last: BTreeSet::new(),
        series: 1,
        numbers: BTreeMap::new(),
    };
    hub.add_sender(new).unwrap();
    Linked {
        router: Router::with_hub(Arc::clone(&hub)),
        event: hub.event(&name, &event),
        hub,
        tasks,
        owner,
    }
}

impl Linked {
    /// What the owner says of its sender when it declares more.
    fn more(&self, event: &str, owner: Owner) -> NewSender {
        NewSender {
            name: SenderName::new("S").unwrap(),
            events: BTreeSet::from([EventName::new(event).unwrap()]),
            requests: Requests::default(),
            owner,
            carrier: "test",
            uplink: None,
            keep_last: BTreeSet::new(),
            series: 1,
            numbers: BTreeMap::new(),
        }
    }

    fn publish(&self, value: i32) -> bool {
        self.hub
            .publish(&self.event, self.owner, &Payload::json(&value).unwrap(), None)
    }
}

#[tokio::test]
async fn promise_3_a_sender_that_declares_more_is_still_the_same_sender() {
    let linked = linked();
    let Linked { hub, router, owner, .. } = &linked;
    let names = |event: &Event<'_>| {
        let presence: crate::Presence = event.decode().unwrap();
        let names = presence.events.iter().map(ToString::to_string).collect::<Vec<_>>();
        (names.join(" "), presence.generation)
    };
    let next = |stream: &mut crate::EventStream| {
        stream
            .recv()
            .now_or_never()
            .flatten()
            .unwrap()
            .unwrap()
            .into_owned()
            .unwrap()
    };
    let (mut before, mut waiting) = (router.listen("S/#connect").unwrap(), router.listen("S/late").unwrap());
    assert_eq!(names(&next(&mut before)), ("e #connect #disconnect".to_owned(), 1));

    hub.add_events(&linked.more("late", *owner), 1).unwrap();
    let late = hub.event(&SenderName::new("S").unwrap(), &EventName::new("late").unwrap());
    assert!(hub.publish(&late, *owner, &Payload::null(), None));
    // Who waited for it hears it, from its first on; nobody is told that anybody came.
    assert_eq!(drain(&mut waiting), [Ok(1)]);
    assert_eq!(drain(&mut before), []);
    // Who comes now is told of all that it has.
    let mut after = router.listen("S/#connect").unwrap();
    assert_eq!(names(&next(&mut after)), ("e late #connect #disconnect".to_owned(), 1));

    // Again it changes nothing, and what is no event of its own is refused.
    hub.add_events(&linked.more("late", *owner), 1).unwrap();
    assert!(hub.publish(&late, *owner, &Payload::null(), None));
    assert_eq!(drain(&mut waiting), [Ok(2)]);
    let strangers = [
        (linked.more("x", Owner::Local), 1),
        (linked.more("x", *owner), 2),
        (linked.more("#connect", *owner), 1),
    ];
    for (more, generation) in strangers {
        assert!(hub.add_events(&more, generation).is_err());
    }
    assert!(!hub.may_emit(&SenderName::new("S").unwrap(), &EventName::new("x").unwrap()));
    hub.remove_sender("S", None, None, Reason::Removed).unwrap();
    assert!(hub.add_events(&linked.more("x", *owner), 1).is_err());
}

#[tokio::test]
async fn promise_8_only_the_owner_may_signal_or_remove() {
    let linked = linked();
    let Linked {
        hub,
        router,
        owner,
        event,
        ..
    } = &linked;
    let mut stream = router.listen("S").unwrap();
    let payload = Payload::null();
    for stranger in [Owner::Local, Owner::Client(ClientId::next())] {
        assert!(!hub.publish(event, stranger, &payload, None));
        let removed = hub.remove_sender("S", Some(stranger), None, Reason::Removed);
        assert_eq!(removed, Err(RemoveError::NotOwner));
    }
    assert!(!router.remove_sender("S"), "this program is a stranger too");
    assert_eq!(drain(&mut stream), []);

    assert!(hub.publish(event, *owner, &payload, None));
    assert_eq!(hub.remove_sender("S", Some(*owner), None, Reason::LinkLost), Ok(()));
    assert_eq!(drain(&mut stream), [Ok(1), Ok(1)]);
    assert!(!hub.publish(event, *owner, &payload, None));
}

#[tokio::test]
async fn promise_7_events_from_links_are_heard_on_a_task_of_the_listeners_own() {
    let linked = linked();
    let heard = Arc::new(Mutex::new(Vec::new()));
    let listen = |name: &'static str, panics: bool| {
        let heard = Arc::clone(&heard);
        linked.router.add_listener("S/e", move |event: &Event<'_>| {
            heard
                .lock()
                .unwrap()
                .push((name, event.decode::<i32>().unwrap(), event.number()));
            if panics {
                panic::resume_unwind(Box::new("on purpose"));
            }
        })
    };
    let guards = [listen("bad", true).unwrap(), listen("good", false).unwrap()];
    let tasks = linked.tasks.count();
    assert!(linked.publish(10) && linked.publish(20));
    assert_eq!(*heard.lock().unwrap(), [], "not on the task that reads the link");
    assert_eq!(linked.tasks.count(), tasks + 2);
    while heard.lock().unwrap().len() < 4 {
        yield_now().await;
    }
    let of = |wanted| {
        heard
            .lock()
            .unwrap()
            .iter()
            .filter(|(name, ..)| *name == wanted)
            .map(|(_, v, n)| (*v, *n))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        (of("bad"), of("good")),
        (vec![(10, 1), (20, 2)], vec![(10, 1), (20, 2)])
    );

    // With the guards go the tasks, and what waited for them is not heard any more.
    heard.lock().unwrap().clear();
    linked.publish(30);
    drop(guards);
    while linked.tasks.count() > tasks {
        yield_now().await;
    }
    assert_eq!(*heard.lock().unwrap(), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn promise_9_unlisten_waits_for_a_call_on_that_task() {
    let linked = linked();
    let (entered, mut inside) = tokio::sync::mpsc::channel(1);
    let (leave, may_leave) = std::sync::mpsc::sync_channel(1);
    let may_leave = Mutex::new(may_leave);
    let guard = linked
        .router
        .add_listener("S/e", move |_: &Event<'_>| {
            entered.try_send(()).unwrap();
            may_leave.lock().unwrap().recv().unwrap();
        })
        .unwrap();
    linked.publish(1);
    linked.publish(2);
    inside.recv().await.unwrap();
    let mut unlisten = Box::pin(guard.unlisten());
    assert!((&mut unlisten).now_or_never().is_none());
    leave.send(()).unwrap();
    unlisten.await;
    // The second event was given up: the function, and with it the channel, is gone.
    assert_eq!(inside.recv().await, None);
}

#[tokio::test]
async fn presence_of_a_linked_sender_keeps_its_place() {
    let linked = linked();
    let heard = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&heard);
    let _listener = linked
        .router
        .add_listener("S", move |event: &Event<'_>| {
            sink.lock().unwrap().push(event.name().to_string())
        })
        .unwrap();
    linked.publish(1);
    linked.hub.remove_sender("S", None, None, Reason::LinkLost).unwrap();
    while heard.lock().unwrap().len() < 2 {
        yield_now().await;
    }
    assert_eq!(*heard.lock().unwrap(), ["e", "#disconnect"]);
    assert_eq!(linked.tasks.shutdown(Duration::from_secs(5)).await, 0);
}
