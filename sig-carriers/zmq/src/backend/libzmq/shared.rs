//! One socket, used by several tasks.

use std::pin::pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sig_libzmq::{Failed, Option32, Signal, Socket};
use tokio::sync::Notify;

/// After it is closed.
pub(super) const CLOSED: Failed = Failed(-1);

/// How often it is tried again to send to one of several peers, of which libzmq does not tell which one has room again.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// A socket under a lock, and what wakes those who wait for it.
///
/// libzmq's descriptor tells once that something has changed, to whoever asks first. So each call that may have taken the news looks what
/// it was, and wakes those whom it concerns.
#[derive(Debug)]
pub(super) struct Shared {
    socket: Mutex<Option<Socket>>,
    signal: Signal,
    receivable: Notify,
    sendable: Notify,
    /// It counts as ready to send when some peer has room, whichever a message is for.
    is_vague: bool,
}

impl Shared {
    pub(super) fn new(mut socket: Socket, is_vague: bool) -> Result<Self, Failed> {
        let signal = Signal::of(&mut socket)?;
        Ok(Self {
            socket: Mutex::new(Some(socket)),
            signal,
            receivable: Notify::new(),
            sendable: Notify::new(),
            is_vague,
        })
    }

    /// A call that neither sends nor receives.
    pub(super) fn with<T>(&self, call: impl FnOnce(&Socket) -> Result<T, Failed>) -> Result<T, Failed> {
        let socket = self.lock();
        let socket = socket.as_ref().ok_or(CLOSED)?;
        let done = call(socket);
        if let Ok((receive, send)) = socket.ready() {
            self.wake(receive, send);
        }
        done
    }

    pub(super) fn send_now<T>(&self, mut call: impl FnMut(&Socket) -> Result<T, Failed>) -> Result<T, Failed> {
        let socket = self.lock();
        let socket = socket.as_ref().ok_or(CLOSED)?;
        let mut attempts = 0;
        loop {
            let done = call(socket);
            attempts += 1;
            // Asking may make room, and then nothing else tells of it: libzmq looks at its news only now and then when it sends.
            let (receive, send) = socket.ready()?;
            if send && matches!(done, Err(Failed::AGAIN)) && (attempts == 1 || !self.is_vague) {
                continue;
            }
            self.wake(receive, send && done.is_ok());
            return done;
        }
    }

    pub(super) fn receive_now<T>(&self, mut call: impl FnMut(&Socket) -> Result<T, Failed>) -> Result<T, Failed> {
        let socket = self.lock();
        let socket = socket.as_ref().ok_or(CLOSED)?;
        loop {
            let done = call(socket);
            let (receive, send) = socket.ready()?;
            if receive && matches!(done, Err(Failed::AGAIN)) {
                continue;
            }
            self.wake(receive && done.is_ok(), send);
            return done;
        }
    }

    pub(super) async fn sending<T>(&self, mut call: impl FnMut(&Socket) -> Result<T, Failed>) -> Result<T, Failed> {
        tokio::task::consume_budget().await;
        loop {
            let attempts = self.until(&self.sendable, || self.send_now(&mut call));
            if !self.is_vague {
                return attempts.await;
            }
            if let Ok(done) = tokio::time::timeout(LOOK_AGAIN, attempts).await {
                return done;
            }
        }
    }

    pub(super) async fn receiving<T>(&self, mut call: impl FnMut(&Socket) -> Result<T, Failed>) -> Result<T, Failed> {
        tokio::task::consume_budget().await;
        self.until(&self.receivable, || self.receive_now(&mut call)).await
    }

    async fn until<T>(&self, woken: &Notify, mut attempt: impl FnMut() -> Result<T, Failed>) -> Result<T, Failed> {
        loop {
            let mut notified = pin!(woken.notified());
            // From here on, so that no waking is missed between the attempt and the waiting.
            notified.as_mut().enable();
            match attempt() {
                Err(Failed::AGAIN) => {}
                done => return done,
            }
            tokio::select! {
                () = notified => {}
                // Others may have waited for the same news, and this one takes it.
                () = self.signal.changed() => self.wake(true, true),
            }
        }
    }

    fn wake(&self, receive: bool, send: bool) {
        if receive {
            self.receivable.notify_waiters();
        }
        if send {
            self.sendable.notify_waiters();
        }
    }

    /// Ends it in the background. Whoever waits is told.
    pub(super) fn close(&self, linger: Option<Duration>) {
        let socket = self.lock().take();
        if let Some(socket) = socket {
            let millis = linger.map_or(-1, |linger| i32::try_from(linger.as_millis()).unwrap_or(i32::MAX));
            // A socket that is ending has no options any more.
            let _ = socket.set(Option32::Linger, millis);
        }
        self.wake(true, true);
    }

    /// As [`close`](Self::close), with the linger of its options.
    pub(super) fn abandon(&self) {
        drop(self.lock().take());
    }

    fn lock(&self) -> MutexGuard<'_, Option<Socket>> {
        self.socket.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
