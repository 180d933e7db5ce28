//! What a subscriber gets.

use std::fmt;

use bytes::Bytes;
use serde::de::DeserializeOwned;
use sig_core::Payload;

use crate::{Error, Message};

/// A message under a topic.
#[derive(Clone, PartialEq, Eq)]
pub struct Published(pub(super) Message);

impl Published {
    /// The dotted topic, without the dot that ends it on the wire. Bytes that are no text are replaced.
    #[must_use]
    pub fn topic(&self) -> String {
        let topic = self.topic_bytes();
        let topic = topic.strip_suffix(b".").unwrap_or(topic);
        String::from_utf8_lossy(topic).into_owned()
    }

    /// The topic as it is on the wire: the first frame.
    #[must_use]
    pub fn topic_bytes(&self) -> &[u8] {
        self.0.frame(0).unwrap_or_default()
    }

    /// The data: the second frame, and empty if there is none.
    #[must_use]
    pub fn data(&self) -> Bytes {
        self.0.frame_bytes(1).unwrap_or_default()
    }

    /// All frames, the topic first.
    #[must_use]
    pub fn message(&self) -> &Message {
        &self.0
    }

    /// The data as JSON.
    ///
    /// # Errors
    ///
    /// [`Error::Payload`] when it is no JSON, or not of such a value. The subscriber goes on.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Error> {
        let value = Payload::from_json_text(self.data()).decode();
        value.map_err(|error| Error::Payload {
            topic: self.topic(),
            reason: error.to_string(),
        })
    }
}

impl fmt::Debug for Published {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Published({:?})", self.0)
    }
}
