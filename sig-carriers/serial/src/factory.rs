//! `serial:` URLs.

use std::sync::Arc;

use sig_core::{Carrier, CarrierError, CarrierFactory, CarrierUrl};

use crate::Listener;
use crate::link::Dialer;
use crate::port::Port;

/// Makes carriers of `serial:///dev/ttyACM0`, `serial:usb?vid=2341&pid=0043&sn=..`, `serial:by-id/NAME`,
/// `serial:by-path/NAME` and `serial:COM12`, with the options of [`Options`](crate::Options).
#[derive(Debug, Clone, Copy, Default)]
pub struct SerialFactory;

impl CarrierFactory for SerialFactory {
    fn listen(&self, url: &CarrierUrl) -> Result<Arc<dyn Carrier>, CarrierError> {
        Ok(Arc::new(Listener::from_url(url)?))
    }

    fn dial(&self, url: &CarrierUrl) -> Result<Arc<dyn Carrier>, CarrierError> {
        Ok(Arc::new(Dialer::new(Port::from_url(url)?)))
    }
}

#[cfg(test)]
mod tests {
    use sig_core::Schemes;

    use super::*;

    #[test]
    fn urls_become_carriers() {
        let schemes = Schemes::new().with("serial", SerialFactory);
        for url in ["serial:///dev/ttyACM0?baud=9600", "serial:usb?vid=2341", "serial:COM12"] {
            assert_eq!(schemes.listen(url).unwrap().name(), "serial");
        }
        let error = schemes.listen("serial:///dev/ttyACM0?baud=9").unwrap_err();
        assert_eq!(
            error.to_string(),
            "address serial:///dev/ttyACM0?baud=9: baud is \"9\"; write a number from 50 to 12000000"
        );
    }
}
