//! How deep code of the program calls itself through a router.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

/// How deep triggers may be nested on one thread, and as much again how deep requests may.
pub(crate) const MAX_NESTING: u32 = 128;

/// Few functions are ever called by one another at the same time.
const FEW: usize = 16;

thread_local! {
    /// With nothing to be dropped it is quick to find, and still there while a thread ends.
    static HERE: Here = const {
        Here {
            nesting: Cell::new(0),
            depth: Cell::new(0),
            inside: [const { Cell::new(0) }; FEW],
        }
    };

    /// What this thread is in further in.
    static DEEP_INSIDE: RefCell<Vec<usize>> = const { RefCell::new(Vec::new()) };

    /// How deep it is in requests whose handlers are called on the spot.
    static ASKING: Cell<u32> = const { Cell::new(0) };
}

/// Where in the program's own code this thread is.
#[derive(Debug)]
pub(crate) struct Here {
    /// How deep it is in listeners and handlers that are called on the spot.
    nesting: Cell<u32>,
    /// How many things it is [inside](Self::go_inside) of, and the addresses of the first few.
    depth: Cell<usize>,
    inside: [Cell<usize>; FEW],
}

/// Does something where this thread is.
#[inline]
pub(crate) fn here<T>(work: impl FnOnce(&Here) -> T) -> T {
    HERE.with(work)
}

/// The addresses of all that this thread is inside of.
pub(crate) fn inside() -> Vec<usize> {
    let mut all = here(|here| {
        let inside = here.inside.iter().take(here.depth.get());
        inside.map(Cell::get).collect::<Vec<_>>()
    });
    deep_inside(|inside| all.extend_from_slice(inside));
    all
}

/// A thread that is ending (a sender in a thread local leaves late) does without.
#[cold]
fn deep_inside(note: impl FnOnce(&mut Vec<usize>)) {
    let _ = DEEP_INSIDE.try_with(|inside| note(&mut inside.borrow_mut()));
}

impl Here {
    /// One level deeper, if that is allowed.
    #[inline]
    pub(crate) fn go_deeper(&self) -> Option<Deeper<'_>> {
        let nesting = self.nesting.get();
        (nesting < MAX_NESTING).then(|| {
            self.nesting.set(nesting + 1);
            Deeper(self)
        })
    }

    /// Notes that this thread is inside of what is at this address.
    #[inline]
    pub(crate) fn go_inside(&self, address: usize) -> Inside<'_> {
        let depth = self.depth.get();
        match self.inside.get(depth) {
            Some(place) => place.set(address),
            None => deep_inside(|inside| inside.push(address)),
        }
        self.depth.set(depth + 1);
        Inside(self)
    }
}

/// Until it is dropped this thread is one level deeper.
pub(crate) struct Deeper<'a>(&'a Here);

impl Drop for Deeper<'_> {
    #[inline]
    fn drop(&mut self) {
        self.0.nesting.set(self.0.nesting.get() - 1);
    }
}

/// Until it is dropped this thread is inside of something.
pub(crate) struct Inside<'a>(&'a Here);

impl Drop for Inside<'_> {
    #[inline]
    fn drop(&mut self) {
        let depth = self.0.depth.get() - 1;
        self.0.depth.set(depth);
        if depth >= FEW {
            deep_inside(|inside| _ = inside.pop());
        }
    }
}

/// Counts the nesting on this thread: of triggers, and of senders that come and go.
#[derive(Debug)]
pub(crate) struct Nesting;

impl Nesting {
    /// One level deeper, or the limit that forbids it.
    pub(crate) fn enter() -> Result<Self, u32> {
        let deeper = here(|here| here.go_deeper().map(std::mem::forget));
        deeper.map(|()| Self).ok_or(MAX_NESTING)
    }

    /// One level deeper, for what cannot be refused.
    pub(crate) fn go_on() -> Self {
        here(|here| here.nesting.set(here.nesting.get() + 1));
        Self
    }
}

impl Drop for Nesting {
    fn drop(&mut self) {
        here(|here| drop(Deeper(here)));
    }
}

/// Runs a future each of whose polls is one level deeper; `Err` is the limit that forbids it.
pub(crate) async fn nested<F: Future>(future: F) -> Result<F::Output, u32> {
    let mut future = pin!(future);
    poll_fn(|cx| match Asking::enter() {
        Ok(_deeper) => future.as_mut().poll(cx).map(Ok),
        Err(limit) => Poll::Ready(Err(limit)),
    })
    .await
}

/// Counts the requests that are nested on this thread. Apart from triggers: a chain of both goes as deep as either.
struct Asking;

impl Asking {
    fn enter() -> Result<Self, u32> {
        if ASKING.get() >= MAX_NESTING {
            return Err(MAX_NESTING);
        }
        ASKING.set(ASKING.get() + 1);
        Ok(Self)
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        ASKING.set(ASKING.get() - 1);
    }
}
