//! Measurements.

pub mod failover;
mod course;
mod load;
mod plot;
mod run;
mod setting;
pub mod soak;
mod table;
pub mod takeover;
pub mod xdp;
