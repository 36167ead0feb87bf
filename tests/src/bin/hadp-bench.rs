//! What `cargo xtask bench` runs.
#![expect(clippy::print_stdout, reason = "results go to standard output")]

use anyhow::Result;
use clap::{Parser, Subcommand};
use hadp_tests::bench::failover;

/// Measures hadp; without a name, everything.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask bench")]
struct Options {
    #[command(subcommand)]
    bench: Option<Bench>,
}

#[derive(Debug, Subcommand)]
enum Bench {
    /// The outage that a client sees when the Active node fails, beside keepalived
    Failover(failover::Options),
}

impl Bench {
    fn all() -> Vec<Self> {
        vec![Self::Failover(failover::Options::default())]
    }

    fn run(&self) -> Result<()> {
        match self {
            Self::Failover(options) => println!("\n{}", failover::run(options)?),
        }
        Ok(())
    }
}

fn main() -> Result<()> {
    let benches = Options::parse().bench.map_or_else(Bench::all, |bench| vec![bench]);
    benches.iter().try_for_each(Bench::run)
}
