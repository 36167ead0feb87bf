//! Measurements.

pub mod failover;
mod run;
mod table;
pub mod takeover;
pub mod xdp;
