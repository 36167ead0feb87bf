//! Measurements.

mod awake;
mod brief;
mod course;
pub mod failover;
mod fault;
pub mod handover;
mod load;
mod plan;
mod plot;
mod run;
mod sample;
mod series;
mod setting;
pub mod soak;
mod table;
pub mod takeover;
mod tally;
mod witness;
pub mod xdp;

pub use brief::brief;
pub use plan::Part;
