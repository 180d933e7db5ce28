//! One client of a server: what it says is taken apart here and handed to its dialect.

use std::fmt;
use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock, Weak};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use sig_core::{
    Batch, Call, CarrierError, ClientId, CodecError, Disconnect, Encoding, Failure, Message, Outcome, RawJson, Reason,
    Receiver, Tasks,
};

use super::awaited::{Awaited, Waiting};
use super::inbound::{Roster, upgrade};
use super::native::Native;
use super::pysig::Pysig;
use super::shown::{Dialect, Shown};
use super::ticker::Planned;
use super::{ClientInfo, Shared};
use crate::clock;
use crate::confirm::Recall;
use crate::hub::Hub;
use crate::inspect::ClientConnected;
use crate::outbox::{Outbox, UNREAD};
use crate::peer::{Arrived, Peer, TICK};
use crate::session::{Refuse, Secret, code, methods};

/// How long a client that is refused may take to read why, and one that said goodbye to leave.
const REFUSAL_GRACE: Duration = Duration::from_secs(2);

/// How long a client may take to say hello.
pub(super) const HELLO_PATIENCE: Duration = Duration::from_secs(10);

/// How long a client of which nothing is due is left alone: what was a buffer for it is given back then.
const LONGEST_REST: Duration = Duration::from_secs(5);

/// Most characters of the reason that a client is given.
const MAX_REFUSAL: usize = 1024;

/// One client of a server.
pub(crate) struct ClientSession {
    shared: Weak<Shared>,
    hub: Arc<Hub>,
    peer: Arc<Peer>,
    awaited: Awaited,
    opened: Instant,
    planned: Planned,
    /// What the client speaks, from when it was told that it is there.
    told: OnceLock<&'static str>,
    phase: Mutex<Phase>,
    shown: Shown,
    /// Which program it is.
    instance: OnceLock<Secret>,
    /// The clients of its carrier.
    roster: Arc<Roster>,
    /// Why the client was just refused, to be logged once no lock is held.
    refusal: Mutex<Option<Box<Refuse>>>,
    me: Weak<Self>,
}

/// What the client speaks.
#[derive(Debug)]
enum Phase {
    /// It has not said anything yet.
    New,
    Native(Native),
    Pysig(Pysig),
    /// It left or was refused; whatever it says is ignored.
    Gone,
}

/// Why a client cannot stay, or a call cannot be done.
pub(super) type Fault = CarrierError;

impl ClientSession {
    pub(super) fn new(
        id: ClientId,
        shared: Weak<Shared>,
        hub: Arc<Hub>,
        outbox: Arc<Outbox>,
        roster: Arc<Roster>,
        tasks: &Tasks,
    ) -> Arc<Self> {
        Arc::new_cyclic(|me: &Weak<Self>| Self {
            shared,
            hub,
            peer: Peer::new(id, outbox, tasks),
            awaited: Awaited::default(),
            opened: clock::now(),
            planned: Planned::default(),
            told: OnceLock::new(),
            phase: Mutex::new(Phase::New),
            shown: Shown::default(),
            instance: OnceLock::new(),
            roster,
            refusal: Mutex::new(None),
            me: me.clone(),
        })
    }

    pub(super) fn id(&self) -> ClientId {
        self.peer.id()
    }

    pub(super) fn hub(&self) -> &Arc<Hub> {
        &self.hub
    }

    pub(super) fn peer(&self) -> &Arc<Peer> {
        &self.peer
    }

    pub(super) fn outbox(&self) -> &Arc<Outbox> {
        self.peer.outbox()
    }

    pub(super) fn shared(&self) -> Result<Arc<Shared>, Fault> {
        upgrade(&self.shared)
    }

    pub(super) fn weak(&self) -> Weak<Self> {
        self.me.clone()
    }

    pub(super) fn carrier_name(&self) -> &'static str {
        self.outbox().carrier().name()
    }

    pub(super) fn opened(&self) -> Instant {
        self.opened
    }

    /// The client has said what it speaks: it is there.
    fn tell_of(&self, dialect: &'static str) {
        if self.told.set(dialect).is_err() {
            return;
        }
        if let Some(shared) = self.shared.upgrade() {
            shared.client_came(ClientConnected {
                id: self.id().get(),
                carrier: self.carrier_name().to_owned(),
                address: self.outbox().peer().address.clone(),
                dialect: dialect.to_owned(),
            });
        }
    }

    pub(super) fn info(&self) -> ClientInfo {
        ClientInfo {
            id: self.id(),
            carrier: self.carrier_name(),
            address: self.outbox().peer().address.clone(),
            dialect: self.shown.dialect(),
            senders: self.shown.senders(),
            listeners: self.shown.listeners(),
            waiting: self.outbox().waiting(),
            lost: self.outbox().lost(),
            skipped: self.outbox().skipped(),
            late_answers: self.awaited.late(),
        }
    }

    /// What is shown of the client, kept up to date by its dialect.
    pub(super) fn shown(&self) -> &Shown {
        &self.shown
    }

    /// The client is not what it was any more. Gives that.
    fn end_phase(&self, phase: &mut Phase) -> Phase {
        self.shown.set_dialect(Dialect::Gone);
        std::mem::replace(phase, Phase::Gone)
    }

    /// Notes which program the client is; see [`replaces`](Self::replaces).
    pub(super) fn set_instance(&self, instance: &Secret) {
        let _ = self.instance.set(instance.clone());
    }

    /// Whether this is a link of the same program.
    pub(super) fn is_of(&self, instance: &Secret) -> bool {
        self.instance.get().is_some_and(|own| own.matches(instance))
    }

    /// The client's program has connected anew: what it had here is over, before the new link has any of it. A link that
    /// is alive after all, because two programs have the same secret, learns it.
    pub(super) fn replaced(&self) {
        let mut phase = self.phase.lock();
        if !matches!(*phase, Phase::Gone) {
            let refuse = Refuse::never(code::REPLACED, "the same program has connected anew");
            self.refuse_for(&mut phase, &refuse, Reason::Replaced);
        }
        drop(phase);
        self.awaited.end();
    }

    /// Tells the client why it cannot stay; it is thrown out once that is sent.
    fn refuse(&self, phase: &mut Phase, refuse: &Refuse) {
        *self.refusal.lock() = Some(Box::new(refuse.clone()));
        self.refuse_for(phase, refuse, Reason::Kicked);
    }

    fn refuse_for(&self, phase: &mut Phase, refuse: &Refuse, reason: Reason) {
        self.peer.end(Disconnect::new(reason, refuse.text.clone()));
        self.plan(REFUSAL_GRACE);
        let left = self.end_phase(phase);
        if self.outbox().peer().pacing.is_none() {
            let notice = RawJson::new(refuse).map(|params| Call::notice(methods::REFUSE, params));
            let _ = notice
                .map_err(Fault::from)
                .and_then(|notice| self.outbox().send(&notice.into()));
        }
        self.outbox().finish();
        self.leave(left, reason);
    }

    /// The client said goodbye: what it had here goes, and it is thrown out once it has what waits for it, or is given
    /// up.
    fn part(&self, phase: &mut Phase) {
        self.peer.end(Disconnect::closed());
        self.plan(REFUSAL_GRACE);
        let left = self.end_phase(phase);
        self.outbox().finish();
        self.leave(left, Reason::Closed);
    }

    /// Logs why the client was refused, if it just was. No lock may be held: the log may ask for the clients.
    fn log_refusal(&self) {
        let refusal = self.refusal.lock().take();
        if let Some(Refuse { code, text, .. }) = refusal.as_deref() {
            tracing::warn!(client = %self.id(), address = self.outbox().peer().address, %code, "{text}");
        }
    }

    /// Takes away what the client had here.
    fn leave(&self, phase: Phase, reason: Reason) {
        match phase {
            Phase::Native(native) => native.leave(self, reason),
            Phase::Pysig(pysig) => pysig.leave(self, reason),
            Phase::New | Phase::Gone => {}
        }
    }

    /// Says goodbye behind what waits for the client, and waits until it is gone.
    pub(super) async fn say_goodbye(&self, text: &str) {
        self.peer.end(Disconnect::new(Reason::Closed, text));
        self.plan(REFUSAL_GRACE);
        if self.outbox().peer().pacing.is_none() {
            let params = RawJson::new(&serde_json::json!({ "text": text })).unwrap_or_default();
            let _ = self
                .outbox()
                .send_in_order(&Call::notice(methods::GOODBYE, params).into());
        }
        self.outbox().finish();
        self.peer.gone().cancelled().await;
    }

    /// When it is to be looked after.
    pub(super) fn planned(&self) -> &Planned {
        &self.planned
    }

    /// It is to be looked after once so much time has passed, or before.
    pub(super) fn plan(&self, after: Duration) {
        if let Some(shared) = self.shared.upgrade() {
            shared.schedule.plan(self.id(), &self.planned, clock::now(), after);
        }
    }

    /// Looks after what depends on time; gives how long it may take until the next call, unless something is
    /// [planned](Self::plan) meanwhile.
    pub(super) fn tick(&self, now: Instant) -> Duration {
        let mut next = self.peer.tick(now).map_or(LONGEST_REST, |next| next.min(LONGEST_REST));
        let mut again = |after: Duration| next = next.min(after);
        if let Some((why, since)) = self.peer.ending() {
            // The router's own goodbye has a deadline of its own.
            let is_closing = || self.shared().is_ok_and(|shared| shared.closing.load(Ordering::Acquire));
            let left = REFUSAL_GRACE.saturating_sub(now.duration_since(*since));
            if left.is_zero() && (why.reason != Reason::Closed || !is_closing()) {
                self.peer.cut(&Disconnect::new(Reason::Kicked, "did not read why"));
            }
            again(left.max(TICK));
        }
        if self.told.get().is_none() && self.outbox().peer().pacing.is_none() {
            let left = HELLO_PATIENCE.saturating_sub(now.duration_since(self.opened));
            if left.is_zero() {
                self.expect_hello();
            }
            again(left.max(TICK));
        }
        let (expired, deadline) = self.awaited.expire(now);
        expired.into_iter().for_each(|(id, waiting)| self.expired(id, waiting));
        if let Some(deadline) = deadline {
            again(deadline.saturating_duration_since(now));
        }
        next
    }

    /// Refuses a client that has had time to say hello and did not.
    fn expect_hello(&self) {
        // A lock that is held now is so by the very thing that is waited for.
        let phase = self.phase.try_lock();
        if let Some(mut phase) = phase.filter(|phase| matches!(**phase, Phase::New)) {
            let text = format!("no hello within {HELLO_PATIENCE:?}");
            self.refuse(&mut phase, &Refuse::later(code::MALFORMED, text));
        }
        self.log_refusal();
    }

    fn take_message(&self, phase: &mut Phase, message: Message, size: usize) -> Result<(), Fault> {
        if !matches!(phase, Phase::Gone) && self.outbox().overflowed() {
            return Err(CarrierError::Other(UNREAD.to_owned()));
        }
        if let Phase::New = phase {
            *phase = match &message {
                Message::Call(call) if call.method.as_deref() == Some(methods::HELLO) => {
                    match Native::greet(self, &call.params) {
                        Ok(native) => Phase::Native(native),
                        Err(refuse) => {
                            self.refuse(phase, &refuse);
                            return Ok(());
                        }
                    }
                }
                _ if self.outbox().peer().encoding == Encoding::Packed => {
                    self.peer.skip_hello();
                    self.shown.set_dialect(Dialect::Pysig);
                    Phase::Pysig(Pysig::default())
                }
                _ => return Err(before_hello()),
            };
            if let Phase::Native(_) = phase {
                self.tell_of("sig/1");
                return Ok(());
            }
            self.tell_of("pysig");
        }
        match (phase, message) {
            (Phase::Gone | Phase::New, _) => Ok(()),
            (phase @ Phase::Native(_), Message::Call(call)) if call.method.as_deref() == Some(methods::GOODBYE) => {
                self.part(phase);
                Ok(())
            }
            (Phase::Native(native), Message::Call(call)) => native.take_call(self, call),
            (Phase::Native(native), Message::Event(event)) => native.take_event(self, &event, size),
            (Phase::Native(_), Message::Reply(reply)) => {
                self.awaited.answer(reply);
                Ok(())
            }
            (Phase::Pysig(pysig), Message::Call(call)) => pysig.take_call(self, call),
            (Phase::Pysig(pysig), Message::Reply(reply)) => {
                pysig.take_reply(self, reply);
                Ok(())
            }
            (Phase::Pysig(_), Message::Event(_)) => Err(before_hello()),
        }
    }

    /// The replies of the client that are waited for.
    pub(super) fn awaited(&self) -> &Awaited {
        &self.awaited
    }

    /// Notes that a reply is waited for; gives back for what when too many are.
    pub(super) fn wait_for(&self, what: Waiting, deadline: Instant) -> Result<u64, Waiting> {
        let id = self.awaited.add(what, deadline)?;
        self.plan(deadline.saturating_duration_since(clock::now()));
        Ok(id)
    }
}

impl Recall for ClientSession {
    fn recall(&self, id: u64) {
        drop(self.awaited.take(id));
    }
}

/// What is said before the hello, and should not be.
fn before_hello() -> Fault {
    CarrierError::Codec(CodecError::Shape("the first message must be a hello".to_owned()))
}

/// The refusal of a client that does not keep to the protocol. One that did so far may come back: what arrived may have
/// been damaged on the way.
fn malformed(phase: &Phase, error: &CarrierError) -> Refuse {
    // It may quote what the client sent, at any length.
    let printable = |c: char| if c.is_control() { ' ' } else { c };
    let text: String = error.to_string().chars().take(MAX_REFUSAL).map(printable).collect();
    match phase {
        Phase::Native(_) => Refuse::later(code::MALFORMED, text),
        Phase::New | Phase::Pysig(_) | Phase::Gone => Refuse::never(code::MALFORMED, text),
    }
}

/// A failure as a reply tells it.
pub(super) fn failed(code: &'static str, text: impl fmt::Display) -> Outcome {
    Outcome::Failed(Failure::new(code, text.to_string()))
}

impl Receiver for ClientSession {
    fn deliver(&self, batch: &mut Batch) -> Result<(), CarrierError> {
        let mut phase = self.phase.lock();
        let read = self.peer.read(batch, |arrived| match (arrived, &mut *phase) {
            (Arrived::Burst(burst), Phase::Native(native)) => native.take_burst(self, burst),
            (Arrived::Event(event, whole, memory), Phase::Native(native)) => {
                native.take_event_frame(self, &event, whole, memory)
            }
            (Arrived::Burst(_) | Arrived::Event(..), Phase::Gone) => Ok(()),
            (Arrived::Burst(_) | Arrived::Event(..), _) => Err(before_hello()),
            (Arrived::Message(message, size), phase) => self.take_message(phase, message, size),
        });
        let gone = match read {
            Err(CarrierError::UnknownClient(id)) => Err(CarrierError::UnknownClient(id)),
            Err(error) => {
                let refuse = malformed(&phase, &error);
                self.refuse(&mut phase, &refuse);
                Ok(())
            }
            Ok(()) => Ok(()),
        };
        drop(phase);
        self.log_refusal();
        gone
    }

    fn refuse(&self, why: &CarrierError) -> bool {
        let mut phase = self.phase.lock();
        let refuse = malformed(&phase, why);
        Self::refuse(self, &mut phase, &refuse);
        drop(phase);
        self.log_refusal();
        true
    }

    fn retire(&self, why: Disconnect) {
        let shared = self.shared.upgrade();
        let was_there = shared
            .as_ref()
            .and_then(|shared| shared.remove_client(self.id()))
            .is_some();
        if let Some((shared, instance)) = shared.as_ref().zip(self.instance.get()) {
            shared.instances.leave(instance, self.id());
        }
        self.roster.leave(self.id());
        let mut current = self.phase.lock();
        let why = match &*current {
            // One of ours says goodbye before it closes its link; one that was killed does not.
            Phase::Native(_) if why == Disconnect::closed() => Disconnect::link_lost("it left without a goodbye"),
            _ => why,
        };
        let why = self.peer.retire(why);
        let phase = self.end_phase(&mut current);
        drop(current);
        tracing::debug!(client = %self.id(), %why, "client disconnected");
        self.leave(phase, why.reason);
        if let (Some(shared), Some(dialect), true) = (shared, self.told.get(), was_there) {
            shared.client_left(self, dialect, &why);
        }
        self.awaited.end();
    }

    fn max_frame(&self) -> usize {
        self.peer.max_frame()
    }

    fn heard(&self) {
        self.peer.heard();
    }
}

impl fmt::Debug for ClientSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.peer.fmt(f)
    }
}
