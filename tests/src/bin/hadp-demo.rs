//! What `cargo xtask run` runs.

use anyhow::Result;
use clap::Parser;
use hadp_tests::{demo, lab::Software};

/// Shows a failover on a LAN in network namespaces.
#[derive(Debug, Parser)]
#[command(name = "hadp-demo")]
struct Options {
    /// Shows keepalived instead, for comparison
    #[arg(long)]
    keepalived: bool,
}

fn main() -> Result<()> {
    let Options { keepalived } = Options::parse();
    demo::run(if keepalived { Software::Keepalived } else { Software::Hadp })
}
