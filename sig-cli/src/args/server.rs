//! Commands that run a router.

use std::time::Duration;

use clap::Args;
use sig_core::CarrierUrl;

use crate::duration;

/// Run a router, host figures and a listener in one process, to see it at work.
///
/// The router listens at the usual addresses, or at free ones when those are taken; all of them are for this machine
/// only. The sender `host` emits the figures of this machine once per second.
#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// End by itself after this many seconds
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) seconds: Option<u64>,
}

/// Run a router.
///
/// It runs until it is stopped (Ctrl-C, SIGTERM). An address that other machines can reach is refused without
/// --insecure, because there are no tokens yet: whoever connects can hear and trigger everything.
#[derive(Debug, Args)]
#[command(after_help = "\
Addresses:
  tcp://HOST:PORT    TCP; port 0 picks a free one
  ipc://             the local socket, for this user only
  ipc://PATH         a local socket at this path
  zmq:tcp://HOST:PORT, zmq:ipc://PATH
                     ZeroMQ, for routers and for DEALER and REQ sockets;
                     ?curve=FILE or ?plain=FILE says who may connect
  serial:///dev/ttyACM0, serial:by-id/NAME, serial:COM3,
  'serial:usb?vid=2341&pid=0043&sn=NUMBER'
                     a board on a serial port, which may come later; sig ports lists
                     what is there; ?baud=9600 and the like say how it speaks

Examples:
  sig serve
  sig serve --host --period 5
  sig serve tcp://127.0.0.1:4000 ipc:///run/lab/sig.sock
  sig serve ipc:// serial:///dev/ttyACM0?baud=9600")]
pub(crate) struct Serve {
    /// Addresses to listen at [default: tcp://127.0.0.1:3000 and the local socket]
    #[arg(value_name = "URL")]
    pub(crate) urls: Vec<CarrierUrl>,

    /// Add the sender `host`: figures of this machine as events, and a request `snapshot`
    #[arg(long)]
    pub(crate) host: bool,

    /// Time between the events of `host`
    #[arg(long, value_name = "TIME", default_value = "1s", requires = "host", value_parser = duration::period)]
    pub(crate) period: Duration,

    /// Allow addresses that other machines can reach
    #[arg(long)]
    pub(crate) insecure: bool,
}
