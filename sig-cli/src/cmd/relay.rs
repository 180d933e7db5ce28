//! `sig relay`

mod from;
mod to;
mod topics;

use sig_carrier_zmq::Error;

use crate::args::{Relay, RelayWay};
use crate::context::Context;
use crate::exit::{Code, Failure};

/// Relays until it is told to end.
pub(crate) async fn run(args: &Relay, context: &mut Context) -> Result<Code, Failure> {
    match &args.way {
        RelayWay::From(args) => from::run(args, context).await,
        RelayWay::To(args) => to::run(args, context).await,
    }
}

/// What became of what was relayed.
#[derive(Debug, Clone, Copy, Default, serde::Serialize)]
struct Relayed {
    /// Messages or events that were passed on.
    messages: u64,
    /// Those that were not, since somebody did not take them in time.
    lost: u64,
}

impl std::fmt::Display for Relayed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "relayed {} messages, {} were lost", self.messages, self.lost)
    }
}

fn failure(error: Error) -> Failure {
    super::zeromq::failure("relay", error)
}
