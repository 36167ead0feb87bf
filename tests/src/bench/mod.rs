//! Benches that need more than one machine or a kernel.
