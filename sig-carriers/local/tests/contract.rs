//! The in-process carrier keeps the contract.

use std::sync::Arc;

use sig_carrier_local::Local;
use sig_conformance::{Fixture, carrier_suite};
use sig_core::Carrier;

struct InProcess;

impl Fixture for InProcess {
    type Address = Arc<Local>;

    fn listener(&self) -> (Arc<dyn Carrier>, Arc<Local>) {
        let hub = Arc::new(Local::new());
        (hub.clone(), hub)
    }

    fn dialler(&self, hub: &Arc<Local>) -> Arc<dyn Carrier> {
        Arc::new(hub.dialer())
    }
}

carrier_suite!(InProcess);
