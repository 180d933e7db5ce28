//! Reads the parameters of control methods, with error texts that name the field.

use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer};
use sig_core::{Failure, RawJson};
use thiserror::Error;

/// How many characters of a path or a reason an error shows: both quote what was sent.
const SHOWN: usize = 256;

/// Parameters, or a response, that are not as the method has them: `add_sender: events[1]: the event name is empty; ..`.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0}")]
pub(crate) struct ParamsError(String);

impl ParamsError {
    /// An error with this text, which names the method and the field.
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

impl From<ParamsError> for Failure {
    fn from(error: ParamsError) -> Self {
        Self::new("invalid_params", error.0)
    }
}

/// Reads the parameters of a method; `null` counts as an empty object (P40).
///
/// # Errors
///
/// [`ParamsError`] when they are not an object, or a field is missing or not valid.
pub(crate) fn read_params<T: DeserializeOwned>(method: &str, params: &RawJson) -> Result<T, ParamsError> {
    match params.text() {
        "null" => read(method, "{}"),
        // serde reads a list as an object whose fields come in order: not here.
        text if text.starts_with('{') => read(method, text),
        _ => Err(ParamsError(format!("{method}: the params must be an object, {{..}}"))),
    }
}

/// Reads the response of a method.
///
/// # Errors
///
/// [`ParamsError`] when it has another form.
pub(crate) fn read_response<T: DeserializeOwned>(method: &str, response: &RawJson) -> Result<T, ParamsError> {
    read(&format!("response to {method}"), response.text())
}

fn read<T: DeserializeOwned>(what: &str, text: &str) -> Result<T, ParamsError> {
    serde_path_to_error::deserialize(&mut serde_json::Deserializer::from_str(text)).map_err(|error| {
        let reason = error.inner().to_string();
        // Lines and columns say little in text that a program wrote.
        let reason = reason.rsplit_once(" at line ").map_or(&*reason, |(reason, _)| reason);
        let reason = printable(reason, SHOWN);
        match error.path().to_string().as_str() {
            "." => ParamsError(format!("{what}: {reason}")),
            path => ParamsError(format!("{what}: {}: {reason}", printable(path, SHOWN))),
        }
    })
}

/// Reads text of at most `MAX` bytes.
pub(crate) fn text<'de, const MAX: usize, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    if text.len() > MAX {
        let length = text.len();
        return Err(D::Error::custom(format_args!(
            "{length} bytes; at most {MAX} are allowed"
        )));
    }
    Ok(text)
}

/// Reads text for people: cut after `MAX` characters, without control characters, which could play with a terminal.
pub(crate) fn prose<'de, const MAX: usize, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Ok(printable(&String::deserialize(deserializer)?, MAX))
}

/// The first `max` characters, with a space for each control character.
fn printable(text: &str, max: usize) -> String {
    let shown = text.chars().take(max);
    shown.map(|c| if c.is_control() { ' ' } else { c }).collect()
}
