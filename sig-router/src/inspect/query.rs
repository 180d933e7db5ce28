//! What is asked for: which rows, how many, in which order.

use serde::{Deserialize, Serialize};

/// Rows of an answer, unless asked for otherwise.
const USUAL: usize = 1000;

/// Most rows of an answer.
const MOST: usize = 10_000;

/// Which rows of a list are wanted: the parameters of `clients`, `senders` and `listeners`. All of them are optional.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[must_use = "says what to ask for"]
pub struct Query {
    /// Only what comes behind this: `next` of the page before.
    #[serde(skip_serializing_if = "Option::is_none")]
    after: Option<Cursor>,
    /// Most rows: 1,000 unless set, and never more than 10,000.
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<usize>,
    /// In which order the rows are.
    by: Order,
    /// Only listeners that nobody matches.
    unmatched: bool,
    /// `#router` among the senders.
    router: bool,
}

impl Query {
    /// The first page.
    pub fn new() -> Self {
        Self::default()
    }

    /// Only what comes behind this: [`Page::next`] of the page before.
    pub fn after(self, cursor: Cursor) -> Self {
        Self {
            after: Some(cursor),
            ..self
        }
    }

    /// Most rows: 1,000 unless set, and never more than 10,000. Pages are cut off at this many senders or events of
    /// senders, whichever is reached first.
    pub fn limit(self, limit: usize) -> Self {
        Self {
            limit: Some(limit),
            ..self
        }
    }

    /// In which order the rows are. Another one than the usual gives the first page alone.
    pub fn by(self, by: Order) -> Self {
        Self { by, ..self }
    }

    /// Only listeners that nobody matches.
    pub fn unmatched(self) -> Self {
        Self {
            unmatched: true,
            ..self
        }
    }

    /// The router's own sender among the senders.
    pub fn with_router(self) -> Self {
        Self { router: true, ..self }
    }

    pub(super) fn most(&self) -> usize {
        self.limit.unwrap_or(USUAL).clamp(1, MOST)
    }

    pub(super) fn order(&self) -> Order {
        self.by
    }

    pub(super) fn is_unmatched(&self) -> bool {
        self.unmatched
    }

    pub(super) fn includes_router(&self) -> bool {
        self.router
    }

    /// The number that the page begins after.
    pub(super) fn after_number(&self) -> u64 {
        match self.after {
            Some(Cursor::Number(number)) => number,
            Some(Cursor::Name(_)) | None => 0,
        }
    }

    /// The name that the page begins after.
    pub(super) fn after_name(&self) -> Option<&str> {
        match &self.after {
            Some(Cursor::Name(name)) => Some(name),
            Some(Cursor::Number(_)) | None => None,
        }
    }
}

/// In which order the rows are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Order {
    /// By id or name, from page to page.
    #[default]
    Id,
    /// Those with the highest rate first.
    Rate,
    /// Those for which most events wait first.
    Waiting,
}

/// Where a page ends, and the next one begins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Cursor {
    /// Behind this id.
    Number(u64),
    /// Behind this name.
    Name(String),
}

/// Some of the rows that there are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Page<T> {
    /// The rows.
    pub rows: Vec<T>,
    /// How many there are in all.
    pub total: usize,
    /// What to ask for to get the next ones; null when these are the last.
    #[serde(default)]
    pub next: Option<Cursor>,
    /// Over how many milliseconds the rates in the rows are; null where there are none.
    #[serde(default)]
    pub interval_ms: Option<u64>,
}

impl<T> Page<T> {
    pub(super) fn all(rows: Vec<T>) -> Self {
        Self {
            total: rows.len(),
            rows,
            next: None,
            interval_ms: None,
        }
    }
}
