//! The hadp program.

mod cli;

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    match cli::Cli::parse().run() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("hadp: {error:#}");
            ExitCode::FAILURE
        }
    }
}
