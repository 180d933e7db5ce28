//! Publishers and subscribers over a forwarder.

pub mod blocking;
mod bridge;
mod interest;
mod published;
mod publisher;
mod subscriber;
mod topic;

pub use published::Published;
pub use publisher::Publisher;
pub use subscriber::Subscriber;
