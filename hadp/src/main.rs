//! The hadp program.

fn main() {}
