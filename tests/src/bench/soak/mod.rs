//! `cargo xtask bench soak`: half an hour of random faults, and nothing else to be seen.

mod befall;
mod judge;
mod run;

pub use run::{Options, Outcome, run};
