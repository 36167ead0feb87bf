//! The VRRP protocol (RFC 9568, RFC 3768) without IO.
//!
//! A [`Router`] is one state machine: it takes the time and an [`Event`], returns [`Action`]s, and names its next
//! deadline. A [`Node`] holds all routers of this machine by slot. Nothing here knows a socket, a clock, a thread, a
//! future, a map or netlink: the same code runs in the daemon, in the virtual cluster and in a replay.

mod action;
mod active;
mod announce;
mod backup;
pub mod bfd;
mod by_slot;
mod config;
mod deadlines;
mod drain;
mod event;
mod handover;
mod hearing;
mod lease;
mod node;
mod priority;
mod reconfigure;
mod resume;
mod router;
#[cfg(feature = "daemon")]
mod serial;
mod state;
mod takeover;
#[cfg(test)]
mod tests;
mod timers;

pub use action::{Action, Reason, Transition};
pub use by_slot::BySlot;
pub use config::Config;
pub use drain::DRAIN;
pub use event::{AddressList, Cause, Event, Heard};
pub use node::{Node, Slot};
pub use reconfigure::{Addresses, Reconfiguration};
pub use router::Router;
pub use state::{Next, State};
