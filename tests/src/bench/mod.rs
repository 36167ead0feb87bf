//! Measurements.

pub mod failover;
pub mod handover;
mod run;
mod table;
pub mod takeover;
pub mod xdp;
