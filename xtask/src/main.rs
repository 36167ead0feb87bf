//! The task runner of hadp: `cargo xtask help`.
#![expect(clippy::print_stdout, reason = "a command-line program speaks on standard output")]
#![expect(clippy::disallowed_methods, reason = "says how long a step took")]
mod budget;
mod command;
mod lint;
mod machine;
mod setup;
mod suite;
mod tasks;

use std::process::ExitCode;

use clap::Parser;

/// Builds, tests, measures and shows hadp. Each task first installs what it needs (`setup`).
#[derive(Debug, Parser)]
#[command(name = "cargo xtask")]
enum Task {
    /// Finds or installs the eBPF toolchain, bpf-linker and the programs that tests need
    Setup,
    /// Builds everything
    Build {
        /// With optimisation
        #[arg(long)]
        release: bool,
    },
    /// Runs the daemon with the arguments after `--`; without any, shows a failover on a LAN in namespaces
    Run {
        /// What follows `hadp run`, such as `-f FILE`
        #[arg(last = true)]
        args: Vec<String>,
    },
    /// Runs every check and every test; needs root, which it asks sudo for
    Test,
    /// Runs the checks alone: format, clippy on both targets, the core's independence, file sizes
    Lint,
    /// Measures: `bench --help` lists what
    #[command(disable_help_flag = true)]
    Bench {
        /// What to measure, and how
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
}

fn main() -> ExitCode {
    let result = match Task::parse() {
        Task::Setup => setup::run(),
        Task::Build { release } => tasks::build(release),
        Task::Run { args } if args.is_empty() => tasks::demo(),
        Task::Run { args } => tasks::daemon(&args),
        Task::Test => suite::run(),
        Task::Lint => suite::lint(),
        Task::Bench { args } => tasks::bench(&args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
