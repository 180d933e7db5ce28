//! What the router tells of itself: the JSON of its answers and events, field by field.

use serde::{Deserialize, Serialize};

use crate::policy::{Policy, PolicyParams};

/// The router as a whole: the answer to `info`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct RouterReport {
    /// The version of the software.
    pub version: String,
    /// Names the router; empty for one without links.
    pub router_id: String,
    /// Names this run of it: aliases hold as long as it is the same.
    pub epoch: u64,
    /// For how long it has run, in milliseconds.
    pub uptime_ms: u64,
    /// Clients that are connected.
    pub clients: usize,
    /// Carriers that were attached and not stopped.
    pub carriers: usize,
    /// Senders that are known by name, those that listeners wait for among them; `#router` is not.
    pub senders: usize,
    /// Listeners: those of this program, and each topic of each client.
    pub listeners: usize,
    /// Events that came from clients, those that have left included.
    pub events_in: u64,
    /// Bytes that came from clients; what travels as values counts as nothing.
    pub bytes_in: u64,
    /// Events that were handed to the carriers.
    pub events_out: u64,
    /// Bytes that were handed to the carriers.
    pub bytes_out: u64,
    /// Events that wait to be sent, or are being sent now.
    pub waiting: usize,
    /// Events that clients did not get: they did not keep up or did not answer, or it was too large for them.
    pub lost: u64,
    /// Events that the policies of clients' listeners left out.
    pub skipped: u64,
}

/// One client: a row of the answer to `clients`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct ClientReport {
    /// Its id, never given twice.
    pub id: u64,
    /// The carrier that brought it.
    pub carrier: String,
    /// Where it is.
    pub address: String,
    /// What it speaks: `sig/1`, `pysig`, or nothing yet.
    pub dialect: String,
    /// Since when it is connected, in milliseconds since 1970-01-01 UTC.
    pub since: u64,
    /// For how long it has been connected, in milliseconds.
    pub age_ms: u64,
    /// How many senders it has.
    pub senders: usize,
    /// How many listeners it has, counted by topic.
    pub listeners: usize,
    /// Events that came from it.
    pub events_in: u64,
    /// Bytes that came from it; what travels as values counts as nothing.
    pub bytes_in: u64,
    /// Events that its carrier has sent to it; those that it answered, where it answers events.
    pub events_out: u64,
    /// Bytes that its carrier was given for it.
    pub bytes_out: u64,
    /// `events_in` per second; null until two readings are there.
    pub rate_in: Option<f64>,
    /// `events_out` per second; null until two readings are there.
    pub rate_out: Option<f64>,
    /// Events that wait to be sent to it, or are being sent now.
    pub waiting: usize,
    /// Events that it did not get.
    pub lost: u64,
    /// Events that its listeners' policies left out.
    pub skipped: u64,
    /// Whether it lags: it was waited for in vain, and loses events until none waits any more.
    pub lagging: bool,
    /// After how much silence a sign of life is sent, in milliseconds; 0: never.
    pub heartbeat_ms: u64,
    /// For how long it has been silent, in milliseconds.
    pub silent_ms: u64,
}

/// One carrier: a row of the answer to `carriers`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct CarrierReport {
    /// Counts the carriers that were attached to the router, from 1.
    pub id: u64,
    /// Its name, the URL scheme.
    pub name: String,
    /// `running`, `restarting` or `stopped`.
    pub state: String,
    /// Why it failed the last time, if it ever did.
    pub error: Option<String>,
    /// In how many milliseconds it is started again, while it is `restarting`: counted from when it failed.
    pub retry_ms: Option<u64>,
    /// How often it failed so far.
    pub failures: u64,
}

/// One sender: a row of the answer to `senders`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct SenderReport {
    /// Its name.
    pub name: String,
    /// Whether it is there; if not, listeners wait for it.
    pub connected: bool,
    /// The client whose sender it is; null for one of the router's own program, and for one that is not connected.
    pub client: Option<u64>,
    /// The carrier that brought it; empty when it is not connected.
    pub carrier: String,
    /// Counts the senders that connected to the router.
    pub generation: u64,
    /// The methods that it answers; an entry of null is a default handler. Null when it answers none at all.
    pub requests: Option<Vec<Option<String>>>,
    /// Whether it has to wait now because a listener has no room.
    pub held_up: bool,
    /// How many listeners name it.
    pub listeners: usize,
    /// Its events together, per second; null until two readings are there.
    pub rate: Option<f64>,
    /// Its events, at most 1,000 of them; `#connect` and `#disconnect`, which all have, are left out.
    pub events: Vec<EventReport>,
    /// How many more events it has.
    pub more_events: usize,
}

/// One event of a sender.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct EventReport {
    /// Its name.
    pub event: String,
    /// Whether the sender declares it; if not, listeners wait for it in vain.
    pub declared: bool,
    /// The number of the last one.
    pub number: u64,
    /// Per second; null until two readings are there.
    pub rate: Option<f64>,
    /// How many listeners hear it, whatever form of topic they use.
    pub listeners: usize,
}

/// One listener: a row of the answer to `listeners`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct ListenerReport {
    /// Its id, never given twice; they are in the order in which they came.
    pub id: u64,
    /// What it listens to, as text.
    pub topic: String,
    /// The client whose listener it is; null for one of the router's own program.
    pub client: Option<u64>,
    /// Where in the router's own program it was added: `src/main.rs:12:5`.
    pub place: Option<String>,
    /// What happens when events come faster than it takes them: `{"block_ms": 5000}`, `{"drop_oldest": 100}`,
    /// `{"drop_newest": 100}`, `"latest"`, `{"rate": 20.0}`.
    #[serde(with = "policy_json")]
    pub policy: Policy,
    /// Events that wait for it. This and the next four are null for a client's listener, whose client counts for all of
    /// them, and for a function that was only ever called on the spot.
    pub waiting: Option<usize>,
    /// Events that it took.
    pub received: Option<u64>,
    /// Events that were lost to it.
    pub lost: Option<u64>,
    /// Events that its policy left out.
    pub skipped: Option<u64>,
    /// Whether it lags: it was waited for in vain, and loses events until none waits any more.
    pub lagging: Option<bool>,
    /// Whether no sender that is there has what it listens to.
    pub unmatched: bool,
    /// Why it is unmatched.
    pub reason: Option<Unmatched>,
    /// The topic that was perhaps meant: a name that is there and looks alike.
    pub nearest: Option<String>,
}

/// Why no sender matches a listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Unmatched {
    /// No sender of this name is there.
    NoSuchSender,
    /// The sender is there and does not declare the event.
    NotDeclared,
    /// No sender that is there declares the channel.
    NobodyDeclares,
    /// What a later version tells.
    #[serde(other)]
    Other,
}

/// A client is there: the data of `client_connected`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct ClientConnected {
    /// Its id, never given twice.
    pub id: u64,
    /// The carrier that brought it.
    pub carrier: String,
    /// Where it is.
    pub address: String,
    /// What it speaks: `sig/1` or `pysig`.
    pub dialect: String,
}

/// A client left: the data of `client_disconnected`. One that never said what it speaks is not told of.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct ClientDisconnected {
    /// Its id.
    pub id: u64,
    /// The carrier that brought it.
    pub carrier: String,
    /// Where it was.
    pub address: String,
    /// What it spoke.
    pub dialect: String,
    /// Why it left: `closed`, `link_lost`, `timeout`, `replaced`, `kicked`.
    pub reason: String,
    /// More about that, for people; may be empty.
    pub text: String,
    /// For how long it was connected, in milliseconds.
    pub age_ms: u64,
    /// Events that came from it.
    pub events_in: u64,
    /// Events that its carrier has sent to it.
    pub events_out: u64,
    /// Events that it did not get while it was there.
    pub lost: u64,
    /// Events that were on their way to it when it left, or that it never answered.
    pub dropped: u64,
}

/// A listener or a client does not keep up: the data of `lagging`, once for each episode and sender. From now on it
/// loses events, until none waits for it any more.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Lagging {
    /// The sender that was waiting for it.
    pub sender: String,
    /// The client, if it is one.
    pub client: Option<u64>,
    /// Where the listener was added, if it is one of the router's own program.
    pub place: Option<String>,
    /// Since when it took nothing, in milliseconds since 1970-01-01 UTC.
    pub since: u64,
}

/// How much goes through the router: the data of `stats`, every second while somebody listens to it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Stats {
    /// Over how many milliseconds the rates are.
    pub interval_ms: u64,
    /// Clients that are connected.
    pub clients: usize,
    /// Senders that are known by name.
    pub senders: usize,
    /// Listeners.
    pub listeners: usize,
    /// Events per second that came from clients.
    pub events_in: f64,
    /// Bytes per second that came from clients.
    pub bytes_in: f64,
    /// Events per second that were handed to the carriers.
    pub events_out: f64,
    /// Bytes per second that were handed to the carriers.
    pub bytes_out: f64,
    /// Events that wait to be sent, or are being sent now.
    pub waiting: usize,
    /// Events that clients did not get, all in all.
    pub lost: u64,
    /// Events that policies left out, all in all.
    pub skipped: u64,
    /// The events with the highest rates, at most ten.
    pub busiest: Vec<Busy>,
    /// The clients for which most events wait, at most ten.
    pub deepest: Vec<Deep>,
}

/// An event with a high rate.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Busy {
    /// Whose event.
    pub sender: String,
    /// Which event.
    pub event: String,
    /// Per second.
    pub rate: f64,
}

/// A client for which events wait.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Deep {
    /// The client's id.
    pub client: u64,
    /// How many wait.
    pub waiting: usize,
}

/// A policy as it travels.
mod policy_json {
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};

    use super::{Policy, PolicyParams};

    pub(super) fn serialize<S: Serializer>(policy: &Policy, serializer: S) -> Result<S::Ok, S::Error> {
        PolicyParams::from(*policy).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Policy, D::Error> {
        PolicyParams::deserialize(deserializer).map(Policy::from)
    }
}
