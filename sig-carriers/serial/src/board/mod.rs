//! Plain boards: what they print becomes the events of a sender, and its requests become lines that they read.

mod asks;
mod document;
mod gaps;
mod rows;
mod say;
mod session;
mod verdict;
mod words;

pub(crate) use document::is_document;
pub(crate) use say::HOST_HELLO;
pub(crate) use session::{Counts, Out, Session, Settings};
pub(crate) use verdict::{Evidence, Finding};
