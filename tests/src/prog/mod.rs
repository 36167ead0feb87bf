//! The XDP program under BPF_PROG_TEST_RUN: packets in, verdicts and packets out, maps beside.
//!
//! Everything happens in namespaces of the calling thread: no interface of the machine sees the program.

pub mod bfd;
mod frame;
pub mod plans;
mod runner;
mod sandbox;

pub use frame::{Arp, Frame, Ip, PEER_MAC, v2, v3};
pub use runner::{Action, IFINDEX, Outcome, Runner, context};
pub use sandbox::Sandbox;
