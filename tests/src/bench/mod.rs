//! Measurements.

mod brief;
mod course;
pub mod failover;
mod fault;
pub mod handover;
mod lease_watch;
mod load;
mod owned;
pub mod ownership;
mod plan;
mod plot;
mod rows;
mod run;
mod sample;
mod series;
mod setting;
mod shares;
pub mod soak;
mod table;
pub mod takeover;
mod tally;
mod thousand;
pub mod xdp;

pub use brief::brief;
pub use lease_watch::{Lapse, LeaseWatch, Watched};
pub use plan::Part;
