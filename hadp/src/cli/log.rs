//! Where the log goes.

use std::{env, io::IsTerminal as _};

use anyhow::Context as _;
use clap::ValueEnum;
use tracing_subscriber::{EnvFilter, layer::SubscriberExt as _, util::SubscriberInitExt as _};

/// A destination of the log.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum Log {
    /// The journal when started by systemd, else standard error.
    Auto,
    /// Standard error.
    Stderr,
    /// The systemd journal.
    Journald,
}

/// Sets up logging; `level` is a filter such as `info` or `hadp=debug`.
pub(crate) fn init(to: Log, level: &str) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(level).with_context(|| format!("reading the log level `{level}`"))?;
    let journal = match to {
        Log::Auto => env::var_os("JOURNAL_STREAM").is_some(),
        Log::Journald => true,
        Log::Stderr => false,
    };
    let registry = tracing_subscriber::registry().with(filter);
    if journal {
        let layer = tracing_journald::layer().context("connecting to the systemd journal")?;
        registry.with(layer).init();
    } else {
        let terminal = std::io::stderr().is_terminal();
        let layer = tracing_subscriber::fmt::layer()
            .with_writer(std::io::stderr)
            .with_ansi(terminal)
            .with_target(false);
        registry.with(layer).init();
    }
    Ok(())
}
