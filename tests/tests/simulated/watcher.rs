//! A listener that looks whether it may be told what it is told.

use std::collections::BTreeMap;

use futures::FutureExt as _;
use sig_router::{
    ClientRouter, Event, EventStream, Lagged, Listen, ListenError, ListenerStats, Policy, RemoteEventStream,
    ServerRouter,
};
use tokio::task::JoinHandle;

use crate::told::{Hears, Told};

/// Most that may wait for a listener: what its queue holds, and what senders were granted before it was full.
const MOST_WAITING: usize = 16 * 1024;

/// Most changes of presence that wait for a listener, whatever its policy.
const PRESENCE: usize = 256 + 64;

#[derive(Debug)]
enum Stream {
    Here(EventStream),
    There(RemoteEventStream),
}

impl Stream {
    fn take(&mut self) -> Option<Option<Result<Event<'static>, Lagged>>> {
        match self {
            Self::Here(stream) => stream.recv().now_or_never(),
            Self::There(stream) => stream.recv().now_or_never(),
        }
    }

    fn stats(&self) -> ListenerStats {
        match self {
            Self::Here(stream) => stream.stats(),
            Self::There(stream) => stream.stats(),
        }
    }
}

#[derive(Debug)]
enum Source {
    Coming(JoinHandle<Result<RemoteEventStream, ListenError>>),
    There(Box<Stream>),
}

/// A listener that looks whether it may be told what it is told.
#[derive(Debug)]
pub(crate) struct Watcher {
    pub(crate) topic: String,
    policy: Policy,
    sources: Vec<Source>,
    pub(crate) told: Told,
    /// It takes nothing.
    pub(crate) frozen: bool,
    restarts: u32,
    /// How often generations may begin anew beside that: its first link may be one to the router before.
    before: u32,
}

/// What is listened to: the topic for people, the topics themselves, and what they tell.
fn topics(topic: &str) -> (Vec<String>, Hears) {
    match topic.split_once('/') {
        _ if topic == "presence" => (vec!["#disconnect".to_owned(), "#connect".to_owned()], Hears::Apart),
        Some((sender, "presence")) => (
            vec![format!("{sender}/#disconnect"), format!("{sender}/#connect")],
            Hears::Apart,
        ),
        Some(_) => (vec![topic.to_owned()], Hears::Events),
        None => (vec![topic.to_owned()], Hears::Both),
    }
}

impl Watcher {
    fn new(topic: &str, policy: Policy, hears: Hears, sources: Vec<Source>) -> Self {
        Self {
            topic: topic.to_owned(),
            policy,
            sources,
            told: Told::new(hears),
            frozen: false,
            restarts: 0,
            before: 0,
        }
    }

    pub(crate) fn at_server(server: &ServerRouter, topic: &str, policy: Policy) -> Self {
        let (topics, hears) = topics(topic);
        let listen = |topic: &String| Listen::to(topic.as_str()).unwrap().policy(policy);
        let sources = topics.iter().map(|topic| server.listen(listen(topic)).unwrap());
        let sources = sources
            .map(|stream| Source::There(Box::new(Stream::Here(stream))))
            .collect();
        Self::new(topic, policy, hears, sources)
    }

    pub(crate) fn at_client(client: &ClientRouter, topic: &str, policy: Policy) -> Self {
        let (topics, hears) = topics(topic);
        let listen = |topic: &String| client.listen_remote(Listen::to(topic.as_str()).unwrap().policy(policy));
        let sources = topics.iter().map(|topic| Source::Coming(tokio::spawn(listen(topic))));
        let mut watcher = Self::new(topic, policy, hears, sources.collect());
        watcher.before = 1;
        watcher
    }

    /// The router of the server was started again.
    pub(crate) fn restarted(&mut self) {
        self.restarts += 1;
    }

    /// Whether it is registered.
    pub(crate) fn is_there(&self) -> bool {
        self.sources.iter().all(|source| matches!(source, Source::There(_)))
    }

    /// Takes what there is.
    pub(crate) fn take(&mut self, when: &str) -> Result<(), String> {
        for source in &mut self.sources {
            if let Source::Coming(coming) = source {
                match coming.now_or_never() {
                    None => continue,
                    Some(stream) => {
                        *source = Source::There(Box::new(Stream::There(stream.unwrap().map_err(|e| e.to_string())?)))
                    }
                }
            }
            let Source::There(stream) = source else { continue };
            let waiting = stream.stats().waiting;
            let most = match self.policy {
                Policy::DropOldest(most) | Policy::DropNewest(most) => most + PRESENCE,
                _ => MOST_WAITING,
            };
            if waiting > most {
                return Err(format!("{} {:?}: {waiting} wait", self.topic, self.policy));
            }
            while let Some(Some(taken)) = (!self.frozen).then(|| stream.take()).flatten() {
                match taken {
                    Ok(event) => {
                        let told = self.told.take(&event, self.before + self.restarts, when);
                        told.map_err(|wrong| format!("{} {:?}: {wrong}", self.topic, self.policy))?;
                    }
                    Err(lagged) => self.told.lost += lagged.count(),
                }
            }
        }
        Ok(())
    }

    /// Whether what it was told is the truth.
    pub(crate) fn is_true(&self, truth: &BTreeMap<String, u64>) -> Result<(), String> {
        let only = self
            .topic
            .split('/')
            .next()
            .filter(|name| !["*", "presence"].contains(name));
        let told = self.told.is_true(truth, only, self.restarts);
        told.map_err(|wrong| format!("{} {:?}: {wrong}", self.topic, self.policy))
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        for source in &self.sources {
            if let Source::Coming(coming) = source {
                coming.abort();
            }
        }
    }
}
