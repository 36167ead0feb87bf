//! Measurements.

mod course;
pub mod failover;
pub mod handover;
mod load;
mod plot;
mod run;
mod setting;
pub mod soak;
mod table;
pub mod takeover;
mod thousand;
pub mod xdp;
