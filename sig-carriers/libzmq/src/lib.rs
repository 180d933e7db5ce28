#![doc = include_str!("../README.md")]
#![cfg(all(unix, feature = "bundled"))]

mod error;
mod ffi;
mod frame;
mod line;
mod signal;
mod socket;

use std::ptr::NonNull;
use std::sync::Arc;

use libc::c_void;

pub use error::Failed;
pub use frame::{Frame, Origin};
pub use line::Line;
pub use signal::Signal;
pub use socket::{Option32, OptionBytes, Socket};

/// Where sockets live. Those of one context reach each other by `inproc`.
#[derive(Debug, Clone)]
pub struct Context(Arc<Raw>);

#[derive(Debug)]
struct Raw(NonNull<c_void>);

// SAFETY: libzmq allows a context to be used from any thread, by several at once.
unsafe impl Send for Raw {}
// SAFETY: as above.
unsafe impl Sync for Raw {}

impl Context {
    /// A new one, for up to this many sockets.
    ///
    /// # Errors
    ///
    /// When the system has no room for it.
    pub fn new(sockets: i32) -> Result<Self, Failed> {
        // SAFETY: it takes nothing, and gives a context or null.
        let raw = unsafe { ffi::zmq_ctx_new() };
        let raw = Raw(NonNull::new(raw).ok_or_else(Failed::last)?);
        const MAX_SOCKETS: i32 = 2;
        // SAFETY: the context is valid as long as `raw` is.
        match unsafe { ffi::zmq_ctx_set(raw.0.as_ptr(), MAX_SOCKETS, sockets) } {
            0 => Ok(Self(Arc::new(raw))),
            _ => Err(Failed::last()),
        }
    }

    pub(crate) fn pointer(&self) -> *mut c_void {
        self.0.0.as_ptr()
    }
}

impl Drop for Raw {
    /// Ends it when all its sockets have, which is as long as they linger: on a thread of its own, so that nobody waits here.
    fn drop(&mut self) {
        struct Last(NonNull<c_void>);
        // SAFETY: a context may be ended from any thread.
        unsafe impl Send for Last {}
        impl Last {
            fn end(self) {
                // SAFETY: nobody else has the pointer any more, for every socket holds the context.
                unsafe { ffi::zmq_ctx_term(self.0.as_ptr()) };
            }
        }
        let last = Last(self.0);
        // Where there can be no thread the context stays, and nothing hangs.
        let _ = std::thread::Builder::new()
            .name("zmq-end".to_owned())
            .spawn(move || last.end());
    }
}
