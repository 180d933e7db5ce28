//! What runs on boards: the header, the sketches, the MicroPython file, the firmware.
#![cfg(unix)]

#[path = "../built/mod.rs"]
mod built;
mod documented;
mod header;
mod routed;
mod speaking;
mod twin;
