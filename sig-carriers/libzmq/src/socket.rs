//! Sockets that never block.

use std::cell::Cell;
use std::ffi::CString;
use std::fmt;
use std::marker::PhantomData;
use std::os::fd::{BorrowedFd, OwnedFd, RawFd};
use std::ptr::{self, NonNull};

use bytes::Bytes;
use libc::{c_int, c_void, size_t};

use crate::frame::Message;
use crate::{Context, Failed, Frame, Origin, ffi};

const DONTWAIT: c_int = 1;
const SNDMORE: c_int = 2;
const FD: c_int = 14;
const EVENTS: c_int = 15;
const LAST_ENDPOINT: c_int = 32;
const MAXMSGSIZE: c_int = 22;

/// Options that are a number, with the numbers of `zmq.h`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i32)]
#[allow(missing_docs, reason = "they are libzmq's")]
pub enum Option32 {
    Linger = 17,
    ReconnectIvl = 18,
    Backlog = 19,
    ReconnectIvlMax = 21,
    SndHwm = 23,
    RcvHwm = 24,
    RouterMandatory = 33,
    Ipv6 = 42,
    PlainServer = 44,
    Conflate = 54,
    RouterHandover = 56,
    HandshakeIvl = 66,
    XpubNodrop = 69,
    HeartbeatIvl = 75,
    HeartbeatTtl = 76,
    HeartbeatTimeout = 77,
    RouterNotify = 97,
}

/// Options that are bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i32)]
#[allow(missing_docs, reason = "they are libzmq's")]
pub enum OptionBytes {
    RoutingId = 5,
    Subscribe = 6,
    Unsubscribe = 7,
    PlainUsername = 45,
    PlainPassword = 46,
    DisconnectMsg = 111,
}

/// A socket. It is closed when it is dropped, and lingers in the background.
pub struct Socket {
    raw: NonNull<c_void>,
    /// Of the types that have no descriptor of their own.
    poller: Option<NonNull<c_void>>,
    /// Outlives the socket.
    _context: Context,
    /// One thread at a time.
    _not_sync: PhantomData<Cell<()>>,
}

// SAFETY: libzmq allows a socket to migrate between threads with a full fence, which every way of moving a value gives.
unsafe impl Send for Socket {}

impl Socket {
    /// A socket of the type with this number.
    ///
    /// # Errors
    ///
    /// When libzmq has no such type, or no room.
    pub fn new(context: &Context, kind: i32) -> Result<Self, Failed> {
        // SAFETY: the context is valid, and held by the socket from here on.
        let raw = unsafe { ffi::zmq_socket(context.pointer(), kind) };
        Ok(Self {
            raw: NonNull::new(raw).ok_or_else(Failed::last)?,
            poller: None,
            _context: context.clone(),
            _not_sync: PhantomData,
        })
    }

    /// Sets an option.
    ///
    /// # Errors
    ///
    /// When the type has no such option or the value cannot be.
    pub fn set(&self, option: Option32, value: i32) -> Result<(), Failed> {
        self.set_raw(option as c_int, &value.to_ne_bytes())
    }

    /// Sets an option.
    ///
    /// # Errors
    ///
    /// As [`set`](Self::set).
    pub fn set_bytes(&self, option: OptionBytes, value: &[u8]) -> Result<(), Failed> {
        self.set_raw(option as c_int, value)
    }

    /// The longest message that is received.
    ///
    /// # Errors
    ///
    /// As [`set`](Self::set).
    pub fn set_max_message(&self, bytes: i64) -> Result<(), Failed> {
        self.set_raw(MAXMSGSIZE, &bytes.to_ne_bytes())
    }

    fn set_raw(&self, option: c_int, value: &[u8]) -> Result<(), Failed> {
        // SAFETY: the socket is valid, and the value is read during the call only.
        Failed::check(unsafe { ffi::zmq_setsockopt(self.raw.as_ptr(), option, value.as_ptr().cast(), value.len()) })
    }

    fn get_i32(&self, option: c_int) -> Result<i32, Failed> {
        let mut value: c_int = 0;
        let mut len: size_t = size_of::<c_int>();
        let into = ptr::from_mut(&mut value).cast();
        // SAFETY: the socket is valid, and the room is as large as it says.
        Failed::check(unsafe { ffi::zmq_getsockopt(self.raw.as_ptr(), option, into, &mut len) })?;
        Ok(value)
    }

    /// Whether a message can be received, and whether one can be sent.
    ///
    /// # Errors
    ///
    /// When the context has ended.
    pub fn ready(&self) -> Result<(bool, bool), Failed> {
        let events = self.get_i32(EVENTS)?;
        Ok((events & 1 != 0, events & 2 != 0))
    }

    /// A descriptor that becomes readable, once each time, when [`ready`](Self::ready) may have changed. It is a copy, and the caller's.
    ///
    /// # Errors
    ///
    /// When the system has no room.
    pub(crate) fn descriptor(&mut self) -> Result<OwnedFd, Failed> {
        let fd = match self.get_i32(FD) {
            // Drafts that may be used from several threads have none.
            Err(Failed(libc::EINVAL)) => self.poller_descriptor()?,
            other => other?,
        };
        // SAFETY: the descriptor is open as long as the socket, or its poller, which is longer than this borrow.
        let borrowed = unsafe { BorrowedFd::borrow_raw(fd) };
        let copied = borrowed.try_clone_to_owned();
        copied.map_err(|error| Failed(error.raw_os_error().unwrap_or(libc::EMFILE)))
    }

    fn poller_descriptor(&mut self) -> Result<RawFd, Failed> {
        const BOTH: i16 = 3;
        if self.poller.is_none() {
            // SAFETY: it takes nothing; the socket is added while valid, and removed before it is closed.
            unsafe {
                let poller = NonNull::new(ffi::zmq_poller_new()).ok_or_else(Failed::last)?;
                self.poller = Some(poller);
                let added = ffi::zmq_poller_add(poller.as_ptr(), self.raw.as_ptr(), ptr::null_mut(), BOTH);
                Failed::check(added)?;
            }
        }
        let Some(poller) = self.poller else {
            return Err(Failed(libc::EINVAL));
        };
        let mut fd: c_int = -1;
        // SAFETY: the poller is valid, and the room is there.
        Failed::check(unsafe { ffi::zmq_poller_fd(poller.as_ptr(), &mut fd) })?;
        Ok(fd)
    }

    /// Where it was bound last.
    ///
    /// # Errors
    ///
    /// When the context has ended.
    pub fn last_endpoint(&self) -> Result<String, Failed> {
        let mut room = vec![0_u8; 1024];
        let mut len: size_t = room.len();
        // SAFETY: the socket is valid, and the room is as large as it says.
        Failed::check(unsafe {
            ffi::zmq_getsockopt(self.raw.as_ptr(), LAST_ENDPOINT, room.as_mut_ptr().cast(), &mut len)
        })?;
        room.truncate(len);
        while room.last() == Some(&0) {
            room.pop();
        }
        Ok(String::from_utf8_lossy(&room).into_owned())
    }

    /// Listens.
    ///
    /// # Errors
    ///
    /// When the endpoint is none, or cannot be bound.
    pub fn bind(&self, endpoint: &str) -> Result<(), Failed> {
        self.with(endpoint, ffi::zmq_bind)
    }

    /// Connects in the background.
    ///
    /// # Errors
    ///
    /// When the endpoint is none.
    pub fn connect(&self, endpoint: &str) -> Result<(), Failed> {
        self.with(endpoint, ffi::zmq_connect)
    }

    /// Listens there no more.
    ///
    /// # Errors
    ///
    /// When it does not.
    pub fn unbind(&self, endpoint: &str) -> Result<(), Failed> {
        self.with(endpoint, ffi::zmq_unbind)
    }

    /// Connects there no more.
    ///
    /// # Errors
    ///
    /// When it does not.
    pub fn disconnect(&self, endpoint: &str) -> Result<(), Failed> {
        self.with(endpoint, ffi::zmq_disconnect)
    }

    /// Joins a group, on a DISH.
    ///
    /// # Errors
    ///
    /// When it is no DISH, the name is too long, or it has joined.
    pub fn join(&self, group: &str) -> Result<(), Failed> {
        self.with(group, ffi::zmq_join)
    }

    /// Leaves a group.
    ///
    /// # Errors
    ///
    /// When it has not joined.
    pub fn leave(&self, group: &str) -> Result<(), Failed> {
        self.with(group, ffi::zmq_leave)
    }

    /// Connects a PEER, and gives the routing id of the other one.
    ///
    /// # Errors
    ///
    /// When it is no PEER or the endpoint is none.
    pub fn connect_peer(&self, endpoint: &str) -> Result<u32, Failed> {
        let endpoint = CString::new(endpoint).map_err(|_| Failed(libc::EINVAL))?;
        // SAFETY: the socket is valid, and the text is read during the call only.
        match unsafe { ffi::zmq_connect_peer(self.raw.as_ptr(), endpoint.as_ptr()) } {
            0 => Err(Failed::last()),
            id => Ok(id),
        }
    }

    /// Tells what happens to its links to SUB sockets that connect to this `inproc` endpoint. A PAIR, as is usual, would block a thread of
    /// libzmq once its listener is gone.
    ///
    /// # Errors
    ///
    /// When the endpoint is taken.
    pub fn monitor(&self, endpoint: &str) -> Result<(), Failed> {
        const ALL: u64 = 0xffff;
        const VERSION: c_int = 2;
        const PUB: c_int = 1;
        let endpoint = CString::new(endpoint).map_err(|_| Failed(libc::EINVAL))?;
        // SAFETY: the socket is valid, and the text is read during the call only.
        Failed::check(unsafe {
            ffi::zmq_socket_monitor_versioned(self.raw.as_ptr(), endpoint.as_ptr(), ALL, VERSION, PUB)
        })
    }

    fn with(
        &self,
        text: &str,
        call: unsafe extern "C" fn(*mut c_void, *const libc::c_char) -> c_int,
    ) -> Result<(), Failed> {
        let text = CString::new(text).map_err(|_| Failed(libc::EINVAL))?;
        // SAFETY: every function that is given here takes a valid socket and a text that it reads during the call.
        Failed::check(unsafe { call(self.raw.as_ptr(), text.as_ptr()) })
    }

    /// Sends a frame, to a peer (0 for none) and a group (empty for none), and more of the same message after it.
    ///
    /// # Errors
    ///
    /// [`Failed::AGAIN`] when there is no room now, which happens at the first frame of a message only.
    pub fn send(&self, bytes: Bytes, routing_id: u32, group: &[u8], more: bool) -> Result<(), Failed> {
        let mut message = Message::of(bytes)?;
        if routing_id != 0 {
            message.set_routing_id(routing_id)?;
        }
        if !group.is_empty() {
            message.set_group(group)?;
        }
        let flags = if more { DONTWAIT | SNDMORE } else { DONTWAIT };
        // SAFETY: both are valid. What is sent leaves an empty message behind, what is not stays; either is closed by us.
        Failed::check(unsafe { ffi::zmq_msg_send(message.pointer(), self.raw.as_ptr(), flags) })
    }

    /// The next frame.
    ///
    /// # Errors
    ///
    /// [`Failed::AGAIN`] when there is none, which happens before the first frame of a message only.
    pub fn recv(&self) -> Result<Frame, Failed> {
        Ok(self.received()?.frame())
    }

    /// The next frame, and where it came from.
    ///
    /// # Errors
    ///
    /// As [`recv`](Self::recv).
    pub fn recv_from(&self) -> Result<(Frame, Origin), Failed> {
        let mut message = self.received()?;
        Ok((message.frame(), message.origin()))
    }

    fn received(&self) -> Result<Message, Failed> {
        let mut message = Message::empty();
        // SAFETY: both are valid.
        Failed::check(unsafe { ffi::zmq_msg_recv(message.pointer(), self.raw.as_ptr(), DONTWAIT) })?;
        Ok(message)
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        // SAFETY: both are valid and ended once, the poller first, since it knows the socket.
        unsafe {
            if let Some(poller) = self.poller {
                ffi::zmq_poller_remove(poller.as_ptr(), self.raw.as_ptr());
                let mut pointer = poller.as_ptr();
                ffi::zmq_poller_destroy(&mut pointer);
            }
            ffi::zmq_close(self.raw.as_ptr());
        }
    }
}

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Socket")
    }
}
