//! What `cargo xtask bench` runs.
#![expect(clippy::print_stdout, reason = "results go to standard output")]

use anyhow::Result;
use clap::Parser;
use hadp_tests::bench::failover;

/// Measures hadp.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask bench")]
enum Bench {
    /// The outage that a client sees when the Active node fails, beside keepalived
    Failover(failover::Options),
}

fn main() -> Result<()> {
    match Bench::parse() {
        Bench::Failover(options) => println!("\n{}", failover::run(&options)?),
    }
    Ok(())
}
