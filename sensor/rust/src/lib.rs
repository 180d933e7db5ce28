#![no_std]
#![doc = include_str!("../README.md")]

mod out;
mod sensor;
mod syntax;
mod talk;
mod value;

pub use out::Out;
pub use sensor::{HELLO_MS, Sensor, Unused};
pub use talk::{Board, Dialect, Port, Talk};
pub use value::{Kind, Value};
