//! What the daemon shows of itself.

pub mod control;
pub mod snapshot;
