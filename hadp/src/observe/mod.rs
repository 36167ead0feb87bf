//! What the daemon shows of itself.

pub mod control;
mod reload;
pub mod snapshot;
