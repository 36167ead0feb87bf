//! `hadp check`.

use std::{
    io::{self, IsTerminal as _, Write as _},
    path::PathBuf,
    process::ExitCode,
};

use clap::Args;
use hadp::config::{self, Options};

use super::Source;

#[derive(Args, Debug)]
pub(super) struct Check {
    /// The configuration file.
    #[arg(value_name = "FILE", default_value = "/etc/keepalived/keepalived.conf")]
    file: PathBuf,
    #[command(flatten)]
    source: Source,
}

impl Check {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let options = Options { id: self.source.config_id, strict: self.source.strict, ..Options::default() };
        let loaded = config::load(&self.file, &options);
        let text = loaded.report.render(io::stdout().is_terminal());
        io::stdout().write_all(text.as_bytes())?;
        Ok(ExitCode::from(loaded.report.exit_code()))
    }
}
