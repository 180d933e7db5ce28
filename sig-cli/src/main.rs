//! The sig command.
fn main() {}
