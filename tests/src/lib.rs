//! Test tools of hadp: a LAN of real daemons on real virtual links, and a client that measures them.
//!
//! The [`lab`] needs root and Linux, and makes everything in namespaces of its own: no interface, address or mount of
//! the machine is touched.
#![expect(clippy::disallowed_methods, reason = "the lab measures real time: it is the shell here")]

pub mod bench;
pub mod checks;
pub mod client;
pub mod conf;
pub mod demo;
pub mod handover;
pub mod lab;
pub mod prog;
pub mod sessions;
pub mod sim;
pub mod thousand;
pub mod unspoilt;
mod witness;
