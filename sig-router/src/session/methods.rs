//! Names of the control methods.

/// Opens a session; the first message of the side that connected.
pub(crate) const HELLO: &str = "hello";
/// Takes a session.
pub(crate) const WELCOME: &str = "welcome";
/// Turns a session down.
pub(crate) const REFUSE: &str = "refuse";
/// Ends a session in good order.
pub(crate) const GOODBYE: &str = "goodbye";
/// A sign of life, where the link has no frame for it.
pub(crate) const HEARTBEAT: &str = "heartbeat";
/// Tells which sender and event an alias stands for.
pub(crate) const ANNOUNCE: &str = "announce";
/// Tells that an alias, and the last value of its event, are over.
pub(crate) const FORGET: &str = "forget";
/// Grants a sender room for more.
pub(crate) const CREDIT: &str = "credit";
/// Takes a call back.
pub(crate) const CANCEL: &str = "cancel";
/// The version of the methods (P47).
pub(crate) const GET_VERSION: &str = "get_version";
/// All senders that the router knows (P48).
pub(crate) const LIST_SENDERS: &str = "list_senders";
/// The last value of an event.
pub(crate) const LAST: &str = "last";
/// Adds a sender (P51).
pub(crate) const ADD_SENDER: &str = "add_sender";
/// Declares more events of a sender that is there.
pub(crate) const ADD_EVENTS: &str = "add_events";
/// Removes a sender (P57).
pub(crate) const REMOVE_SENDER: &str = "remove_sender";
/// Adds a listener (P49).
pub(crate) const ADD_LISTENER: &str = "add_listener";
/// Removes a listener (P50).
pub(crate) const REMOVE_LISTENER: &str = "remove_listener";
/// An event as a call, in pysig's dialect (P52, P68).
pub(crate) const SIGNAL: &str = "signal";
/// A request to a sender (P55).
pub(crate) const REQUEST: &str = "request";
