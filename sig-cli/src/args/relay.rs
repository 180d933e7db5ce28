//! Arguments of `sig relay`.

use clap::{Args, Subcommand};
use sig_core::{SenderName, Topic};

use super::client::{Target, sender};

/// Let a router and ZeroMQ publishers hear each other.
///
/// It runs until it is stopped (Ctrl-C, SIGTERM). Content passes untouched.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sig relay from tcp://camera:5556 camera frame status.temperature=celsius
  sig relay to tcp://127.0.0.1:5560 camera '#alarm'")]
pub(crate) struct Relay {
    #[command(subcommand)]
    pub(crate) way: Way,
}

/// Which way.
#[derive(Debug, Subcommand)]
pub(crate) enum Way {
    From(From),
    To(To),
}

/// Make a publisher (PUB) a sender of a router.
///
/// Only the topics that are named are subscribed to. The sender answers the requests `enable`, `disable` and `relayed`: while it is
/// disabled it is subscribed to nothing.
#[derive(Debug, Args)]
#[command(after_help = "\
A message is of a topic when its first frame is the topic, or goes on behind it with a dot, a slash,
a space or a zero byte. Its event is the longest such topic, or what stands behind the = there. Its
data is the second frame, as it is: as JSON where it is JSON, as bytes where not. Several frames are
put together, each behind its length (4 bytes, big endian); one frame alone is data and topic at once.

Examples:
  sig relay from tcp://camera:5556 camera frame status.temperature=celsius
  sig request camera disable")]
pub(crate) struct From {
    /// Where the publisher listens
    #[arg(value_name = "ENDPOINT")]
    pub(crate) endpoint: String,

    /// Under which name its messages come
    #[arg(value_name = "SENDER", value_parser = sender)]
    pub(crate) sender: SenderName,

    /// What to subscribe to, and the event that it becomes
    #[arg(value_name = "TOPIC[=EVENT]", required = true)]
    pub(crate) topics: Vec<String>,

    #[command(flatten)]
    pub(crate) target: Target,
}

/// Publish events of a router to subscribers (SUB).
#[derive(Debug, Args)]
#[command(after_help = "\
Each event is a message of two frames: SENDER/EVENT, and the data as it is.

Examples:
  sig relay to tcp://127.0.0.1:5560 camera '#alarm'
  sig relay to --connect tcp://proxy:5559 camera/frame

A one-liner server and its streams, one hop further:
  sig relay from tcp://rig:5556 rig frames volts
  sig relay to tcp://127.0.0.1:5556 rig --bare")]
pub(crate) struct To {
    /// Where subscribers connect to
    #[arg(value_name = "ENDPOINT")]
    pub(crate) endpoint: String,

    /// What to publish, as for `sig listen`
    #[arg(value_name = "TOPIC", required = true)]
    pub(crate) topics: Vec<Topic>,

    /// Connect to ENDPOINT, where a forwarder listens, instead of listening there
    #[arg(long)]
    pub(crate) connect: bool,

    /// Publish the data alone: data that begins with its topic, as that of one-liner's streams does
    #[arg(long)]
    pub(crate) bare: bool,

    /// Allow an address that other machines can reach
    #[arg(long)]
    pub(crate) insecure: bool,

    #[command(flatten)]
    pub(crate) target: Target,
}
