//! Benches that need more than one machine or a kernel.

pub mod failover;
mod run;
mod table;
