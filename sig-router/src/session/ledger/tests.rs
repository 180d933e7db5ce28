use proptest::prelude::*;

use super::*;

fn name(name: &str) -> SenderName {
    SenderName::new(name).unwrap()
}

fn want(sender: &str) -> AddSender {
    AddSender {
        sender: name(sender),
        events: Vec::new(),
        requests: None,
        keep_last: Vec::new(),
        series: None,
        numbers: BTreeMap::new(),
    }
}

const PLAIN: Wish = Wish {
    policy: Policy::Block(std::time::Duration::from_secs(5)),
    snapshot: true,
};

fn wish(policy: Policy) -> Wish {
    Wish { policy, ..PLAIN }
}

/// The id of a subscription that the router has to be told of.
fn told(change: (u64, Change)) -> Option<u64> {
    match change.1 {
        Change::Listen(want) => want.listener_id,
        Change::None | Change::Unlisten(_) => None,
    }
}

/// What is replayed, in short: id and topic, or the sender.
fn brief(wants: Vec<Want>) -> Vec<(Option<u64>, String)> {
    let brief = |want| match want {
        Want::Listener(topic, want) => (want.listener_id, topic.to_string()),
        Want::Sender(want) => (None, want.sender.to_string()),
    };
    wants.into_iter().map(brief).collect()
}

fn topic(text: &str) -> Topic {
    text.parse().unwrap()
}

fn taken() -> WantState {
    WantState::Refused {
        text: "taken".to_owned(),
    }
}

#[test]
fn a_name_is_there_once() {
    let mut ledger = Ledger::new();
    let first = AddSender {
        requests: Some(vec![None]),
        ..want("s")
    };
    assert_eq!(ledger.add_sender(first.clone()), Ok(()));
    let again = ledger.add_sender(want("s"));
    assert_eq!(
        again.unwrap_err().to_string(),
        "this client has a remote sender \"s\" already; remove that one first, or choose another name"
    );
    assert_eq!(ledger.sender(&name("s")), Some(&first));
    assert!(ledger.remove_sender(&name("s")));
    assert!(!ledger.remove_sender(&name("s")));
    assert_eq!(ledger.sender_state(&name("s")), None);
    assert!(
        !ledger.set_sender_state(&name("s"), WantState::Live),
        "an answer that comes too late"
    );
}

#[test]
fn listeners_of_a_topic_share_a_subscription() {
    let mut ledger = Ledger::new();
    assert_eq!(told(ledger.add_listener(&topic("s/e"), PLAIN)), Some(1));
    assert_eq!(ledger.add_listener(&topic("s/e"), PLAIN), (1, Change::None));
    assert_eq!(told(ledger.add_listener(&topic("s"), PLAIN)), Some(2));
    assert_eq!(ledger.remove_listener(&topic("s/e"), PLAIN), Change::None);
    assert_eq!(ledger.remove_listener(&topic("s/e"), PLAIN), Change::Unlisten(1));
    assert_eq!(ledger.remove_listener(&topic("s/e"), PLAIN), Change::None);
    assert_eq!(
        told(ledger.add_listener(&topic("s/e"), PLAIN)),
        Some(3),
        "ids are not used again"
    );
    assert!(
        !ledger.set_listener_state(1, WantState::Live),
        "an answer that comes too late"
    );
    assert_eq!(ledger.listener_state(3), Some(&WantState::Pending));
}

#[test]
fn t1_a_replay_brings_all_back_listeners_first() {
    let mut ledger = Ledger::new();
    ledger.add_sender(want("b")).unwrap();
    ledger.add_listener(&topic("*"), PLAIN);
    ledger.add_sender(want("a")).unwrap();
    ledger.add_listener(&topic("a/e"), PLAIN);
    ledger.add_listener(&topic("*"), PLAIN);
    assert!(ledger.set_sender_state(&name("a"), taken()));
    assert!(ledger.set_sender_state(&name("b"), WantState::Live));
    assert!(ledger.set_listener_state(2, WantState::Live));
    assert_eq!((ledger.pending(), ledger.refused()), (1, vec![name("a")]));

    let known = |want: &Want| matches!(want, Want::Listener(_, want) if want.again);
    assert_eq!(
        ledger.replay().iter().filter(|want| known(want)).count(),
        0,
        "the first link"
    );
    ledger.offline();
    ledger.add_listener(&topic("b/e"), PLAIN);
    let replayed = ledger.replay();
    assert_eq!(
        replayed.iter().map(known).collect::<Vec<_>>(),
        [true, true, false, false, false]
    );
    let expected = [
        (Some(2), "*"),
        (Some(4), "a/e"),
        (Some(5), "b/e"),
        (None, "b"),
        (None, "a"),
    ];
    assert_eq!(brief(replayed), expected.map(|(id, text)| (id, text.to_owned())));
    assert_eq!((ledger.pending(), ledger.refused()), (5, vec![]));
}

#[test]
fn promise_6_a_subscription_has_the_least_restrictive_policy_of_its_listeners() {
    let mut ledger = Ledger::new();
    let policy = |change: Change| match change {
        Change::Listen(want) => want.policy.map_or_else(Policy::default, Policy::from),
        Change::None | Change::Unlisten(_) => panic!("the router was not told"),
    };
    let topic = topic("s/e");
    let (rate, latest) = (wish(Policy::Rate(20.0)), wish(Policy::Latest));
    assert_eq!(policy(ledger.add_listener(&topic, rate).1), rate.policy);
    assert_eq!(policy(ledger.add_listener(&topic, latest).1), latest.policy);
    assert_eq!(policy(ledger.add_listener(&topic, PLAIN).1), PLAIN.policy);
    assert_eq!(ledger.add_listener(&topic, rate).1, Change::None);
    assert_eq!(ledger.remove_listener(&topic, latest), Change::None);
    assert_eq!(policy(ledger.remove_listener(&topic, PLAIN)), rate.policy);
    assert_eq!(ledger.remove_listener(&topic, rate), Change::None);
    assert_eq!(ledger.remove_listener(&topic, rate), Change::Unlisten(1));
}

#[test]
fn promise_3_who_listens_again_learns_again_who_is_there() {
    let snapshot = |ledger: &mut Ledger, topic: &str| {
        let replayed = ledger.replay().into_iter().find_map(|want| match want {
            Want::Listener(wanted, want) if wanted.to_string() == topic => Some(want.snapshot),
            _ => None,
        });
        replayed.unwrap()
    };
    let mut ledger = Ledger::new();
    let topics = ["*", "#connect", "s/#connect", "s/*", "s/e", "#disconnect"];
    let ids = topics.map(|text| ledger.add_listener(&topic(text), PLAIN).0);
    assert_eq!(
        topics.map(|topic| snapshot(&mut ledger, topic)),
        [false, true, true, false, false, true]
    );
    // Whether the router had answered or not: they may have been told with what came for others.
    ledger.set_listener_state(ids[0], WantState::Live);
    ledger.offline();
    assert_eq!(
        topics.map(|topic| snapshot(&mut ledger, topic)),
        [true, true, true, true, false, true]
    );
}

#[derive(Debug, Clone)]
enum Step {
    AddSender(u8),
    RemoveSender(u8),
    AnswerSender(u8, bool),
    AddListener(u8),
    RemoveListener(u8),
    AnswerListener(u64, bool),
    Offline,
    Replay,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let few = || 0u8..5;
    let step = prop_oneof![
        4 => few().prop_map(Step::AddSender),
        2 => few().prop_map(Step::RemoveSender),
        4 => (few(), any::<bool>()).prop_map(|(which, live)| Step::AnswerSender(which, live)),
        4 => few().prop_map(Step::AddListener),
        4 => few().prop_map(Step::RemoveListener),
        4 => (0u64..30, any::<bool>()).prop_map(|(id, live)| Step::AnswerListener(id, live)),
        1 => Just(Step::Offline),
        1 => Just(Step::Replay),
    ];
    prop::collection::vec(step, 0..150)
}

/// The ledger as plain lists: senders with state, listeners with topic, id and state, one entry each.
#[derive(Default)]
struct Model {
    senders: Vec<(SenderName, WantState)>,
    listeners: Vec<(Topic, u64, WantState)>,
}

impl Model {
    fn offline(&mut self) {
        self.senders.iter_mut().for_each(|sender| sender.1 = WantState::Pending);
        self.listeners
            .iter_mut()
            .for_each(|listener| listener.2 = WantState::Pending);
    }

    /// One listener of each subscription, in the order of ids.
    fn subscriptions(&self) -> Vec<&(Topic, u64, WantState)> {
        let mut listeners: Vec<_> = self.listeners.iter().collect();
        listeners.sort_by_key(|listener| listener.1);
        listeners.dedup_by_key(|listener| listener.1);
        listeners
    }

    fn replay(&self) -> Vec<(Option<u64>, String)> {
        let subscriptions = self.subscriptions().into_iter();
        let listeners = subscriptions.map(|(topic, id, _)| (Some(*id), topic.to_string()));
        let senders = self.senders.iter().map(|(name, _)| (None, name.to_string()));
        listeners.chain(senders).collect()
    }
}

proptest! {
    #[test]
    fn behaves_like_lists(steps in steps()) {
        let (mut ledger, mut model) = (Ledger::new(), Model::default());
        let topics = ["*", "s", "s/e", "#c", "t"].map(topic);
        let state = |live| if live { WantState::Live } else { taken() };
        let mut last_id = 0;
        for step in steps {
            match step {
                Step::AddSender(which) => {
                    let name = name(&which.to_string());
                    let known = model.senders.iter().any(|sender| sender.0 == name);
                    prop_assert_eq!(ledger.add_sender(want(name.as_str())).is_err(), known);
                    if !known {
                        model.senders.push((name, WantState::Pending));
                    }
                }
                Step::RemoveSender(which) => {
                    let name = name(&which.to_string());
                    let known = model.senders.iter().any(|sender| sender.0 == name);
                    model.senders.retain(|sender| sender.0 != name);
                    prop_assert_eq!(ledger.remove_sender(&name), known);
                }
                Step::AnswerSender(which, live) => {
                    let name = name(&which.to_string());
                    let known = model.senders.iter_mut().find(|sender| sender.0 == name);
                    prop_assert_eq!(ledger.set_sender_state(&name, state(live)), known.is_some());
                    known.into_iter().for_each(|sender| sender.1 = state(live));
                }
                Step::AddListener(which) => {
                    let topic = &topics[usize::from(which)];
                    let known = model.listeners.iter().find(|listener| listener.0 == *topic).cloned();
                    let (id, change) = ledger.add_listener(topic, PLAIN);
                    match known {
                        Some(known) => {
                            prop_assert_eq!((id, change), (known.1, Change::None));
                            model.listeners.push(known);
                        }
                        None => {
                            prop_assert!(told((id, change)) == Some(id) && id > last_id);
                            last_id = id;
                            model.listeners.push((topic.clone(), last_id, WantState::Pending));
                        }
                    }
                }
                Step::RemoveListener(which) => {
                    let topic = &topics[usize::from(which)];
                    let position = model.listeners.iter().position(|listener| listener.0 == *topic);
                    let removed = position.map(|position| model.listeners.remove(position));
                    let others = model.listeners.iter().any(|listener| listener.0 == *topic);
                    let expected = removed.filter(|_| !others).map(|removed| removed.1);
                    let expected = expected.map_or(Change::None, Change::Unlisten);
                    prop_assert_eq!(ledger.remove_listener(topic, PLAIN), expected);
                }
                Step::AnswerListener(id, live) => {
                    let known = model.listeners.iter().any(|listener| listener.1 == id);
                    prop_assert_eq!(ledger.set_listener_state(id, state(live)), known);
                    let listeners = model.listeners.iter_mut().filter(|listener| listener.1 == id);
                    listeners.for_each(|listener| listener.2 = state(live));
                }
                Step::Offline => {
                    ledger.offline();
                    model.offline();
                }
                Step::Replay => {
                    model.offline();
                    prop_assert_eq!(brief(ledger.replay()), model.replay());
                }
            }
            for (name, state) in &model.senders {
                prop_assert_eq!(ledger.sender_state(name), Some(state));
            }
            for (_, id, state) in &model.listeners {
                prop_assert_eq!(ledger.listener_state(*id), Some(state));
            }
            let pending_listeners = model.subscriptions().into_iter().filter(|it| it.2 == WantState::Pending).count();
            let pending_senders = model.senders.iter().filter(|it| it.1 == WantState::Pending).count();
            prop_assert_eq!(ledger.pending(), pending_listeners + pending_senders);
            let refused = model.senders.iter().filter(|it| it.1 == taken()).map(|it| it.0.clone());
            prop_assert_eq!(ledger.refused(), refused.collect::<Vec<_>>());
        }
        prop_assert_eq!(brief(ledger.replay()), model.replay());
    }
}
