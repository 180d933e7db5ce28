//! The promises of the contract, each with a case that tries to catch a carrier at breaking it.
//!
//! Every case is an async function over a [`Fixture`], to be called inside a tokio
//! runtime with its clock running. [`carrier_suite!`](crate::carrier_suite) makes a test of each; [`all`] lists them for who wants to
//! run them in another way.

mod codec;
mod ends;
mod flood;
mod links;
mod messages;
mod pair;
mod pressure;
mod raw;
mod runs;

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use crate::{Broken, Finding, Fixture, Outcome, Verdict};
use pair::{Crowd, Pair};

/// How a case went, before it is known which one it was.
type Judged = Result<Outcome, Finding>;

/// One case.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct Case<F> {
    /// Its name, that of the function.
    pub name: &'static str,
    /// What every carrier promises.
    pub promise: &'static str,
    /// Runs it.
    pub run: for<'a> fn(&'a F) -> Pin<Box<dyn Future<Output = Verdict> + 'a>>,
}

impl<F> fmt::Debug for Case<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Case").field("name", &self.name).finish_non_exhaustive()
    }
}

/// The case with this name.
#[must_use]
pub fn case<F: Fixture>(name: &str) -> Option<Case<F>> {
    all().into_iter().find(|case| case.name == name)
}

async fn judge(name: &'static str, promise: &'static str, case: impl Future<Output = Judged>) -> Verdict {
    case.await.map_err(|finding| Broken {
        case: name,
        promise,
        finding,
    })
}

/// The list of cases: functions for them, and a macro that calls another one for each.
macro_rules! cases {
    ($dollar:tt $($module:ident::$name:ident: $promise:literal;)*) => {
        $(
            #[doc = $promise]
            ///
            /// # Errors
            ///
            /// When the carrier does not do so.
            ///
            /// # Cancel safety
            ///
            /// Safe to cancel: the carriers are stopped.
            pub async fn $name<F: Fixture>(fixture: &F) -> Verdict {
                judge(stringify!($name), $promise, $module::$name(fixture)).await
            }
        )*

        /// Every case, in a sensible order: what fails first explains what fails later.
        #[must_use]
        pub fn all<F: Fixture>() -> Vec<Case<F>> {
            vec![$(Case {
                name: stringify!($name),
                promise: $promise,
                run: |fixture| Box::pin($name(fixture)),
            }),*]
        }

        #[doc(hidden)]
        #[macro_export]
        macro_rules! __each_case {
            ($dollar callback:ident, $dollar fixture:expr) => {
                $($crate::$dollar callback! { $name, $dollar fixture })*
            };
        }
    };
}

cases! { $
    links::announced_once: "A link is announced once at each end, retired once, and nothing is reported of it outside of that.";
    links::first_message: "A client can be sent to as soon as it is announced, and the first message on a link arrives like any other.";
    links::goodbye_of_the_dialler: "When a dialler ends in good order, the listener retires its client with the reason `closed`.";
    links::goodbye_of_the_listener: "When a listener ends in good order, the dialler retires its client with the reason `closed` and its run returns.";
    links::clients_are_told_apart: "What a client sends is delivered as its own, and what is sent to it reaches nobody else.";
    links::refused_client: "A client that the router does not admit loses its link and is not reported any further.";
    messages::order: "Messages arrive in the order in which they were handed over.";
    messages::no_loss_or_duplicates: "Of a hundred thousand messages each way, every one arrives, and arrives once.";
    messages::batch_boundaries: "Batch boundaries mean nothing: the same messages arrive whatever batches they were sent in, and handle_tx drains its batch.";
    messages::empty_payload: "A message without any data arrives as such.";
    messages::largest_payload: "A message of the largest size arrives undamaged, and so do small ones around it.";
    raw::message_in_pieces: "A message arrives whole, in however many pieces the medium brings it.";
    raw::malformed_frame: "What is no message costs its own link, and nobody else anything.";
    ends::oversize_frame: "A frame that is larger than the client's limit of the moment is not delivered and costs its own link.";
    raw::oversize_claim: "A peer that claims a length beyond its limit loses its link before it has sent that much.";
    ends::error_from_handle_rx: "When handle_rx fails, the client is let go of, and nothing more is delivered of it.";
    ends::unknown_client: "An id that is not known is fine: close_client does nothing, and handle_tx says so.";
    ends::kick: "close_client is idempotent and returns at once; the client is retired with the reason given, and its peer notices.";
    ends::kick_spares_the_neighbour: "close_client ends one client and no other.";
    pressure::kick_frees_a_stuck_writer: "close_client wakes a handle_tx that waits for a peer that does not read.";
    pressure::slow_reader_is_isolated: "A peer that does not read holds up nobody but who writes to it, bounds what is held for it, and loses nothing.";
    pressure::mutual_echo: "Two ends that send to each other all they can both get on: a carrier reads while it writes.";
    ends::peer_lost: "When a peer vanishes in the middle of a batch, what came before arrives, the client is retired, and nobody waits for ever.";
    raw::peer_lost_mid_message: "Half a message is not delivered; a link that ends there was lost.";
    runs::stop_without_clients: "A carrier stops in time, whether anybody has connected or not.";
    runs::stop_flushes: "What handle_tx took before the carrier was told to stop is on its way when run returns.";
    runs::stop_in_time: "A carrier that is told to stop retires every client, and its run returns in time and leaves no task behind.";
    pressure::stop_with_a_frozen_peer: "A carrier that is told to stop does so in time, whatever a peer does not do.";
    runs::reconnect: "Both ends can be run again after they ended, in any order, at the same address.";
    runs::dropped_run: "A run that is dropped where it waits gives everything back: the carrier can be run again.";
    codec::codec_round_trip: "unpack gives back what pack was given, and pack leaves alone what is in its buffer.";
    codec::unpack_survives_anything: "unpack never panics, whatever the bytes.";
}
