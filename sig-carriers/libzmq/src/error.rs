//! What libzmq reports.

use std::ffi::CStr;
use std::fmt;

use crate::ffi;

/// An error number of libzmq's.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Failed(pub i32);

impl Failed {
    /// Nothing can be done without waiting.
    pub const AGAIN: Self = Self(libc::EAGAIN);
    /// The socket is not in a state for this.
    pub const STATE: Self = Self(156_384_763);

    /// The error of the last call on this thread.
    pub(crate) fn last() -> Self {
        // SAFETY: it takes nothing and only reads the number of this thread.
        Self(unsafe { ffi::zmq_errno() })
    }

    pub(crate) fn check(result: i32) -> Result<(), Self> {
        if result < 0 { Err(Self::last()) } else { Ok(()) }
    }
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // SAFETY: it gives a text that ends with a zero and lives as long as the program.
        let text = unsafe { CStr::from_ptr(ffi::zmq_strerror(self.0)) };
        f.write_str(&text.to_string_lossy())
    }
}

impl fmt::Debug for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Failed({}, {self})", self.0)
    }
}

impl std::error::Error for Failed {}
