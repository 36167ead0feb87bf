//! Measurements.

pub mod xdp;
