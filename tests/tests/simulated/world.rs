//! A server, its clients, and what they want: what there should be in the end.

use std::collections::BTreeMap;
use std::time::Duration;

use sig_router::{
    AddSenderError, ClientRouter, HandlerError, LinkState, RemoteSender, Request, RequestError, Sender, SenderBuilder,
    SenderState, ServerRouter, Signal,
};
use sig_tests::rig::impatient;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::Instant;

use crate::lines::Line;
use crate::watcher::Watcher;

/// A sender of a client.
#[derive(Debug)]
pub(crate) enum Slot {
    Coming(JoinHandle<Result<RemoteSender, AddSenderError>>),
    There {
        sender: RemoteSender,
        signal: Signal,
        run: u64,
        count: u64,
    },
}

impl Drop for Slot {
    fn drop(&mut self) {
        if let Self::Coming(coming) = self {
            coming.abort();
        }
    }
}

#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) router: ClientRouter,
    /// When it was started.
    since: Instant,
    pub(crate) line: Box<dyn Line>,
    pub(crate) senders: BTreeMap<String, Slot>,
    pub(crate) watchers: Vec<Watcher>,
}

/// How long it takes the server at most to notice that a client is gone, and a name to be asked for once more.
const NOTICED: Duration = Duration::from_secs(20);

/// How long a request may be late.
const LATE: Duration = Duration::from_millis(50);

pub(crate) struct World {
    pub(crate) server: ServerRouter,
    pub(crate) clients: Vec<Client>,
    pub(crate) senders: BTreeMap<String, (Sender, Signal, u64, u64)>,
    pub(crate) watchers: Vec<Watcher>,
    pub(crate) requests: JoinSet<(Duration, Duration, Result<u64, RequestError>)>,
    /// What a busy machine may add to anything that has a deadline.
    pub(crate) slack: Duration,
    pub(crate) runs: u64,
    pub(crate) answered: u64,
    pub(crate) over: Totals,
}

/// What came of all that is over.
#[derive(Debug, Default)]
pub(crate) struct Totals {
    pub(crate) presence: u64,
    pub(crate) events: u64,
    pub(crate) lost: u64,
    pub(crate) faults: u64,
    pub(crate) restarts: u32,
}

impl Totals {
    fn add(&mut self, watcher: &Watcher) {
        self.presence += watcher.told.presence;
        self.events += watcher.told.events;
        self.lost += watcher.told.lost;
    }
}

/// Senders that are one client's alone have its number in their name; others are everybody's.
fn is_shared(name: &str) -> bool {
    name.starts_with('x')
}

fn declared<T>(builder: SenderBuilder<T>) -> SenderBuilder<T> {
    builder
        .event("e")
        .request_async("double", |request: Request| async move {
            let value: u64 = request.params()?;
            tokio::time::sleep(Duration::from_millis(value % 200)).await;
            Ok::<_, HandlerError>(value * 2)
        })
}

impl World {
    pub(crate) fn new(lines: Vec<Box<dyn Line>>, slack: Duration) -> Self {
        let server = ServerRouter::new().unwrap();
        let clients = lines.into_iter().map(|mut line| {
            line.lead_to(&server);
            Client::new(line)
        });
        Self {
            clients: clients.collect(),
            server,
            senders: BTreeMap::new(),
            watchers: Vec::new(),
            requests: JoinSet::new(),
            slack,
            runs: 0,
            answered: 0,
            over: Totals::default(),
        }
    }

    /// Starts the server again.
    pub(crate) fn restart(&mut self) {
        self.senders.clear();
        self.watchers.drain(..).for_each(|watcher| self.over.add(&watcher));
        self.server = ServerRouter::new().unwrap();
        self.over.restarts += 1;
        for client in &mut self.clients {
            client.line.lead_to(&self.server);
            client.watchers.iter_mut().for_each(Watcher::restarted);
        }
    }

    /// Starts a client again.
    pub(crate) fn restart_client(&mut self, index: usize) {
        let client = &mut self.clients[index];
        client.senders.clear();
        client.watchers.drain(..).for_each(|watcher| self.over.add(&watcher));
        client.router = dial(&*client.line);
        client.since = Instant::now();
    }

    pub(crate) fn add_sender(&mut self, name: &str) {
        let Ok(sender) = declared(self.server.add_sender(name)).connect() else {
            return;
        };
        self.runs += 1;
        let signal = sender.signal("e").unwrap();
        self.senders.insert(name.to_owned(), (sender, signal, self.runs, 0));
    }

    pub(crate) fn add_client_sender(&mut self, index: usize, name: &str) {
        let client = &mut self.clients[index];
        if client.senders.contains_key(name) {
            return;
        }
        let router = client.router.clone();
        let added = name.to_owned();
        let coming = tokio::spawn(async move { declared(router.add_remote_sender(added)).connect().await });
        client.senders.insert(name.to_owned(), Slot::Coming(coming));
    }

    pub(crate) fn drop_watcher(&mut self, index: Option<usize>, which: usize) {
        let watchers = match index {
            Some(index) => &mut self.clients[index].watchers,
            None => &mut self.watchers,
        };
        if !watchers.is_empty() {
            let which = which % watchers.len();
            self.over.add(&watchers.swap_remove(which));
        }
    }

    /// Asks whoever has this name.
    pub(crate) fn ask(&mut self, index: usize, name: &str, value: u64, timeout: Duration) {
        let (router, name) = (self.clients[index].router.clone(), name.to_owned());
        self.requests.spawn(async move {
            let began = Instant::now();
            let answer = router.remote_request(name, "double", &value).timeout(timeout).await;
            let answer = answer.and_then(|answer| Ok(answer.parse::<u64>()? / 2));
            (
                timeout,
                began.elapsed(),
                answer.inspect(|found| assert_eq!(*found, value)),
            )
        });
    }

    /// Triggers an event of a sender, if it is there.
    pub(crate) fn trigger(&mut self, index: Option<usize>, name: &str, times: u64) {
        let (signal, run, count) = match index {
            Some(index) => match self.clients[index].senders.get_mut(name) {
                Some(Slot::There { signal, run, count, .. }) => (signal, *run, count),
                _ => return,
            },
            None => match self.senders.get_mut(name) {
                Some((_, signal, run, count)) => (signal, *run, count),
                None => return,
            },
        };
        for _ in 0..times {
            *count += 1;
            // Without a link, or room, it errs.
            let _ = signal.try_trigger(&(run, *count));
        }
    }

    /// Looks at what came.
    pub(crate) fn look(&mut self, when: &str) -> Result<(), String> {
        for client in &mut self.clients {
            for (name, slot) in &mut client.senders {
                let Slot::Coming(coming) = slot else { continue };
                if !coming.is_finished() {
                    continue;
                }
                let came = futures::FutureExt::now_or_never(coming).unwrap().unwrap();
                match came {
                    Ok(sender) => {
                        self.runs += 1;
                        let (signal, run) = (sender.signal("e").unwrap(), self.runs);
                        *slot = Slot::There {
                            sender,
                            signal,
                            run,
                            count: 0,
                        };
                    }
                    // A former run of the client may have it still, until the server has noticed its end.
                    Err(AddSenderError::NameTaken { .. })
                        if is_shared(name) || client.since.elapsed() < NOTICED + self.slack => {}
                    Err(error) => return Err(format!("{name}: {error}")),
                }
            }
            let refused = |slot: &Slot| matches!(slot, Slot::Coming(coming) if coming.is_finished());
            client.senders.retain(|_, slot| !refused(slot));
        }
        for (index, client) in self.clients.iter_mut().enumerate() {
            for watcher in &mut client.watchers {
                let took = watcher.take(when);
                took.map_err(|wrong| format!("client {index}: {wrong}"))?;
            }
        }
        for watcher in &mut self.watchers {
            watcher.take(when).map_err(|wrong| format!("server: {wrong}"))?;
        }
        while let Some(over) = self.requests.try_join_next() {
            let (timeout, took, answer) = over.unwrap();
            self.answered += u64::from(answer.is_ok());
            if took > timeout + LATE + self.slack {
                return Err(format!("a request took {took:?} of {timeout:?}: {answer:?}"));
            }
        }
        Ok(())
    }

    /// Who is there.
    fn truth(&self) -> BTreeMap<String, u64> {
        let senders = self.server.senders().into_iter().filter(|info| info.connected);
        senders.map(|info| (info.name.to_string(), info.generation)).collect()
    }

    /// Whether everything is as it should be, when nothing goes wrong any more.
    pub(crate) fn is_settled(&mut self) -> Result<(), String> {
        let truth = self.truth();
        let mut wanted: Vec<_> = self.senders.keys().cloned().collect();
        for (index, client) in self.clients.iter().enumerate() {
            if client.router.state() != LinkState::Connected {
                return Err(format!("client {index} is {:?}", client.router.state()));
            }
            for (name, slot) in &client.senders {
                let Slot::There { sender, .. } = slot else {
                    return Err(format!("{name} of client {index} is not there yet"));
                };
                let state = sender.state();
                if state != SenderState::Live && !is_shared(name) {
                    return Err(format!("{name} of client {index} is {state:?}"));
                }
                wanted.push(name.clone());
            }
            if let Some(watcher) = client.watchers.iter().find(|watcher| !watcher.is_there()) {
                return Err(format!(
                    "client {index}: a listener to {} is not there yet",
                    watcher.topic
                ));
            }
        }
        wanted.sort();
        wanted.dedup();
        if !wanted.iter().eq(truth.keys()) {
            return Err(format!(
                "{wanted:?} should be there, {:?} are",
                truth.keys().collect::<Vec<_>>()
            ));
        }
        for (index, client) in self.clients.iter().enumerate() {
            for watcher in &client.watchers {
                watcher
                    .is_true(&truth)
                    .map_err(|wrong| format!("client {index}: {wrong}"))?;
            }
        }
        for watcher in &self.watchers {
            watcher.is_true(&truth).map_err(|wrong| format!("server: {wrong}"))?;
        }
        Ok(())
    }

    /// Heals everything, and waits until it is as it should be.
    pub(crate) async fn settle(&mut self, within: Duration, when: &str) -> Result<(), String> {
        let began = Instant::now();
        for client in &mut self.clients {
            client.line.heal();
            client.watchers.iter_mut().for_each(|watcher| watcher.frozen = false);
        }
        self.watchers.iter_mut().for_each(|watcher| watcher.frozen = false);
        loop {
            tokio::time::sleep(Duration::from_millis(20)).await;
            self.look(when)?;
            match self.is_settled() {
                Ok(()) => break,
                Err(wrong) if began.elapsed() > within => return Err(format!("not settled after {within:?}: {wrong}")),
                Err(_) => {}
            }
        }
        Ok(())
    }

    /// What came of everything.
    pub(crate) fn totals(mut self) -> Totals {
        let watchers = self
            .clients
            .iter()
            .flat_map(|client| &client.watchers)
            .chain(&self.watchers);
        watchers.for_each(|watcher| self.over.add(watcher));
        self.over.faults += self.clients.iter().map(|client| client.line.faults()).sum::<u64>();
        self.over
    }
}

fn dial(line: &dyn Line) -> ClientRouter {
    let builder = ClientRouter::builder().reconnect(impatient());
    builder.connect(line.carrier()).unwrap()
}

impl Client {
    fn new(line: Box<dyn Line>) -> Self {
        Self {
            router: dial(&*line),
            since: Instant::now(),
            line,
            senders: BTreeMap::new(),
            watchers: Vec::new(),
        }
    }
}
