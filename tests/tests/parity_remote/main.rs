//! pysig's messages and its contract with carriers, where a test can see every byte and every call.

mod carrier;
#[path = "../pysig_peers/support.rs"]
mod support;
mod wire;
