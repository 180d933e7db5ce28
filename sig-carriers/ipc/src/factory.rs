//! `ipc://` URLs.

use std::sync::Arc;

use sig_core::{Carrier, CarrierError, CarrierFactory, CarrierUrl, StreamCarrier};

use crate::Listener;

/// Makes carriers of `ipc://`, `ipc://NAME` and `ipc:///PATH`, with the option `max_frame=BYTES`.
#[derive(Debug, Clone, Default)]
pub struct IpcFactory;

const OPTIONS: &[&str] = &["max_frame"];

impl IpcFactory {
    /// What [`listen`](CarrierFactory::listen) makes of a URL, with its path at hand.
    ///
    /// # Errors
    ///
    /// [`CarrierError::Address`] for an option that there is not, and as [`listen`](crate::listen).
    pub fn listener(&self, url: &CarrierUrl) -> Result<StreamCarrier<Listener>, CarrierError> {
        url.expect_options(OPTIONS)?;
        crate::listen(url.address())?.with_options_of(url)
    }
}

impl CarrierFactory for IpcFactory {
    fn listen(&self, url: &CarrierUrl) -> Result<Arc<dyn Carrier>, CarrierError> {
        Ok(Arc::new(self.listener(url)?))
    }

    fn dial(&self, url: &CarrierUrl) -> Result<Arc<dyn Carrier>, CarrierError> {
        url.expect_options(OPTIONS)?;
        Ok(Arc::new(crate::dial(url.address())?.with_options_of(url)?))
    }
}
