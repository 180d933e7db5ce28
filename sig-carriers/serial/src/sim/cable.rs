//! Two ends of a cable.

use std::collections::VecDeque;
use std::future::Future as _;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

use super::Noise;
use crate::Line;

/// How many bytes a driver keeps that were written and not sent.
const FIFO: usize = 4096;

/// A cable between two UARTs of the same rate.
///
/// ```
/// use sig_carrier_serial::Line as _;
/// use sig_carrier_serial::sim::{Cable, Noise};
/// use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(async {
/// let (cable, mut near, mut far) = Cable::new(9600, 1);
/// near.write_all(&[7; 960]).await.unwrap();
/// assert_eq!(near.queued(), Some(960));
///
/// let began = tokio::time::Instant::now();
/// far.read_exact(&mut [0; 960]).await.unwrap();
/// assert!(began.elapsed().as_millis().abs_diff(1000) < 5);
///
/// cable.set_noise(Noise::of(1_000));
/// # });
/// ```
#[derive(Debug, Clone)]
pub struct Cable {
    ways: [Arc<Mutex<Way>>; 2],
}

/// One end of a [`Cable`].
#[derive(Debug)]
pub struct SimLine {
    out: Arc<Mutex<Way>>,
    incoming: Arc<Mutex<Way>>,
    reading: Pin<Box<Sleep>>,
    writing: Pin<Box<Sleep>>,
    byte_time: Duration,
}

/// One direction.
#[derive(Debug)]
struct Way {
    byte_time: Duration,
    /// What was written, with the time at which each byte has left the sender.
    sending: VecDeque<(Instant, u8)>,
    /// What comes out, and when.
    coming: VecDeque<(Instant, u8)>,
    /// Until when the wire is busy, and from when on nothing arrives earlier.
    busy: Instant,
    last: Instant,
    noise: Noise,
    jitter: Duration,
    random: fastrand::Rng,
    sent: u64,
    damaged: u64,
    cut: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

impl Cable {
    /// A cable at this rate, and its two ends. The seed says what chance does.
    #[must_use]
    pub fn new(baud: u32, seed: u64) -> (Self, SimLine, SimLine) {
        let byte_time = Duration::from_nanos(10_000_000_000 / u64::from(baud.max(1)));
        let way = |seed| {
            let now = Instant::now();
            Arc::new(Mutex::new(Way {
                byte_time,
                sending: VecDeque::new(),
                coming: VecDeque::new(),
                busy: now,
                last: now,
                noise: Noise::NONE,
                jitter: Duration::ZERO,
                random: fastrand::Rng::with_seed(seed),
                sent: 0,
                damaged: 0,
                cut: false,
                reader: None,
                writer: None,
            }))
        };
        let ways = [way(seed), way(!seed)];
        let end = |out: usize| SimLine {
            out: Arc::clone(&ways[out]),
            incoming: Arc::clone(&ways[1 - out]),
            reading: Box::pin(sleep_until(Instant::now())),
            writing: Box::pin(sleep_until(Instant::now())),
            byte_time,
        };
        (Self { ways: ways.clone() }, end(0), end(1))
    }

    /// From now on, bytes are damaged so often in both directions.
    pub fn set_noise(&self, noise: Noise) {
        self.ways().for_each(|mut way| way.noise = noise);
    }

    /// From now on, bytes come up to this much later than they were sent, in their order.
    pub fn set_jitter(&self, jitter: Duration) {
        self.ways().for_each(|mut way| way.jitter = jitter);
    }

    /// Pulls the cable out: both ends see the end.
    pub fn cut(&self) {
        self.ways().for_each(|mut way| {
            way.cut = true;
            way.wake();
        });
    }

    /// How many bytes were sent from the first end, and from the second.
    #[must_use]
    pub fn sent(&self) -> [u64; 2] {
        [lock(&self.ways[0]).sent, lock(&self.ways[1]).sent]
    }

    /// How many bytes were damaged in both directions.
    #[must_use]
    pub fn damaged(&self) -> u64 {
        self.ways().map(|way| way.damaged).sum()
    }

    fn ways(&self) -> impl Iterator<Item = MutexGuard<'_, Way>> {
        self.ways.iter().map(|way| lock(way))
    }
}

fn lock(way: &Mutex<Way>) -> MutexGuard<'_, Way> {
    way.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Way {
    fn put(&mut self, byte: u8, now: Instant) {
        self.busy = self.busy.max(now) + self.byte_time;
        self.sending.push_back((self.busy, byte));
        self.sent += 1;
        let late = self.jitter.mul_f64(self.random.f64());
        let at = (self.busy + late).max(self.last);
        self.last = at;
        let (noise, coming) = (self.noise, &mut self.coming);
        let damaged = noise.strike(byte, &mut self.random, &mut |byte| coming.push_back((at, byte)));
        self.damaged += u64::from(damaged);
    }

    fn queued(&mut self, now: Instant) -> usize {
        while self.sending.front().is_some_and(|(at, _)| *at <= now) {
            self.sending.pop_front();
        }
        self.sending.len()
    }

    fn wake(&mut self) {
        for waker in [self.reader.take(), self.writer.take()].into_iter().flatten() {
            waker.wake();
        }
    }
}

impl Line for SimLine {
    fn queued(&self) -> Option<usize> {
        Some(lock(&self.out).queued(Instant::now()))
    }

    fn byte_time(&self) -> Duration {
        self.byte_time
    }
}

impl AsyncRead for SimLine {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        loop {
            let mut way = lock(&this.incoming);
            let now = Instant::now();
            let before = buf.remaining();
            while buf.remaining() > 0 && way.coming.front().is_some_and(|(at, _)| *at <= now) {
                buf.put_slice(way.coming.pop_front().map(|(_, byte)| byte).as_slice());
            }
            if buf.remaining() < before || way.cut {
                return Poll::Ready(Ok(()));
            }
            way.reader = Some(cx.waker().clone());
            let Some((at, _)) = way.coming.front() else {
                return Poll::Pending;
            };
            // A driver hands over what came within a millisecond.
            let at = *at + Duration::from_millis(1);
            drop(way);
            this.reading.as_mut().reset(at);
            if this.reading.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
        }
    }
}

impl AsyncWrite for SimLine {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        loop {
            let mut way = lock(&this.out);
            let now = Instant::now();
            if way.cut {
                return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
            }
            let room = FIFO - way.queued(now);
            let count = room.min(bytes.len());
            if count > 0 || bytes.is_empty() {
                bytes[..count].iter().for_each(|byte| way.put(*byte, now));
                if let Some(reader) = way.reader.take() {
                    reader.wake();
                }
                return Poll::Ready(Ok(count));
            }
            way.writer = Some(cx.waker().clone());
            drop(way);
            this.writing.as_mut().reset(now + this.byte_time * 64);
            if this.writing.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
