//! The real pysig 0.7.3 and our routers together. A test named after a tag shows that line of docs/PYSIG.md.

mod clients;
mod limits;
mod links;
mod methods;
mod mixed;
mod offline;
mod our_client;
mod our_link;
mod presence;
mod senders;
mod support;
