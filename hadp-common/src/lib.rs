//! What hadp's kernel half and user half must agree on, declared once: the layout of every BPF map,
//! the names of the counters, and the wire formats.
//!
//! All integers in map types are in host byte order; all addresses and MACs are in network order, as on
//! the wire. IPv4 addresses are stored as IPv4-mapped IPv6 addresses (`::ffff:a.b.c.d`), so that one table
//! serves both families.
#![no_std]
#![warn(missing_docs)]

mod macros;

pub mod addr;
pub mod bfd;
pub mod event;
pub mod key;
pub mod peer;
pub mod router;
pub mod settings;
pub mod stats;
pub mod table;
pub mod vip;
pub mod wire;

/// The version of everything in this crate that is visible in a map.
///
/// A daemon that finds pinned maps of another version must not adopt them.
pub const LAYOUT_VERSION: u32 = 3;
