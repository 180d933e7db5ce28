//! `tcp://` URLs.

use std::sync::Arc;

use sig_core::{Carrier, CarrierError, CarrierFactory, CarrierUrl, Dialect, StreamCarrier};

use crate::{Dialer, Listener, Options};

/// Makes carriers of `tcp://HOST:PORT`, with the options `dialect=auto|sig1|pysig` and `max_frame=BYTES`.
#[derive(Debug, Clone, Default)]
pub struct TcpFactory {
    options: Options,
}

impl TcpFactory {
    /// A factory of carriers with these options.
    #[must_use]
    pub fn new(options: Options) -> Self {
        Self { options }
    }
}

impl CarrierFactory for TcpFactory {
    fn listen(&self, url: &CarrierUrl) -> Result<Arc<dyn Carrier>, CarrierError> {
        let dialect = dialect(url)?;
        let listener = Listener::bind_with(url.address(), self.options)?;
        Ok(Arc::new(
            StreamCarrier::new(listener)
                .with_dialect(dialect)
                .with_options_of(url)?,
        ))
    }

    fn dial(&self, url: &CarrierUrl) -> Result<Arc<dyn Carrier>, CarrierError> {
        let dialect = dialect(url)?;
        let dialer = Dialer::with_options(url.address(), self.options)?;
        Ok(Arc::new(
            StreamCarrier::new(dialer).with_dialect(dialect).with_options_of(url)?,
        ))
    }
}

fn dialect(url: &CarrierUrl) -> Result<Dialect, CarrierError> {
    url.expect_options(&["dialect", "max_frame"])?;
    match url.option("dialect") {
        None | Some("auto") => Ok(Dialect::Auto),
        Some("sig1") => Ok(Dialect::Sig1),
        Some("pysig") => Ok(Dialect::Pysig),
        Some(other) => Err(url.error(format!("unknown dialect {other}; known are auto, sig1 and pysig"))),
    }
}

#[cfg(test)]
mod tests {
    use sig_core::Schemes;

    use super::*;

    #[test]
    fn urls_become_carriers() {
        let schemes = Schemes::new().with("tcp", TcpFactory::default());
        let listening = schemes.listen("tcp://127.0.0.1:0").unwrap();
        assert!(!listening.profile().dials && format!("{listening:?}").contains("Auto"));
        let dialling = schemes.dial("tcp://localhost:1?dialect=pysig").unwrap();
        assert!(dialling.profile().dials && format!("{dialling:?}").contains("Pysig"));
        for (bad, why) in [
            ("tcp://", "port is missing"),
            ("tcp://h:1?dialect=klingon", "known are auto, sig1 and pysig"),
            ("tcp://h:1?tls", "unknown option tls"),
        ] {
            let error = schemes.dial(bad).unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        }
    }
}
