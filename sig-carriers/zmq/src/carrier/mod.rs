//! The carrier: ROUTER at the server, DEALER at the client.
