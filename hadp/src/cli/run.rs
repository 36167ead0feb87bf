//! `hadp run`.

use std::{env, path::PathBuf, process::ExitCode};

use anyhow::Context as _;
use clap::Args;
use tracing::{error, warn};

use super::{
    Places, Source,
    log::{self, Log},
};
use hadp::{
    companion::{self, Will},
    config::{self, Options, Severity},
    shell::{self, Paths},
};

#[derive(Args, Debug)]
pub(super) struct Run {
    /// The configuration file.
    #[arg(
        short = 'f',
        long = "file",
        value_name = "FILE",
        default_value = "/etc/keepalived/keepalived.conf"
    )]
    file: PathBuf,
    #[command(flatten)]
    source: Source,
    #[command(flatten)]
    places: Places,
    /// Where the log goes.
    #[arg(long, value_enum, default_value = "auto")]
    log: Log,
    /// How much is logged: error, warn, info, debug or trace, also by module (`hadp::proto=debug`).
    #[arg(long, value_name = "LEVEL", default_value = "info", env = "HADP_LOG")]
    log_level: String,
    /// Records what the elections are told and decide, for `hadp replay`; the file must not exist yet. A
    /// daemon that is started again after a death records to FILE.1, the next one to FILE.2.
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
    /// Makes this process the daemon proper, which a companion has started.
    #[arg(long, hide = true, value_name = "FDS")]
    companion_fds: Option<companion::Inherited>,
}

impl Run {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        log::init(self.log, &self.log_level)?;
        let Places { pin_dir: pins, run_dir: run } = self.places;
        let paths = Paths { pins, run, config: self.file, record: self.record };
        let Some(fds) = self.companion_fds else {
            let options = companion::Options { arguments: env::args_os().skip(1).collect(), paths };
            return companion::run(options).context("running the daemon");
        };
        let will = Will::inherit(fds).context("taking up what the companion left open")?;
        let options = Options { id: self.source.config_id, strict: self.source.strict, ..Options::default() };
        let loaded = config::load(&paths.config, &options);
        for problem in loaded.report.diagnostics() {
            let line = problem.compact();
            match problem.severity {
                Severity::Error | Severity::Security => error!("{line}"),
                Severity::Warning | Severity::Unsupported => warn!("{line}"),
            }
        }
        let Some(config) = loaded.config else {
            error!("{}: not started", paths.config.display());
            return Ok(ExitCode::from(loaded.report.exit_code()));
        };
        shell::run(config, options, &paths, will)
            .with_context(|| format!("running {}", paths.config.display()))?;
        Ok(ExitCode::SUCCESS)
    }
}
