//! Requests.

use std::fmt;
use std::time::Duration;

use sig_core::RawJson;

use super::engine::Engine;
use crate::error::RequestError;

/// A request that is sent when it is waited for.
#[must_use = "a request is sent by wait()"]
pub struct PendingRequest<'a> {
    // In this order: what needs the threads is dropped before them.
    inner: crate::router::PendingRequest<'a>,
    engine: &'a Engine,
}

impl<'a> PendingRequest<'a> {
    pub(super) fn new(inner: crate::router::PendingRequest<'a>, engine: &'a Engine) -> Self {
        Self { inner, engine }
    }

    /// Sets the deadline, counted from when the request is sent. Ten seconds by default.
    pub fn timeout(self, timeout: Duration) -> Self {
        let Self { inner, engine } = self;
        Self::new(inner.timeout(timeout), engine)
    }

    /// Sends the request and waits for the response.
    ///
    /// # Errors
    ///
    /// [`RequestError`], at the deadline at the latest.
    pub fn wait(self) -> Result<RawJson, RequestError> {
        self.engine.wait(self.inner.into_future())
    }
}

impl fmt::Debug for PendingRequest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}
