//! Builds libzmq from the source that zeromq-src carries.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    #[cfg(feature = "bundled")]
    zeromq_src::Build::new().enable_draft(true).build();
}
