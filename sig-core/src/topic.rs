//! What a listener subscribes to.

use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

use crate::error::NameError;
use crate::name::{EventName, SenderName};

/// What a listener subscribes to: one of pysig's four forms (P1).
///
/// The text form, used by the command line and by `"..".parse()`:
///
/// | text | meaning |
/// |---|---|
/// | `timer/tic` | event `tic` of sender `timer` |
/// | `timer` or `timer/*` | every event of sender `timer` (sender broadcast) |
/// | `*` | every event of every sender (router broadcast) |
/// | `#alarm` or `*/#alarm` | event `#alarm` of any sender (channel) |
///
/// The text is split at its first `/`. Names that hold a `/` themselves are given with [`Topic::event`] and its
/// siblings, which take them as they are.
///
/// ```
/// use sig_core::Topic;
///
/// assert_eq!("timer/tic".parse::<Topic>()?, Topic::event("timer", "tic")?);
/// assert_eq!("#alarm".parse::<Topic>()?, Topic::channel("#alarm")?);
/// assert!(Topic::channel("alarm").is_err(), "a channel's name begins with #");
/// # Ok::<(), sig_core::NameError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Topic {
    /// Every event of every sender.
    Router,
    /// Every event of one sender.
    Sender(SenderName),
    /// One `#event` of any sender.
    Channel(EventName),
    /// One event of one sender.
    Event(SenderName, EventName),
}

impl Topic {
    /// One event of one sender.
    ///
    /// # Errors
    ///
    /// [`NameError`] when a name is not valid.
    pub fn event(sender: impl AsRef<str>, event: impl AsRef<str>) -> Result<Self, NameError> {
        Ok(Self::Event(SenderName::new(sender)?, EventName::new(event)?))
    }

    /// Every event of one sender (sender broadcast).
    ///
    /// # Errors
    ///
    /// [`NameError`] when the name is not valid.
    pub fn sender(sender: impl AsRef<str>) -> Result<Self, NameError> {
        SenderName::new(sender).map(Self::Sender)
    }

    /// One `#event` of any sender.
    ///
    /// # Errors
    ///
    /// [`NameError`] when the name is not valid or does not begin with `#`. (pysig accepts such a listener and never
    /// calls it, P8.)
    pub fn channel(event: impl AsRef<str>) -> Result<Self, NameError> {
        let event = EventName::new(event)?;
        if !event.is_channel() {
            return Err(NameError::NotAChannel {
                name: event.as_str().to_owned(),
            });
        }
        Ok(Self::Channel(event))
    }

    /// The topic named by pysig's pair of optional names: no sender means any, no event means every.
    ///
    /// # Errors
    ///
    /// [`NameError`] when a name is not valid, or an event without a sender is not a channel.
    pub fn from_parts(sender: Option<&str>, event: Option<&str>) -> Result<Self, NameError> {
        match (sender, event) {
            (None, None) => Ok(Self::Router),
            (Some(sender), None) => Self::sender(sender),
            (None, Some(event)) => Self::channel(event),
            (Some(sender), Some(event)) => Self::event(sender, event),
        }
    }

    /// The sender that this topic names, if any.
    #[must_use]
    pub fn sender_name(&self) -> Option<&SenderName> {
        match self {
            Self::Sender(sender) | Self::Event(sender, _) => Some(sender),
            Self::Router | Self::Channel(_) => None,
        }
    }

    /// The event that this topic names, if any.
    #[must_use]
    pub fn event_name(&self) -> Option<&EventName> {
        match self {
            Self::Channel(event) | Self::Event(_, event) => Some(event),
            Self::Router | Self::Sender(_) => None,
        }
    }

    /// Whether an event of this sender falls under the topic. Names match whole, never by prefix (W9).
    #[must_use]
    pub fn matches(&self, sender: &SenderName, event: &EventName) -> bool {
        self.sender_name().is_none_or(|name| name == sender) && self.event_name().is_none_or(|name| name == event)
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Router => f.write_str("*"),
            Self::Sender(sender) => write!(f, "{sender}/*"),
            Self::Channel(event) if event.as_str().contains('/') => write!(f, "*/{event}"),
            Self::Channel(event) => write!(f, "{event}"),
            Self::Event(sender, event) => write!(f, "{sender}/{event}"),
        }
    }
}

impl FromStr for Topic {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let star = |name: &'_ str| name == "*";
        match text.split_once('/') {
            None if star(text) => Ok(Self::Router),
            None if text.starts_with('#') => Self::channel(text),
            None => Self::sender(text),
            Some((sender, event)) => {
                Self::from_parts(Some(sender).filter(|s| !star(s)), Some(event).filter(|e| !star(e)))
            }
        }
    }
}

impl TryFrom<&str> for Topic {
    type Error = NameError;

    fn try_from(text: &str) -> Result<Self, NameError> {
        text.parse()
    }
}

impl TryFrom<String> for Topic {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        text.parse()
    }
}

impl TryFrom<&String> for Topic {
    type Error = NameError;

    fn try_from(text: &String) -> Result<Self, NameError> {
        text.parse()
    }
}

impl TryFrom<(&str, &str)> for Topic {
    type Error = NameError;

    fn try_from((sender, event): (&str, &str)) -> Result<Self, NameError> {
        Self::event(sender, event)
    }
}

impl From<&Self> for Topic {
    fn from(topic: &Self) -> Self {
        topic.clone()
    }
}

impl From<Infallible> for NameError {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_four_forms_round_trip_through_text() {
        for topic in [
            Topic::Router,
            Topic::sender("timer").unwrap(),
            Topic::channel("#alarm").unwrap(),
            Topic::channel("#a/b").unwrap(),
            Topic::event("timer", "tic").unwrap(),
            Topic::event("timer", "#connect").unwrap(),
            Topic::sender("#router").unwrap(),
        ] {
            assert_eq!(topic.to_string().parse::<Topic>().unwrap(), topic);
        }
        assert_eq!("timer".parse::<Topic>().unwrap(), Topic::sender("timer").unwrap());
        assert_eq!("*/*".parse::<Topic>().unwrap(), Topic::Router);
    }

    #[test]
    fn w9_names_that_share_a_prefix_do_not_match() {
        let (sender, event) = (SenderName::new("a").unwrap(), EventName::new("e").unwrap());
        assert!(Topic::event("a", "e").unwrap().matches(&sender, &event));
        for topic in ["ab/e", "a.b/e", "a/ee", "a/e.f", "ab", "#e"] {
            assert!(!topic.parse::<Topic>().unwrap().matches(&sender, &event), "{topic}");
        }
    }

    #[test]
    fn p8_a_channel_needs_its_sign() {
        assert!(matches!("*/plain".parse::<Topic>(), Err(NameError::NotAChannel { .. })));
        assert!(matches!("".parse::<Topic>(), Err(NameError::Empty { .. })));
        assert!(matches!("/e".parse::<Topic>(), Err(NameError::Empty { .. })));
    }
}
