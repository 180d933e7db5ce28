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
    }
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
    assert_eq!(ledger.add_listener(&topic("s/e")), Subscription { id: 1, first: true });
    assert_eq!(ledger.add_listener(&topic("s/e")), Subscription { id: 1, first: false });
    assert_eq!(ledger.add_listener(&topic("s")), Subscription { id: 2, first: true });
    assert_eq!(ledger.remove_listener(&topic("s/e")), None);
    assert_eq!(ledger.remove_listener(&topic("s/e")), Some(1));
    assert_eq!(ledger.remove_listener(&topic("s/e")), None);
    assert_eq!(
        ledger.add_listener(&topic("s/e")),
        Subscription { id: 3, first: true },
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
    ledger.add_listener(&topic("*"));
    ledger.add_sender(want("a")).unwrap();
    ledger.add_listener(&topic("a/e"));
    ledger.add_listener(&topic("*"));
    assert!(ledger.set_sender_state(&name("a"), taken()));
    assert!(ledger.set_sender_state(&name("b"), WantState::Live));
    assert!(ledger.set_listener_state(2, WantState::Live));
    assert_eq!((ledger.pending(), ledger.refused()), (1, vec![name("a")]));

    let expected = [
        Want::Listener {
            id: 2,
            topic: topic("*"),
        },
        Want::Listener {
            id: 4,
            topic: topic("a/e"),
        },
        Want::Sender(want("b")),
        Want::Sender(want("a")),
    ];
    assert_eq!(ledger.replay(), expected);
    assert_eq!((ledger.pending(), ledger.refused()), (4, vec![]));
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

    fn replay(&self) -> Vec<Want> {
        let listeners = self.subscriptions().into_iter().map(|(topic, id, _)| Want::Listener {
            id: *id,
            topic: topic.clone(),
        });
        let senders = self.senders.iter().map(|(name, _)| Want::Sender(want(name.as_str())));
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
                    let subscription = ledger.add_listener(topic);
                    match known {
                        Some(known) => {
                            prop_assert_eq!(subscription, Subscription { id: known.1, first: false });
                            model.listeners.push(known);
                        }
                        None => {
                            prop_assert!(subscription.first && subscription.id > last_id);
                            last_id = subscription.id;
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
                    prop_assert_eq!(ledger.remove_listener(topic), expected);
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
                    prop_assert_eq!(ledger.replay(), model.replay());
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
        prop_assert_eq!(ledger.replay(), model.replay());
    }
}
