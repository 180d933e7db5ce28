//! Text that is never printed.

use std::fmt;
use std::hash::BuildHasher;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use sig_core::RawJson;

/// Longest secret, in bytes.
const MAX_SECRET: usize = 4096;

/// Text that goes over the wire and nowhere else: neither in logs nor in errors.
#[derive(Clone, Serialize)]
#[serde(transparent)]
pub(crate) struct Secret(String);

impl Secret {
    /// A secret of these random bytes, in hexadecimal.
    pub(crate) fn from_random(random: u128) -> Self {
        Self(format!("{random:032x}"))
    }

    /// This text, kept secret from here on.
    #[cfg(test)]
    pub(crate) fn from_text(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Whether there is no text.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Its hash with this key.
    pub(crate) fn hash_one(&self, key: &impl BuildHasher) -> u64 {
        key.hash_one(&self.0)
    }

    /// Whether both are the same, in a time that does not tell where they differ.
    pub(crate) fn matches(&self, other: &Self) -> bool {
        let (a, b) = (self.0.as_bytes(), other.0.as_bytes());
        let difference = a.iter().zip(b).fold(0, |difference, (a, b)| difference | (a ^ b));
        a.len() == b.len() && std::hint::black_box(difference) == 0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // serde's own errors quote a value of the wrong type: that must not be a secret's.
        match RawJson::deserialize(deserializer)?.parse::<String>() {
            Ok(text) if text.len() <= MAX_SECRET => Ok(Self(text)),
            _ => Err(D::Error::custom(format_args!("not text of at most {MAX_SECRET} bytes"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn is_not_shown() {
        let secret = Secret::from_text("hunter2");
        assert_eq!(
            format!("{secret:?} {:#?}", Some(&secret)),
            "Secret Some(\n    Secret,\n)"
        );
        let error = serde_json::from_str::<Secret>("4711").unwrap_err().to_string();
        assert!(!error.contains("4711"), "{error}");
        for (length, accepted) in [(MAX_SECRET, true), (MAX_SECRET + 1, false)] {
            let text = format!("\"{}\"", "x".repeat(length));
            assert_eq!(serde_json::from_str::<Secret>(&text).is_ok(), accepted);
        }
    }

    #[test]
    fn is_made_of_all_random_bits() {
        let text = |random| serde_json::to_string(&Secret::from_random(random)).unwrap();
        assert_eq!(text(0xab), format!("\"{}ab\"", "0".repeat(30)));
        assert_eq!(text(u128::MAX), format!("\"{}\"", "f".repeat(32)));
    }

    proptest! {
        #[test]
        fn matches_as_text_does(a in "[ab]{0,3}", b in "[ab]{0,3}") {
            prop_assert_eq!(Secret::from_text(&*a).matches(&Secret::from_text(&*b)), a == b);
        }
    }
}
