//! TCP through a proxy that cuts, and swallows.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use sig_core::{Carrier, StreamCarrier};
use sig_router::{CarrierHandle, ServerRouter};
use sig_tests::media::Beating;
use sig_tests::proxy::{Cable, Proxy};

use crate::lines::Line;
use crate::patch::Patch;

/// A line over TCP, each way through a proxy of its own.
pub(crate) struct ProxiedLine {
    period: Duration,
    patch: Arc<Patch>,
    way: Option<Way>,
    former: Option<Way>,
    faults: u64,
}

struct Way {
    proxy: Proxy,
    handle: CarrierHandle,
}

impl Way {
    fn end(self) {
        let handle = self.handle;
        tokio::spawn(async move { handle.stop().await });
    }
}

impl ProxiedLine {
    pub(crate) fn new(period: Duration) -> Self {
        Self {
            period,
            patch: Patch::new(dialer("127.0.0.1:1", period)),
            way: None,
            former: None,
            faults: 0,
        }
    }

    fn open(&mut self, server: &ServerRouter) -> Way {
        let inner = sig_carrier_tcp::Listener::bind("127.0.0.1:0").unwrap();
        let address = inner.local_addr().to_string();
        let period = self.period;
        let handle = server.attach(Arc::new(StreamCarrier::new(Beating { inner, period })));
        let proxy = Proxy::to(&address).now_or_never().expect("nothing to wait for");
        self.patch.set(dialer(&proxy.address.to_string(), period));
        Way { proxy, handle }
    }
}

fn dialer(address: &str, period: Duration) -> Arc<dyn Carrier> {
    let inner = sig_carrier_tcp::Dialer::new(address).unwrap();
    Arc::new(StreamCarrier::new(Beating { inner, period }))
}

impl Line for ProxiedLine {
    fn carrier(&self) -> Arc<dyn Carrier> {
        self.patch.clone()
    }

    fn lead_to(&mut self, server: &ServerRouter) {
        self.former = None;
        self.way = Some(self.open(server));
    }

    fn cut(&mut self) {
        if let Some(way) = &self.way {
            way.proxy.set(Cable::Cut);
            self.faults += 1;
        }
    }

    fn silence(&mut self) {
        if let Some(way) = &self.way {
            way.proxy.set(Cable::Silent);
            self.faults += 1;
        }
    }

    fn roam(&mut self, server: &ServerRouter) {
        if let Some(former) = self.former.take() {
            former.end();
        }
        if let Some(way) = &self.way {
            way.proxy.set(Cable::Silent);
        }
        let way = self.open(server);
        self.former = self.way.replace(way);
        self.faults += 1;
    }

    fn heal(&mut self) {
        if let Some(former) = self.former.take() {
            former.end();
        }
        if let Some(way) = &self.way {
            way.proxy.set(Cable::Whole);
        }
    }

    fn faults(&self) -> u64 {
        self.faults
    }
}

impl fmt::Debug for ProxiedLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProxiedLine")
            .field("faults", &self.faults)
            .finish_non_exhaustive()
    }
}
