#![doc = include_str!("../README.md")]

mod faulty;

pub use faulty::{Fault, Faults, FaultyCarrier};
