//! `ipc://` URLs.

use std::sync::Arc;

use sig_core::{Carrier, CarrierError, CarrierFactory, CarrierUrl};

/// Makes carriers of `ipc://`, `ipc://NAME` and `ipc:///PATH`.
#[derive(Debug, Clone, Default)]
pub struct IpcFactory;

impl CarrierFactory for IpcFactory {
    fn listen(&self, url: &CarrierUrl) -> Result<Arc<dyn Carrier>, CarrierError> {
        url.expect_options(&[])?;
        Ok(Arc::new(crate::listen(url.address())?))
    }

    fn dial(&self, url: &CarrierUrl) -> Result<Arc<dyn Carrier>, CarrierError> {
        url.expect_options(&[])?;
        Ok(Arc::new(crate::dial(url.address())?))
    }
}
