//! Commands about ZeroMQ sockets, without a router.

use std::time::Duration;

use clap::{Args, ValueEnum};

use crate::duration;

/// Pass messages between ZeroMQ sockets that do not know each other.
///
/// Both sides connect to it, or it to them: one to one, one to many, many to one, many to many. Whole messages go on as
/// they are. It runs until it is stopped (Ctrl-C, SIGTERM), and then says what has passed. An address that other
/// machines can reach is refused without --insecure.
#[derive(Debug, Args)]
#[command(after_help = "\
Patterns:
  topics       publishers (PUB) in front, subscribers (SUB) behind; publishers learn what is wanted (XSUB/XPUB)
  broadcast    the same, but everything is sent to the forwarder, wanted or not (SUB/PUB)
  requests     who asks (REQ, DEALER) in front, workers (REP, DEALER) behind, in turn (ROUTER/DEALER)
  pipeline     who has work (PUSH) in front, workers (PULL) behind, in turn (PULL/PUSH)

Endpoints:
  tcp://HOST:PORT    TCP; port 0 or * picks a free one, host * is every address of this machine
  ipc://PATH         a local socket at this path

Examples:
  sig forward tcp://127.0.0.1:5559 tcp://127.0.0.1:5560
  sig forward --pattern requests tcp://127.0.0.1:5555 ipc:///run/lab/workers
  sig forward --connect-front tcp://bench-3:5556 tcp://127.0.0.1:5560 --report 10s")]
pub(crate) struct Forward {
    /// Where messages come from
    #[arg(value_name = "FRONTEND")]
    pub(crate) front: String,

    /// Where they go to
    #[arg(value_name = "BACKEND")]
    pub(crate) back: String,

    /// What is passed on
    #[arg(long, value_enum, default_value_t = Pattern::Topics, hide_possible_values = true)]
    pub(crate) pattern: Pattern,

    /// Connect to FRONTEND instead of listening there
    #[arg(long)]
    pub(crate) connect_front: bool,

    /// Connect to BACKEND instead of listening there
    #[arg(long)]
    pub(crate) connect_back: bool,

    /// Send a copy of every message to whoever subscribes (SUB) at this endpoint
    #[arg(long, value_name = "ENDPOINT")]
    pub(crate) capture: Option<String>,

    /// How many messages wait for one peer that is slow
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) high_water: u32,

    /// Say every so often what has passed
    #[arg(long, value_name = "TIME", value_parser = duration::period)]
    pub(crate) report: Option<Duration>,

    /// Allow addresses that other machines can reach
    #[arg(long)]
    pub(crate) insecure: bool,
}

/// What a forwarder passes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Pattern {
    Topics,
    Broadcast,
    Requests,
    Pipeline,
}
