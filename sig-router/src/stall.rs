//! How a client says that its listeners have no room for more of a sender's events.

use serde::{Deserialize, Serialize};
use sig_core::SenderName;

/// No more of this sender's events for now: a notice to the router.
pub(crate) const STALL: &str = "stall";

/// There is room again.
pub(crate) const RESUME: &str = "resume";

/// The parameters of both.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StallParams {
    pub(crate) sender: SenderName,
}
