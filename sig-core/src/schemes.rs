//! Which carrier serves which URL scheme: a value, not a global.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::carrier::Carrier;
use crate::error::CarrierError;
use crate::url::CarrierUrl;

/// Makes carriers of one scheme from their addresses.
pub trait CarrierFactory: fmt::Debug + Send + Sync + 'static {
    /// A carrier that waits for clients at the address.
    ///
    /// # Errors
    ///
    /// When the address is not one of this scheme, or cannot be listened at.
    fn listen(&self, url: &CarrierUrl) -> Result<Arc<dyn Carrier>, CarrierError>;

    /// A carrier that connects to the address.
    ///
    /// # Errors
    ///
    /// When the address is not one of this scheme. (That nobody is there shows when the carrier runs.)
    fn dial(&self, url: &CarrierUrl) -> Result<Arc<dyn Carrier>, CarrierError>;
}

/// A table from URL scheme to [`CarrierFactory`]. Third-party carriers are added like ours.
#[derive(Debug, Clone, Default)]
pub struct Schemes {
    table: BTreeMap<String, Arc<dyn CarrierFactory>>,
}

impl Schemes {
    /// An empty table.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The table with this scheme added, or replaced.
    #[must_use]
    pub fn with(mut self, scheme: &str, factory: impl CarrierFactory) -> Self {
        self.table.insert(scheme.to_ascii_lowercase(), Arc::new(factory));
        self
    }

    /// The schemes in the table, in alphabetical order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.table.keys().map(String::as_str)
    }

    /// A carrier that waits for clients at the address.
    ///
    /// # Errors
    ///
    /// When the address is malformed, its scheme is not in the table, or it cannot be listened at.
    pub fn listen(&self, url: &str) -> Result<Arc<dyn Carrier>, CarrierError> {
        let (url, factory) = self.find(url)?;
        factory.listen(&url)
    }

    /// A carrier that connects to the address.
    ///
    /// # Errors
    ///
    /// When the address is malformed or its scheme is not in the table.
    pub fn dial(&self, url: &str) -> Result<Arc<dyn Carrier>, CarrierError> {
        let (url, factory) = self.find(url)?;
        factory.dial(&url)
    }

    fn find(&self, url: &str) -> Result<(CarrierUrl, &dyn CarrierFactory), CarrierError> {
        let url: CarrierUrl = url.parse()?;
        match self.table.get(url.scheme()) {
            Some(factory) => Ok((url, &**factory)),
            None => {
                let known = self
                    .names()
                    .map(|name| format!("{name}:"))
                    .collect::<Vec<_>>()
                    .join(", ");
                Err(url.error(format!(
                    "no carrier for the scheme {}:; known are {known}",
                    url.scheme()
                )))
            }
        }
    }
}
