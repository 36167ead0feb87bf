//! What `cargo xtask bench` runs.
#![expect(clippy::print_stdout, reason = "results go to standard output")]

use anyhow::Result;
use clap::Parser;
use hadp_tests::bench::xdp;

/// Measures hadp.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask bench")]
enum Bench {
    /// What one packet costs in the XDP program
    Xdp(xdp::Options),
}

fn main() -> Result<()> {
    match Bench::parse() {
        Bench::Xdp(options) => println!("{}", xdp::run(&options)?),
    }
    Ok(())
}
