//! Test tools of hadp.
