#![doc = include_str!("../README.md")]

pub mod cases;
mod faulty;
mod finding;
mod fixture;
mod probe;
mod suite;

pub use faulty::{Fault, Faults, FaultyCarrier};
pub use finding::{Broken, Finding, Outcome, Verdict};
pub use fixture::{ByteStream, Fixture, Raw, Script, Traits};
pub use probe::{Probe, Seen};
pub use suite::check;
#[doc(hidden)]
pub use suite::run;
