//! Forwarders: something in the middle that both sides connect to.

pub(crate) mod pump;
