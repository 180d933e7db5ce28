//! What to listen to, and how.

use sig_core::{NameError, Topic};

use crate::error::ListenError;
use crate::hub::First;
use crate::policy::Policy;

/// What to listen to and how: a topic, and what happens when events come faster than they are taken.
///
/// Can be given wherever a topic can. A topic alone means [`Policy::Block`] with five seconds.
///
/// ```
/// use sig_router::{Listen, Policy, Router};
///
/// let router = Router::new();
/// let newest = router.listen(Listen::to("thermometer/celsius")?.policy(Policy::Latest))?;
/// # drop(newest);
/// # Ok::<(), sig_router::ListenError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[must_use = "says how to listen; give it to listen() or add_listener()"]
pub struct Listen {
    pub(crate) topic: Topic,
    pub(crate) policy: Policy,
    /// How many events may wait before senders do, under [`Policy::Block`].
    pub(crate) capacity: Option<usize>,
    /// Whether a listener that names `#connect` is told who is there already.
    pub(crate) snapshot: bool,
}

impl Listen {
    /// Listens to a topic.
    ///
    /// # Errors
    ///
    /// [`ListenError::Name`] when the topic breaks the rules.
    pub fn to<T>(topic: T) -> Result<Self, ListenError>
    where
        T: TryInto<Topic>,
        ListenError: From<T::Error>,
    {
        Ok(Self::from(topic.try_into()?))
    }

    /// What happens when events come faster than they are taken.
    pub fn policy(self, policy: Policy) -> Self {
        Self { policy, ..self }
    }

    /// How many events may wait before their senders have to, under [`Policy::Block`]: 16,384 unless set, and never fewer
    /// than one. The other policies say so themselves.
    pub fn capacity(self, capacity: usize) -> Self {
        Self {
            capacity: Some(capacity.max(1)),
            ..self
        }
    }

    /// Only changes from now on: a listener that names `#connect` is otherwise told first who is connected already.
    pub fn without_snapshot(self) -> Self {
        Self {
            snapshot: false,
            ..self
        }
    }

    /// What it is given first: last values, and for a listener that names `#connect` who is there.
    pub(crate) fn first(&self) -> First {
        First {
            last_values: true,
            snapshot: self.snapshot && self.topic.event_name().is_some(),
            positions: false,
        }
    }

    /// The same, if the policy can be kept.
    pub(crate) fn checked(self) -> Result<Self, ListenError> {
        self.policy.check()?;
        Ok(self)
    }
}

impl From<Topic> for Listen {
    fn from(topic: Topic) -> Self {
        Self {
            topic,
            policy: Policy::default(),
            capacity: None,
            snapshot: true,
        }
    }
}

impl From<&Topic> for Listen {
    fn from(topic: &Topic) -> Self {
        Self::from(topic.clone())
    }
}

impl TryFrom<&str> for Listen {
    type Error = NameError;

    fn try_from(topic: &str) -> Result<Self, NameError> {
        Ok(Self::from(Topic::try_from(topic)?))
    }
}

impl TryFrom<String> for Listen {
    type Error = NameError;

    fn try_from(topic: String) -> Result<Self, NameError> {
        Ok(Self::from(Topic::try_from(topic)?))
    }
}

impl TryFrom<&String> for Listen {
    type Error = NameError;

    fn try_from(topic: &String) -> Result<Self, NameError> {
        Ok(Self::from(Topic::try_from(topic)?))
    }
}

impl TryFrom<(&str, &str)> for Listen {
    type Error = NameError;

    fn try_from(topic: (&str, &str)) -> Result<Self, NameError> {
        Ok(Self::from(Topic::try_from(topic)?))
    }
}
