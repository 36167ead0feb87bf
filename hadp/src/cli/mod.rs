//! The command line.

mod check;
mod cleanup;
mod failover;
mod log;
mod reload;
mod replay;
mod run;
mod status;

use std::{path::PathBuf, process::ExitCode};

use clap::{Args, Parser, Subcommand};

/// High-availability data plane: VRRP in eBPF/XDP, configured by keepalived.conf.
#[derive(Debug, Parser)]
#[command(version, arg_required_else_help = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs the daemon in the foreground.
    Run(run::Run),
    /// Checks a configuration and starts nothing; exits with 0 (good), 4 (warnings), 5 (errors) or 6 (script security).
    Check(check::Check),
    /// Shows the state of the running daemon.
    Status(status::Status),
    /// Hands a virtual router over to another node, which is asked twice; exits with 0 (handed over), 1 (nobody took over), 2 (no
    /// such router) or 3 (this node is not Active).
    Failover(failover::Failover),
    /// Has the running daemon read its configuration again; exits with 0 (it is in force) or 1 (it was refused, and nothing
    /// has changed).
    Reload(reload::Reload),
    /// Goes through what `hadp run --record` has recorded; exits with 0 (everything is decided as it was then), 1 (the log
    /// is unreadable) or 2 (something is decided otherwise).
    Replay(replay::Replay),
    /// Removes the programs, maps and addresses that a killed daemon left.
    Cleanup(cleanup::Cleanup),
}

/// Where the configuration is, and how it is read.
#[derive(Args, Debug)]
struct Source {
    /// The identity that `@ID` lines compare with; the short host name if not given.
    #[arg(short = 'i', long, value_name = "ID")]
    config_id: Option<String>,
    /// Refuses a configuration with unknown keywords and other problems that are otherwise warnings.
    #[arg(long)]
    strict: bool,
}

/// Where the daemon keeps what outlives it.
#[derive(Args, Debug)]
struct Places {
    /// The directory of the pinned maps and links, on a BPF filesystem.
    #[arg(long, value_name = "DIR", default_value = "/sys/fs/bpf/hadp")]
    pin_dir: PathBuf,
    /// The directory of the control socket.
    #[arg(long, value_name = "DIR", default_value = "/run/hadp")]
    run_dir: PathBuf,
}

impl Cli {
    /// Carries out the command.
    ///
    /// # Errors
    ///
    /// What to print before exiting with 1.
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        match self.command {
            Command::Run(run) => run.run(),
            Command::Check(check) => check.run(),
            Command::Status(status) => status.run(),
            Command::Failover(failover) => failover.run(),
            Command::Reload(reload) => reload.run(),
            Command::Replay(replay) => replay.run(),
            Command::Cleanup(cleanup) => cleanup.run(),
        }
    }
}
