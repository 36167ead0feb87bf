//! Test tools of hadp.

pub mod bench;
pub mod prog;
