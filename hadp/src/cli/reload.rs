//! `hadp reload`.

use std::{
    io::{self, Write as _},
    path::PathBuf,
    process::ExitCode,
};

use anyhow::{Context as _, bail};
use clap::Args;
use hadp::observe::control::{self, Answer, Reload as Outcome, Request};

#[derive(Args, Debug)]
pub(super) struct Reload {
    /// The directory of the control socket.
    #[arg(long, value_name = "DIR", default_value = "/run/hadp")]
    run_dir: PathBuf,
}

impl Reload {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let path = self.run_dir.join("control");
        let answer = control::ask(&path, &Request::Reload)
            .with_context(|| format!("asking the daemon at {}; is hadp running?", path.display()))?;
        match answer {
            Answer::Reload(Outcome::Done(done)) => {
                for line in &done.warnings {
                    writeln!(io::stderr(), "hadp: {line}")?;
                }
                writeln!(io::stdout(), "reloaded: {}", done.summary())?;
                Ok(ExitCode::SUCCESS)
            }
            Answer::Reload(Outcome::Refused { problems }) => {
                for line in &problems {
                    writeln!(io::stderr(), "hadp: {line}")?;
                }
                Ok(ExitCode::FAILURE)
            }
            Answer::Error(reason) => bail!("the daemon answers: {reason}"),
            Answer::Status(_) | Answer::Failover(_) => bail!("the daemon answers another question"),
        }
    }
}
