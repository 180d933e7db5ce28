//! Commands that talk to a router.

use std::time::Duration;

use clap::Args;
use sig_core::{CarrierUrl, EventName, NameError, SenderName, Topic};
use sig_router::{Confirm, Policy};

use crate::{duration, policy};

/// Which router to talk to.
#[derive(Debug, Args)]
pub(crate) struct Target {
    /// Router to talk to [default: local socket, then tcp://127.0.0.1:3000]
    #[arg(long, env = "SIG_URL", hide_env_values = true)]
    pub(crate) url: Option<CarrierUrl>,

    /// Wait for a router when none answers, instead of failing
    #[arg(long)]
    pub(crate) wait: bool,
}

/// Print events as they come.
///
/// It runs until it is stopped, and goes on by itself when the router was restarted. A sender may come later than its
/// listener.
#[derive(Debug, Args)]
#[command(after_help = "\
Topics:
  SENDER/EVENT    one event of one sender
  SENDER          every event of a sender
  #CHANNEL        the events of this name of all senders (quote it: '#alarm')
  *               everything (quote it: '*'); the default

Policies:
  block=TIME      the sender waits, but not longer than TIME for nothing at all (5s by default)
  drop-oldest=N   keep the newest N, lose the others
  drop-newest=N   keep the first N, lose the others
  latest          keep the newest of each event, skip those before it
  rate=HZ         at most so many of each event a second, skip the others

With --json each event is {\"sender\":..,\"event\":..,\"number\":..,\"data\":..}; \"skipped\" says how many the policy left
out before it, and \"retained_ms\" how old a last value is that was there before.

Examples:
  sig listen
  sig listen host/cpu
  sig listen timer '#alarm' --count 10
  sig listen host/cpu --policy latest")]
pub(crate) struct Listen {
    /// What to listen to
    #[arg(value_name = "TOPIC", default_value = "*", hide_default_value = true)]
    pub(crate) topics: Vec<Topic>,

    /// What happens when events come faster than they can be printed
    #[arg(long, value_name = "POLICY", value_parser = policy::parse)]
    pub(crate) policy: Option<Policy>,

    /// End after this many events
    #[arg(long, short = 'n', value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) count: Option<u64>,

    /// End after this time; exit code 5 if fewer than --count events came (without --count: none)
    #[arg(long, value_name = "TIME", value_parser = duration::parse)]
    pub(crate) timeout: Option<Duration>,

    #[command(flatten)]
    pub(crate) target: Target,
}

/// Trigger an event, or one per line of standard input.
///
/// The sender is connected for as long as it takes, so its name must be free.
#[derive(Debug, Args)]
#[command(after_help = "\
With --confirm it prints how many listeners, over all events, accepted an event, dealt with it
(delivered), lost it, or were still waited for (pending). The exit code is 1 if any has lost one,
else 5 if any is pending, else 0. That nobody listens is no failure.

Examples:
  sig trigger timer tic
  sig trigger thermometer celsius 21.5
  sig trigger valve close --confirm delivered --timeout 2
  sig trigger me hello --text world
  tail -f app.log | sig trigger app log - --text")]
pub(crate) struct Trigger {
    /// Name of the sender
    #[arg(value_parser = sender)]
    pub(crate) sender: SenderName,

    /// Name of the event
    #[arg(value_parser = event)]
    pub(crate) event: EventName,

    /// The event's data, or `-` for one event per line of standard input [default: null]
    #[arg(value_name = "JSON | -", allow_negative_numbers = true)]
    pub(crate) data: Option<String>,

    /// Take the data as text and not as JSON
    #[arg(long, requires = "data")]
    pub(crate) text: bool,

    /// Wait until every listener has the event, or has dealt with it
    #[arg(long, value_name = "accepted | delivered", value_parser = confirm, hide_possible_values = true)]
    pub(crate) confirm: Option<Confirm>,

    /// How long to wait for the listeners to each event [default: 10s]
    #[arg(long, value_name = "TIME", requires = "confirm", value_parser = duration::parse)]
    pub(crate) timeout: Option<Duration>,

    #[command(flatten)]
    pub(crate) target: Target,
}

/// Call a method of a sender and print the response.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sig request host snapshot
  sig request calculator add '[1, 2]' --timeout 500ms")]
pub(crate) struct Request {
    /// Name of the sender
    #[arg(value_parser = sender)]
    pub(crate) sender: SenderName,

    /// Name of the method
    pub(crate) method: String,

    /// The parameters [default: null]
    #[arg(value_name = "JSON", allow_negative_numbers = true)]
    pub(crate) params: Option<String>,

    /// How long to wait for the response
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = duration::parse)]
    pub(crate) timeout: Duration,

    #[command(flatten)]
    pub(crate) target: Target,
}

/// List the senders of a router.
#[derive(Debug, Args)]
pub(crate) struct Ls {
    /// Show the events of each sender
    #[arg(long, short)]
    pub(crate) events: bool,

    #[command(flatten)]
    pub(crate) target: Target,
}

/// Show the clients and senders of a router, with rates and what waits, again and again.
///
/// Those with the highest rates come first. A rate is that of the time between two tables.
#[derive(Debug, Args)]
#[command(after_help = "\
Columns:
  IN/S, OUT/S     events per second that came from the client, and went to it
  WAITING         events that wait to be sent to it
  LOST            events that it did not get: it did not keep up
  SKIPPED         events that its listeners did not want, by their policies
  STATE           lagging: it loses events until none waits any more; held up: the sender
                  waits for a listener; not there: it is only listened to

With --json each table is {\"router\":..,\"carriers\":[..],\"clients\":[..],\"senders\":[..]}, with
the fields that docs/ROUTER.md describes.

Examples:
  sig top
  sig top tcp://127.0.0.1:4000 --period 5
  sig top --once --json")]
pub(crate) struct Top {
    /// Print one table, of the second that follows, and end
    #[arg(long)]
    pub(crate) once: bool,

    /// Time between two tables; 1s at the least
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = duration::parse)]
    pub(crate) period: Duration,

    /// Most clients and most senders in a table
    #[arg(long, short = 'n', value_name = "N", default_value = "20", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) rows: u16,

    #[command(flatten)]
    pub(crate) at: Place,
}

/// Say what is wrong at a router, and what to do about it.
///
/// It names listeners that no sender matches, clients and listeners that do not keep up, senders that have to wait for
/// them, carriers that fail, and serial ports that cannot be opened or on which nothing sensible arrives. The exit code
/// is 1 if there is any of that.
///
/// Of a serial port that no router has, it listens on the port itself for three seconds.
#[derive(Debug, Args)]
#[command(after_help = "\
With --json each finding is {\"finding\":{\"code\":..,\"text\":..,\"fix\":..}}, with one of the codes
unmatched, lagging, held_up, lost, carrier, link_absent, link_refused, link_lost,
nothing_received, wrong_baud, text_mixed_in, peer_too_old.

Examples:
  sig doctor
  sig doctor tcp://127.0.0.1:4000
  sig doctor 'serial:///dev/ttyACM0?baud=9600'")]
pub(crate) struct Doctor {
    #[command(flatten)]
    pub(crate) at: Place,
}

/// Which router to look at.
#[derive(Debug, Args)]
pub(crate) struct Place {
    /// Router to look at, the same as --url
    #[arg(value_name = "URL")]
    place: Option<CarrierUrl>,

    #[command(flatten)]
    target: Target,
}

impl Place {
    /// The router that was named in either way.
    pub(crate) fn target(&self) -> Target {
        Target {
            url: self.place.as_ref().or(self.target.url.as_ref()).cloned(),
            wait: self.target.wait,
        }
    }
}

/// Print the version of this command and of the router.
///
/// That no router answers is an error only when --url names one.
#[derive(Debug, Args)]
pub(crate) struct Version {
    #[command(flatten)]
    pub(crate) target: Target,
}

pub(super) fn sender(text: &str) -> Result<SenderName, NameError> {
    SenderName::new(text)
}

fn confirm(text: &str) -> Result<Confirm, String> {
    match text {
        "accepted" => Ok(Confirm::Accepted),
        "delivered" => Ok(Confirm::Delivered),
        _ => Err("use accepted or delivered".to_owned()),
    }
}

fn event(text: &str) -> Result<EventName, NameError> {
    EventName::new(text)
}
