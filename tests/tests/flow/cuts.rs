//! A million events under random cuts of the links: of every event, every listener got it, or was told that it did not.
//!
//! `SIG_SEED` repeats the cuts of a run.

use std::env;
use std::time::Duration;

use sig_router::{ClientRouter, EventStream, RemoteEventStream, RemoteSender, Signal, TriggerError};
use sig_tests::proxy::{Cable, Proxy};
use sig_tests::rig::{TcpServer, WAIT, client_of, connected, soon};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use crate::account::{Account, Stream};

const SENDERS: usize = 4;
const EVENTS: [&str; 2] = ["volt", "#ampere"];

/// All of them together.
const COUNT: u64 = 1_000_000;

/// Cuts one cable after the other, for ever.
async fn cut_at_random(cables: Vec<Proxy>, seed: u64, mut done: watch::Receiver<bool>) -> (Vec<Proxy>, u64) {
    let (mut random, mut cuts) = (fastrand::Rng::with_seed(seed), 0);
    while !*done.borrow_and_update() {
        let cable = &cables[random.usize(0..cables.len())];
        let pulled = if random.bool() { Cable::Silent } else { Cable::Whole };
        cable.set(pulled);
        sleep(Duration::from_millis(random.u64(0..20))).await;
        cable.set(Cable::Cut);
        sleep(Duration::from_millis(random.u64(1..10))).await;
        cable.set(Cable::Whole);
        cuts += 1;
        tokio::select! {
            _ = done.changed() => {}
            () = sleep(Duration::from_millis(random.u64(20..200))) => {}
        }
    }
    (cables, cuts)
}

/// Triggers so many. Whatever happens to the link, each has its number.
async fn emit(signal: Signal, count: u64) {
    let mut sent = 0;
    while sent < count {
        match signal.trigger(&sent).await {
            // Given up for want of a link: its number is used.
            Ok(()) | Err(TriggerError::Offline { .. }) => sent += 1,
            Err(TriggerError::Busy { .. }) => {}
            Err(error) => panic!("{error}"),
        }
    }
}

/// What a listener got of each event of each sender.
struct Ledger {
    accounts: Vec<((String, String), Account)>,
    each: u64,
    /// Counts the events of which the first one was heard.
    known: watch::Sender<usize>,
}

impl Ledger {
    fn new(each: u64, known: watch::Sender<usize>) -> Self {
        let accounts = Vec::new();
        Self { accounts, each, known }
    }

    fn account(&mut self, sender: &str, event: &str) -> &mut Account {
        let known = self.accounts.iter().position(|((s, e), _)| s == sender && e == event);
        let index = known.unwrap_or_else(|| {
            self.accounts
                .push(((sender.to_owned(), event.to_owned()), Account::default()));
            self.known.send_modify(|known| *known += 1);
            self.accounts.len() - 1
        });
        &mut self.accounts[index].1
    }

    /// Hears all that was emitted of so many events.
    async fn hear(mut self, mut stream: impl Stream, kinds: usize) -> Self {
        let (mut complete, each) = (0, self.each);
        while complete < kinds {
            let Ok(delivery) = timeout(WAIT / 2, stream.next()).await else {
                panic!("nothing more comes, of {each} of each: {:?}", self.accounts);
            };
            let (sender, name) = match &delivery {
                Ok(event) if event.name().is_presence() => continue,
                Ok(event) => (event.sender().clone(), event.name().clone()),
                Err(lagged) => (lagged.sender().clone(), lagged.name().clone()),
            };
            let account = self.account(sender.as_str(), name.as_str());
            account.take(&delivery);
            assert!(account.total() <= each, "{sender}/{name}: {account:?} of {each}");
            complete += usize::from(account.total() == each);
        }
        self
    }

    fn received(&self) -> u64 {
        self.accounts.iter().map(|(_, account)| account.received).sum()
    }

    fn lost(&self) -> u64 {
        self.accounts.iter().map(|(_, account)| account.lost).sum()
    }
}

async fn senders(client: &ClientRouter, first: usize) -> Vec<RemoteSender> {
    let mut senders = Vec::new();
    for n in first..first + SENDERS / 2 {
        let sender = client.add_remote_sender(format!("s{n}")).events(EVENTS);
        senders.push(sender.connect().await.unwrap());
    }
    senders
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn promise_1_under_random_cuts_all_is_received_or_reported() {
    let seed = env::var("SIG_SEED")
        .ok()
        .map_or_else(|| fastrand::u64(..), |text| text.parse().unwrap());
    eprintln!("SIG_SEED={seed}");
    let kinds = SENDERS * EVENTS.len();
    let each = COUNT / kinds as u64;
    let server = TcpServer::start();
    let (mut cables, mut clients) = (Vec::new(), Vec::new());
    for _ in 0..4 {
        cables.push(Proxy::to(&server.address).await);
        clients.push(client_of(&cables.last().unwrap().address.to_string()));
    }
    let [first, second, listener, other] = &clients[..] else {
        unreachable!()
    };
    // Before the senders are there: all that they emit counts.
    let everything: RemoteEventStream = other.listen_remote("*").await.unwrap();
    let at_the_router: EventStream = server.router.listen("*").unwrap();
    let of_two: RemoteEventStream = listener.listen_remote("s0").await.unwrap();
    let channel: RemoteEventStream = listener.listen_remote("#ampere").await.unwrap();
    let single: RemoteEventStream = listener.listen_remote("s3/volt").await.unwrap();
    let (known, mut all_known) = watch::channel(0);
    let ledger = || Ledger::new(each, known.clone());
    let hearing = [
        tokio::spawn(ledger().hear(everything, kinds)),
        tokio::spawn(ledger().hear(at_the_router, kinds)),
        tokio::spawn(ledger().hear(of_two, EVENTS.len())),
        tokio::spawn(ledger().hear(channel, SENDERS)),
        tokio::spawn(ledger().hear(single, 1)),
    ];
    let (mut senders, rest) = tokio::join!(senders(first, 0), senders(second, SENDERS / 2));
    senders.extend(rest);
    let signals = senders
        .iter()
        .flat_map(|sender| EVENTS.map(|event| sender.signal(event).unwrap()));
    let signals: Vec<_> = signals.collect();
    // Of an event that nobody heard of before the cut, nobody can say where it began.
    for signal in &signals {
        signal.trigger(&0).await.unwrap();
    }
    let all = 2 * kinds + EVENTS.len() + SENDERS + 1;
    soon(
        "everybody hears the first ones",
        all_known.wait_for(|known| *known == all),
    )
    .await
    .unwrap();
    let (done, is_done) = watch::channel(false);
    let cutting = tokio::spawn(cut_at_random(cables, seed, is_done));
    let emitting: Vec<_> = signals
        .into_iter()
        .map(|signal| tokio::spawn(emit(signal, each - 1)))
        .collect();
    for emitting in emitting {
        emitting.await.unwrap();
    }
    done.send_replace(true);
    let (_cables, cuts) = cutting.await.unwrap();
    for client in &clients {
        connected(client).await;
    }
    let (mut received, mut lost) = (0, 0);
    for hearing in hearing {
        let ledger = hearing.await.unwrap();
        (received, lost) = (received + ledger.received(), lost + ledger.lost());
    }
    eprintln!("{cuts} cuts: {received} received, {lost} lost and reported");
    assert!(cuts > 3 && lost > 0, "nothing was cut: {cuts} cuts, {lost} lost");
}
