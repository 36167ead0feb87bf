//! The heartbeat: the thread that sends the packets of BFD sessions, and renews the guards by them.
//!
//! ```text
//!   election thread ──Transmit, SendNow, Rearm──┐
//!                   ◄─Lapsed────────────────┐   ▼
//!   supervisor ──────Socket, Guards──────► heartbeat ──send──► neighbours
//!                                             └──one store──► GUARDS
//! ```
//!
//! It does nothing else, so that no burst of adverts delays a packet. Where nothing changes it neither allocates nor
//! locks: it waits, sends a packet that is ready, and stores a number.

mod beat;
mod ear;
mod order;
mod thread;

pub(crate) use order::{Heard, Heartbeat, Order};
pub(crate) use thread::{News, Parts, spawn};
