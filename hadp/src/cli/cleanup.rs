//! `hadp cleanup`.

use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;
use hadp::shell::{self, Paths};

use super::{
    Places,
    log::{self, Log},
};

#[derive(Args, Debug)]
pub(super) struct Cleanup {
    #[command(flatten)]
    places: Places,
}

impl Cleanup {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        log::init(Log::Stderr, "info")?;
        let paths =
            Paths { pins: self.places.pin_dir, run: self.places.run_dir, config: "".into(), record: None };
        shell::clean_up(&paths).context("removing what a daemon left")?;
        Ok(ExitCode::SUCCESS)
    }
}
