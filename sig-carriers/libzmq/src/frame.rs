//! Frames, and the C messages they travel in.

use std::ffi::{CStr, CString};
use std::mem::MaybeUninit;
use std::slice;

use bytes::Bytes;
use libc::c_void;

use crate::Failed;
use crate::ffi::{self, Msg};

/// One frame of a message.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Frame {
    /// What it holds.
    pub bytes: Vec<u8>,
    /// Whether another frame of the same message follows.
    pub more: bool,
    /// The peer that it came from, on SERVER and PEER sockets; else 0.
    pub routing_id: u32,
    /// The group it was sent to, on DISH sockets.
    pub group: Vec<u8>,
}

/// Where a frame came from, as far as libzmq tells. It tells nothing of `inproc`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Origin {
    /// The descriptor of the link.
    pub descriptor: Option<i32>,
    /// The type of the socket at the other end, in capitals.
    pub kind: String,
    /// The name that PLAIN proved.
    pub user: Option<String>,
}

/// Frames up to this size are copied, for that is cheaper than sharing them.
const COPIED: usize = 1024;

/// A C message, closed when it is dropped.
pub(crate) struct Message(Msg);

impl Message {
    pub(crate) fn empty() -> Self {
        let mut message = MaybeUninit::<Msg>::uninit();
        // SAFETY: it fills all of the message, which has the size and alignment that libzmq asks for, and cannot fail.
        Self(unsafe {
            ffi::zmq_msg_init(message.as_mut_ptr());
            message.assume_init()
        })
    }

    /// Of bytes that libzmq gives back when they are sent. Small ones are copied.
    pub(crate) fn of(bytes: Bytes) -> Result<Self, Failed> {
        if bytes.len() <= COPIED {
            return Self::copied(&bytes);
        }
        let (data, size) = (bytes.as_ptr(), bytes.len());
        let owner = Box::into_raw(Box::new(bytes)).cast::<c_void>();
        let mut message = MaybeUninit::<Msg>::uninit();
        // SAFETY: the bytes stay where they are as long as their owner lives, which `give_back` ends, once, from whatever thread is done
        // with them last; libzmq only reads them. When the call fails it keeps nothing, and the owner is taken back.
        unsafe {
            let made = ffi::zmq_msg_init_data(message.as_mut_ptr(), data.cast_mut().cast(), size, give_back, owner);
            if let Err(error) = Failed::check(made) {
                give_back(std::ptr::null_mut(), owner);
                return Err(error);
            }
            Ok(Self(message.assume_init()))
        }
    }

    fn copied(bytes: &[u8]) -> Result<Self, Failed> {
        let mut message = MaybeUninit::<Msg>::uninit();
        // SAFETY: as above; it is filled when the call succeeds.
        let mut message = unsafe {
            Failed::check(ffi::zmq_msg_init_size(message.as_mut_ptr(), bytes.len()))?;
            Self(message.assume_init())
        };
        // SAFETY: the message was made with room for exactly these bytes, and nobody else has it.
        unsafe {
            let room = ffi::zmq_msg_data(message.pointer()).cast::<u8>();
            std::ptr::copy_nonoverlapping(bytes.as_ptr(), room, bytes.len());
        }
        Ok(message)
    }

    pub(crate) fn set_routing_id(&mut self, routing_id: u32) -> Result<(), Failed> {
        // SAFETY: the message is valid.
        Failed::check(unsafe { ffi::zmq_msg_set_routing_id(self.pointer(), routing_id) })
    }

    pub(crate) fn set_group(&mut self, group: &[u8]) -> Result<(), Failed> {
        let group = CString::new(group).map_err(|_| Failed(libc::EINVAL))?;
        // SAFETY: the message is valid, and the text is copied by the call.
        Failed::check(unsafe { ffi::zmq_msg_set_group(self.pointer(), group.as_ptr()) })
    }

    pub(crate) fn pointer(&mut self) -> *mut Msg {
        &mut self.0
    }

    pub(crate) fn origin(&mut self) -> Origin {
        let message = self.pointer();
        let property = |name: &CStr| {
            // SAFETY: message and name are valid; the text, if there is one, lives until the message is closed and is copied here.
            unsafe {
                let text = ffi::zmq_msg_gets(message, name.as_ptr());
                (!text.is_null()).then(|| CStr::from_ptr(text).to_string_lossy().into_owned())
            }
        };
        Origin {
            descriptor: property(c"__fd").and_then(|text| text.parse().ok()),
            kind: property(c"Socket-Type").unwrap_or_default(),
            user: property(c"User-Id").filter(|user| !user.is_empty()),
        }
    }

    pub(crate) fn frame(&mut self) -> Frame {
        let message = self.pointer();
        // SAFETY: the message is valid; data and group live until it is closed, and are copied here. Empty data may be null.
        unsafe {
            let len = ffi::zmq_msg_size(message);
            let bytes = match len {
                0 => Vec::new(),
                _ => slice::from_raw_parts(ffi::zmq_msg_data(message).cast::<u8>(), len).to_vec(),
            };
            let group = ffi::zmq_msg_group(message);
            Frame {
                bytes,
                more: ffi::zmq_msg_more(message) != 0,
                routing_id: ffi::zmq_msg_routing_id(message),
                group: match group.is_null() {
                    true => Vec::new(),
                    false => CStr::from_ptr(group).to_bytes().to_vec(),
                },
            }
        }
    }
}

impl Drop for Message {
    fn drop(&mut self) {
        // SAFETY: it is valid and closed once.
        unsafe { ffi::zmq_msg_close(self.pointer()) };
    }
}

/// Ends the owner of the bytes of a message.
///
/// # Safety
///
/// The hint is the one that [`Message::of`] made, and comes once.
unsafe extern "C" fn give_back(_data: *mut c_void, hint: *mut c_void) {
    // SAFETY: as the caller promises.
    drop(unsafe { Box::from_raw(hint.cast::<Bytes>()) });
}
