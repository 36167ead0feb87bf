//! What `cargo xtask bench` runs.
#![expect(clippy::print_stdout, reason = "results go to standard output")]

use std::process::ExitCode;

use anyhow::{Result, anyhow};
use clap::{Parser, Subcommand};
use hadp_tests::bench::{brief, failover, handover, ownership, soak, takeover, xdp};

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
    /// What that client loses when a node gives the address up on purpose
    Handover(handover::Options),
    /// That an address never has two owners, whatever becomes of one: both nodes' times beside each other
    Ownership(ownership::Options),
    /// From the decision to the last of 1,000 addresses that answers ARP
    Takeover,
    /// Random faults for half an hour: owners change where faults were, and memory stays
    Soak(soak::Options),
    /// What one packet costs in the XDP program
    Xdp(xdp::Options),
}

impl Bench {
    fn all() -> Vec<Self> {
        vec![Self::Xdp(xdp::Options::default()), Self::Takeover, Self::Failover(failover::Options::default())]
    }

    fn run(&self) -> Result<()> {
        match self {
            Self::Failover(options) => println!("\n{}", failover::run(options)?),
            Self::Soak(options) => {
                let soak::Outcome { text, failed } = soak::run(options)?;
                println!("\n{text}");
                failed.map_or(Ok(()), |why| Err(anyhow!(why)))?;
            }
            Self::Handover(options) => println!("\n{}", handover::run(options)?),
            Self::Ownership(options) => println!("\n{}", ownership::run(options)?),
            Self::Takeover => println!("\n{}", takeover::run()?),
            Self::Xdp(options) => println!("\n{}", xdp::run(options)?),
        }
        Ok(())
    }
}

fn main() -> ExitCode {
    let benches = Options::parse().bench.map_or_else(Bench::all, |bench| vec![bench]);
    match benches.iter().try_for_each(Bench::run) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {}", brief(&error));
            ExitCode::FAILURE
        }
    }
}
