//! What runs on boards: the header, the sketches, the MicroPython file, the firmware.
#![cfg(unix)]

mod documented;
mod header;
mod speaking;
mod twin;
