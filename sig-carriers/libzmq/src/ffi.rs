//! The functions of libzmq that are used, as `zmq.h` and `zmq_draft.h` of version 4.3.5 declare them.

use libc::{c_char, c_int, c_short, c_void, size_t};

/// `zmq_msg_t`: 64 bytes, aligned as a pointer.
#[repr(C, align(8))]
pub(crate) struct Msg(pub(crate) [u8; 64]);

unsafe extern "C" {
    pub(crate) fn zmq_errno() -> c_int;
    pub(crate) fn zmq_strerror(number: c_int) -> *const c_char;
    pub(crate) fn zmq_ctx_new() -> *mut c_void;
    pub(crate) fn zmq_ctx_term(context: *mut c_void) -> c_int;
    pub(crate) fn zmq_ctx_set(context: *mut c_void, option: c_int, value: c_int) -> c_int;
    pub(crate) fn zmq_socket(context: *mut c_void, kind: c_int) -> *mut c_void;
    pub(crate) fn zmq_close(socket: *mut c_void) -> c_int;
    pub(crate) fn zmq_setsockopt(socket: *mut c_void, option: c_int, value: *const c_void, len: size_t) -> c_int;
    pub(crate) fn zmq_getsockopt(socket: *mut c_void, option: c_int, value: *mut c_void, len: *mut size_t) -> c_int;
    pub(crate) fn zmq_bind(socket: *mut c_void, endpoint: *const c_char) -> c_int;
    pub(crate) fn zmq_connect(socket: *mut c_void, endpoint: *const c_char) -> c_int;
    pub(crate) fn zmq_connect_peer(socket: *mut c_void, endpoint: *const c_char) -> u32;
    pub(crate) fn zmq_unbind(socket: *mut c_void, endpoint: *const c_char) -> c_int;
    pub(crate) fn zmq_disconnect(socket: *mut c_void, endpoint: *const c_char) -> c_int;
    pub(crate) fn zmq_join(socket: *mut c_void, group: *const c_char) -> c_int;
    pub(crate) fn zmq_leave(socket: *mut c_void, group: *const c_char) -> c_int;
    pub(crate) fn zmq_socket_monitor_versioned(
        socket: *mut c_void,
        endpoint: *const c_char,
        events: u64,
        version: c_int,
        kind: c_int,
    ) -> c_int;
    pub(crate) fn zmq_msg_init(message: *mut Msg) -> c_int;
    pub(crate) fn zmq_msg_init_size(message: *mut Msg, size: size_t) -> c_int;
    pub(crate) fn zmq_msg_init_data(
        message: *mut Msg,
        data: *mut c_void,
        size: size_t,
        free: unsafe extern "C" fn(*mut c_void, *mut c_void),
        hint: *mut c_void,
    ) -> c_int;
    pub(crate) fn zmq_msg_gets(message: *const Msg, property: *const c_char) -> *const c_char;
    pub(crate) fn zmq_msg_close(message: *mut Msg) -> c_int;
    pub(crate) fn zmq_msg_data(message: *mut Msg) -> *mut c_void;
    pub(crate) fn zmq_msg_size(message: *const Msg) -> size_t;
    pub(crate) fn zmq_msg_more(message: *const Msg) -> c_int;
    pub(crate) fn zmq_msg_send(message: *mut Msg, socket: *mut c_void, flags: c_int) -> c_int;
    pub(crate) fn zmq_msg_recv(message: *mut Msg, socket: *mut c_void, flags: c_int) -> c_int;
    pub(crate) fn zmq_msg_set_routing_id(message: *mut Msg, id: u32) -> c_int;
    pub(crate) fn zmq_msg_routing_id(message: *mut Msg) -> u32;
    pub(crate) fn zmq_msg_set_group(message: *mut Msg, group: *const c_char) -> c_int;
    pub(crate) fn zmq_msg_group(message: *mut Msg) -> *const c_char;
    pub(crate) fn zmq_poller_new() -> *mut c_void;
    pub(crate) fn zmq_poller_destroy(poller: *mut *mut c_void) -> c_int;
    pub(crate) fn zmq_poller_add(poller: *mut c_void, socket: *mut c_void, data: *mut c_void, events: c_short)
    -> c_int;
    pub(crate) fn zmq_poller_remove(poller: *mut c_void, socket: *mut c_void) -> c_int;
    pub(crate) fn zmq_poller_fd(poller: *mut c_void, fd: *mut c_int) -> c_int;
}
