//! The heartbeat: sends the packets of BFD sessions, and renews the guards by them.
//!
//! ```text
//!   election thread ──Transmit, SendNow, Rearm──┐
//!                   ◄─Lapsed────────────────┐   ▼
//!   supervisor ──────Socket, Guards──────► heartbeat ──send──► neighbours
//!                                             └─one exchange─► GUARDS
//! ```
//!
//! It does nothing else, so that no burst of adverts delays a packet. Where nothing changes it does not allocate: it waits,
//! sends a packet that is ready, and stores a number.
//!
//! # Two hearts
//!
//! A CPU can stand still for longer than a neighbour waits: a hypervisor gives it to others, firmware takes it. A thread that
//! is to run there next cannot be moved, and nothing in it can help. So there are two threads with one schedule, on CPUs of
//! different cores ([`apart`](super::apart)). The *first* sends. The *reserve* wakes up a little later than each packet is due,
//! sees that it has left, and sleeps again; or that it has not, and has a turn itself:
//!
//! ```text
//!    due          overdue (due + an eighth of the interval, 30 us at least)
//!   ──┼──────────────┼─────────────────────┼────────────
//!     first: send    reserve: one load     first: send      as it should be
//!     ~~~~ first stands still ~~~~         first: goes on
//!                    reserve: send
//! ```
//!
//! A turn ([`heart`]) is under one lock. A thread waits for its turn without it, and that is where CPUs stand still, nearly
//! always; the lock is then free. What the reserve goes by before it takes the lock is in [`relief`].

mod beat;
mod dice;
mod ear;
mod haste;
mod heart;
mod keeping;
mod order;
mod relief;
mod telling;
mod thread;

pub(crate) use order::{Heard, Heartbeat, Order};
pub(crate) use telling::News;
pub(crate) use thread::{Hearts, Parts, spawn};
