//! Random reconnecting, with former links in every state.

use proptest::prelude::*;
use serde_json::json;
use sig_router::EventStream;
use sig_tests::raw::{Raw, control};
use sig_tests::rig::{TcpServer, holds};

use super::support::{add_sender, link_of, presence};

/// What one of two programs does.
#[derive(Debug, Clone, Copy)]
enum Step {
    /// It connects anew. The former link stays as it is, for the server to deal with.
    Connect,
    /// It adds the sender over its newest link.
    Add,
    Remove,
    /// Its newest link ends without a word.
    Cut,
    Goodbye,
}

fn steps() -> impl Strategy<Value = Vec<(bool, Step)>> {
    let step = prop_oneof![
        4 => Just(Step::Connect),
        4 => Just(Step::Add),
        1 => Just(Step::Remove),
        1 => Just(Step::Cut),
        1 => Just(Step::Goodbye),
    ];
    prop::collection::vec((any::<bool>(), step), 1..24)
}

/// What a listener has seen of the sender.
#[derive(Debug, Default)]
struct Seen {
    /// The generation that is connected.
    connected: Option<u64>,
    last: u64,
}

impl Seen {
    async fn next(&mut self, stream: &mut EventStream) {
        let (name, presence) = presence(stream).await;
        match (&*name, self.connected) {
            ("#connect", None) => {
                assert!(presence.generation > self.last, "{presence:?} after {}", self.last);
                self.last = presence.generation;
                self.connected = Some(presence.generation);
            }
            ("#disconnect", Some(generation)) => {
                assert_eq!(presence.generation, generation, "{presence:?}");
                self.connected = None;
            }
            _ => panic!("{name} {presence:?} after {self:?}"),
        }
    }
}

async fn run(steps: Vec<(bool, Step)>) {
    let server = TcpServer::start();
    let mut stream = server.router.listen("s").unwrap();
    let mut seen = Seen::default();
    let mut newest: [Option<Raw>; 2] = [None, None];
    let mut former = Vec::new();
    let mut id = 0;
    for (second, step) in steps {
        let link = &mut newest[usize::from(second)];
        id += 1;
        match (step, link.as_mut()) {
            (Step::Connect, _) => {
                former.extend(link.take());
                *link = Some(link_of(&server.address, if second { "two" } else { "one" }).await);
            }
            (Step::Add, Some(link)) => {
                let reply = add_sender(link, id).await;
                if reply["status"] == 0 {
                    let generation = reply["response"]["generation"].as_u64();
                    while seen.connected != generation {
                        seen.next(&mut stream).await;
                    }
                } else {
                    assert_eq!(reply["code"], "name_taken", "{reply}");
                }
            }
            (Step::Remove, Some(link)) => {
                let reply = link.call(id, "remove_sender", &json!({ "sender": "s" })).await;
                if reply["response"] == true {
                    seen.next(&mut stream).await;
                    while seen.connected.is_some() {
                        seen.next(&mut stream).await;
                    }
                }
            }
            (Step::Cut, Some(_)) => *link = None,
            (Step::Goodbye, Some(link)) => {
                link.send(&control(&json!({ "method": "goodbye", "params": {} }))).await;
                former.extend(newest[usize::from(second)].take());
            }
            (_, None) => {}
        }
    }
    drop((newest, former));
    holds("everybody leaves", || server.router.clients().is_empty()).await;
    while seen.connected.is_some() {
        seen.next(&mut stream).await;
    }
    assert!(server.router.senders().iter().all(|sender| !sender.connected));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]

    #[test]
    fn promise_3_presence_alternates_however_a_program_reconnects(steps in steps()) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(run(steps));
    }
}
