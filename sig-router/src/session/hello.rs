//! How two routers agree on a session: `hello` of the side that connected, answered by `welcome` or `refuse`.
//!
//! They travel as notices ([`Call::notice`](sig_core::Call::notice)). Fields that are not known are ignored.

#[cfg(test)]
mod tests;

use std::borrow::Cow;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use sig_core::{DEFAULT_MAX_FRAME, RawJson};

use super::methods::{HELLO, WELCOME};
use super::parse::{ParamsError, prose, read_params, text};
use super::secret::Secret;

/// Why a session is refused.
pub(crate) mod code {
    /// No version in common.
    pub(crate) const VERSION: &str = "version";
    /// Another codec.
    pub(crate) const CODEC: &str = "codec";
    /// The router has as many clients as it takes.
    pub(crate) const FULL: &str = "full";
    /// The router is closing.
    pub(crate) const CLOSING: &str = "closing";
    /// No token, or not the right one.
    pub(crate) const TOKEN: &str = "token";
    /// The same program has connected anew.
    pub(crate) const REPLACED: &str = "replaced";
    /// The hello is not as it must be.
    pub(crate) const MALFORMED: &str = "malformed";
}

/// The capability of a side that tells what became of events, where it is asked.
pub(crate) const CONFIRM: &str = "confirm";

/// The capability of a side that puts frames together which come in pieces.
pub(crate) const CHUNKS: &str = "chunks";

/// All that this side can do.
pub(crate) fn abilities() -> Vec<String> {
    vec![CONFIRM.to_owned(), CHUNKS.to_owned()]
}

/// What this program calls itself.
const PRODUCT: &str = concat!("sig/", env!("CARGO_PKG_VERSION"));

/// Most capabilities that a side may list.
const MAX_CAPABILITIES: usize = 64;
/// Longest name of a codec or capability, and longest router id, in bytes.
const MAX_WORD: usize = 64;
/// Longest text for people, in characters.
const MAX_PROSE: usize = 1024;
/// The shortest heartbeat that a peer can talk this side into, in milliseconds.
const MIN_HEARTBEAT_MS: u64 = 1000;

/// Opens a session.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Hello {
    /// Lowest and highest version spoken.
    pub(crate) versions: [u8; 2],
    /// What this side can do beyond the version.
    #[serde(default, deserialize_with = "capabilities")]
    pub(crate) capabilities: Vec<String>,
    /// Name of the codec.
    #[serde(default = "json", deserialize_with = "text::<MAX_WORD, _>")]
    pub(crate) codec: String,
    /// Random, and the same for all links of one client: who has it may take over what the client had.
    pub(crate) instance: Secret,
    /// Proves that the client may connect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) token: Option<Secret>,
    /// Most bytes of one frame that this side takes.
    #[serde(default = "default_max_message")]
    pub(crate) max_message: u64,
    /// After how much silence this side wants a sign of life, in milliseconds; 0 for never.
    #[serde(default)]
    pub(crate) heartbeat_ms: u64,
    /// Names the client's own router.
    #[serde(default, deserialize_with = "text::<MAX_WORD, _>")]
    pub(crate) router_id: String,
}

/// Takes a session, and says how it is held.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Welcome {
    /// The version spoken.
    pub(crate) version: u8,
    /// Names the router.
    #[serde(default, deserialize_with = "text::<MAX_WORD, _>")]
    pub(crate) router_id: String,
    /// Names this run of the router: aliases are valid as long as it is the same.
    #[serde(default)]
    pub(crate) epoch: u64,
    /// The heartbeat of both sides, in milliseconds; 0 for none.
    #[serde(default)]
    pub(crate) heartbeat_ms: u64,
    /// Most bytes of one frame in either direction.
    #[serde(default = "default_max_message")]
    pub(crate) max_message: u64,
    /// What both sides can do.
    #[serde(default, deserialize_with = "capabilities")]
    pub(crate) capabilities: Vec<String>,
    /// The program that the router is, and its version: for people.
    #[serde(default, deserialize_with = "text::<MAX_WORD, _>")]
    pub(crate) server: String,
}

/// Turns a session down.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Refuse {
    /// A word for programs, one of [`code`].
    #[serde(deserialize_with = "word")]
    pub(crate) code: Cow<'static, str>,
    /// The reason, for people.
    #[serde(default, deserialize_with = "prose::<MAX_PROSE, _>")]
    pub(crate) text: String,
    /// Whether it makes sense to come back.
    #[serde(default)]
    pub(crate) retry: Retry,
}

/// Whether it makes sense to come back after a refusal.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Retry {
    /// No: nothing changes without somebody's doing.
    Never,
    /// Yes, after a while. Stands for words of later versions, too.
    #[default]
    #[serde(other)]
    Later,
}

/// Ends a session in good order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Goodbye {
    /// The reason, for people; may be empty.
    #[serde(default, deserialize_with = "prose::<MAX_PROSE, _>")]
    pub(crate) text: String,
}

/// What a router offers to its clients.
#[derive(Debug, Clone)]
pub(crate) struct Offer {
    /// Lowest and highest version spoken.
    pub(crate) versions: [u8; 2],
    /// What the router can do beyond the version.
    pub(crate) capabilities: Vec<String>,
    /// Name of the carrier's codec.
    pub(crate) codec: String,
    /// What a client must show, if anything.
    pub(crate) token: Option<Secret>,
    /// Most bytes of one frame that the router takes.
    pub(crate) max_message: u64,
    /// After how much silence the router wants a sign of life, in milliseconds; 0 for never.
    pub(crate) heartbeat_ms: u64,
    /// Names the router.
    pub(crate) router_id: String,
    /// Names this run of the router.
    pub(crate) epoch: u64,
}

impl Refuse {
    /// A refusal for good.
    pub(crate) fn never(code: &'static str, text: impl Into<String>) -> Self {
        Self {
            code: code.into(),
            text: text.into(),
            retry: Retry::Never,
        }
    }

    /// A refusal for now.
    pub(crate) fn later(code: &'static str, text: impl Into<String>) -> Self {
        Self {
            retry: Retry::Later,
            ..Self::never(code, text)
        }
    }
}

impl Hello {
    /// Reads a hello.
    ///
    /// # Errors
    ///
    /// The refusal to send: the hello is malformed.
    pub(crate) fn read(hello: &RawJson) -> Result<Self, Refuse> {
        let malformed = |text: String| Refuse::never(code::MALFORMED, text);
        let hello: Self = read_params(HELLO, hello).map_err(|error| malformed(error.to_string()))?;
        let [lowest, highest] = hello.versions;
        if lowest > highest {
            let text = format!("hello: versions: {lowest} to {highest} is no range; the lowest comes first");
            return Err(malformed(text));
        }
        if hello.instance.is_empty() {
            return Err(malformed("hello: instance: is empty; send random text".to_owned()));
        }
        if hello.max_message == 0 {
            return Err(malformed(
                "hello: max_message: 0 leaves no room for any message".to_owned(),
            ));
        }
        Ok(hello)
    }
}

impl Welcome {
    /// Reads the welcome that answers `hello`.
    ///
    /// # Errors
    ///
    /// When it is malformed, or is not within what the hello said: the link is of no use.
    pub(crate) fn read(welcome: &RawJson, hello: &Hello) -> Result<Self, ParamsError> {
        let welcome: Self = read_params(WELCOME, welcome)?;
        let ([lowest, highest], version) = (hello.versions, welcome.version);
        if !(lowest..=highest).contains(&version) {
            let text = format!("welcome: version: {version} was not offered, {lowest} to {highest} were");
            return Err(ParamsError::new(text));
        }
        let (offered, agreed) = (hello.max_message, welcome.max_message);
        if agreed == 0 || agreed > offered {
            let text = format!("welcome: max_message: {agreed} is not within the {offered} that were offered");
            return Err(ParamsError::new(text));
        }
        Ok(welcome)
    }
}

/// What a router answers to a hello.
///
/// # Errors
///
/// The refusal to send.
pub(crate) fn negotiate(hello: &Hello, ours: &Offer) -> Result<Welcome, Refuse> {
    let ([their_lowest, their_highest], [lowest, highest]) = (hello.versions, ours.versions);
    let version = their_highest.min(highest);
    if version < their_lowest.max(lowest) {
        let text = format!(
            "the client speaks sig versions {their_lowest} to {their_highest}, this router speaks {lowest} to {highest}; \
             upgrade the older one"
        );
        return Err(Refuse::never(code::VERSION, text));
    }
    if hello.codec != ours.codec {
        let (theirs, ours) = (hello.codec.escape_debug(), &ours.codec);
        let text = format!("the client uses the codec \"{theirs}\", this router uses \"{ours}\"; use the same on both");
        return Err(Refuse::never(code::CODEC, text));
    }
    if let Some(wanted) = &ours.token {
        let text = match &hello.token {
            Some(token) if token.matches(wanted) => None,
            Some(_) => Some("the token is not the one that this router wants"),
            None => Some("this router wants a token; the client sent none"),
        };
        if let Some(text) = text {
            return Err(Refuse::never(code::TOKEN, text));
        }
    }
    Ok(Welcome {
        version,
        router_id: ours.router_id.clone(),
        epoch: ours.epoch,
        heartbeat_ms: heartbeat(hello.heartbeat_ms, ours.heartbeat_ms),
        max_message: hello.max_message.min(ours.max_message),
        capabilities: (ours
            .capabilities
            .iter()
            .filter(|ours| hello.capabilities.contains(ours))
            .cloned())
        .collect(),
        server: PRODUCT.to_owned(),
    })
}

/// The smaller heartbeat that is not zero, but not so small that a peer keeps this side busy with it.
fn heartbeat(theirs: u64, ours: u64) -> u64 {
    match (theirs, ours) {
        (0, ours) => ours,
        (theirs, 0) => theirs.max(MIN_HEARTBEAT_MS),
        (theirs, ours) => theirs.max(MIN_HEARTBEAT_MS).min(ours),
    }
}

fn json() -> String {
    "json".to_owned()
}

fn default_max_message() -> u64 {
    DEFAULT_MAX_FRAME as u64
}

fn word<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Cow<'static, str>, D::Error> {
    prose::<MAX_WORD, D>(deserializer).map(Cow::Owned)
}

fn capabilities<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let list = Vec::<String>::deserialize(deserializer)?;
    let (count, longest) = (list.len(), list.iter().map(String::len).max().unwrap_or_default());
    if count > MAX_CAPABILITIES || longest > MAX_WORD {
        let problem = format!(
            "{count} words of up to {longest} bytes; at most {MAX_CAPABILITIES} of up to {MAX_WORD} are allowed"
        );
        return Err(D::Error::custom(problem));
    }
    Ok(list)
}
