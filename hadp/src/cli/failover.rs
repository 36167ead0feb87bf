//! `hadp failover`.

use std::{
    io::{self, Write as _},
    path::PathBuf,
    process::ExitCode,
    time::Duration,
};

use anyhow::{Context as _, bail};
use clap::Args;
use hadp::observe::control::{self, Answer, Failover as Outcome, Request};

/// Nobody took over.
const KEPT: u8 = 1;
/// There is no such router.
const UNKNOWN: u8 = 2;
/// This node is not Active.
const NOT_ACTIVE: u8 = 3;

#[derive(Args, Debug)]
pub(super) struct Failover {
    /// The name of the vrrp_instance.
    instance: String,
    /// The directory of the control socket.
    #[arg(long, value_name = "DIR", default_value = "/run/hadp")]
    run_dir: PathBuf,
}

impl Failover {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let path = self.run_dir.join("control");
        let request = Request::Failover { instance: self.instance.clone() };
        let answer = control::ask(&path, &request)
            .with_context(|| format!("asking the daemon at {}; is hadp running?", path.display()))?;
        let outcome = match answer {
            Answer::Failover(outcome) => outcome,
            Answer::Error(reason) => bail!("the daemon answers: {reason}"),
            Answer::Status(_) | Answer::Reload(_) => bail!("the daemon answers another question"),
        };
        let (code, text) = describe(&self.instance, &outcome);
        if code == 0 {
            writeln!(io::stdout(), "{text}")?;
        } else {
            writeln!(io::stderr(), "hadp: {text}")?;
        }
        Ok(ExitCode::from(code))
    }
}

/// Says what happened, and returns how to exit.
fn describe(instance: &str, outcome: &Outcome) -> (u8, String) {
    match outcome {
        Outcome::HandedOver { to, took_us } => {
            let took = Duration::from_micros(*took_us);
            (0, format!("{instance}: handed over to {to} in {took:.1?}"))
        }
        Outcome::Kept => (KEPT, format!("{instance}: nobody took over; this node is Active as before")),
        Outcome::NotActive { state, active: Some(active) } => {
            let (addr, priority) = (active.addr, active.priority);
            (NOT_ACTIVE, format!("{instance}: this node is {state}; Active is {addr} (priority {priority})"))
        }
        Outcome::NotActive { state, active: None } => {
            (NOT_ACTIVE, format!("{instance}: this node is {state}, and no other node is known to be Active"))
        }
        Outcome::Unknown { instances } => {
            (UNKNOWN, format!("no virtual router is called {instance}; there are: {}", instances.join(", ")))
        }
    }
}

#[cfg(test)]
mod tests {
    use hadp::observe::snapshot::ActiveRouter;

    use super::*;

    #[test]
    fn each_outcome_has_its_words_and_its_code() {
        let to = std::net::IpAddr::from([10, 77, 0, 2]);
        let active = Some(ActiveRouter { addr: to, priority: 150 });
        let instances = vec!["VI_1".to_owned(), "VI_2".to_owned()];
        let table = [
            (Outcome::HandedOver { to, took_us: 6_250 }, 0, "VI: handed over to 10.77.0.2 in 6.2ms"),
            (Outcome::Kept, 1, "VI: nobody took over; this node is Active as before"),
            (Outcome::Unknown { instances }, 2, "no virtual router is called VI; there are: VI_1, VI_2"),
            (
                Outcome::NotActive { state: "Backup".to_owned(), active },
                3,
                "VI: this node is Backup; Active is 10.77.0.2 (priority 150)",
            ),
        ];
        for (outcome, code, text) in table {
            assert_eq!(describe("VI", &outcome), (code, text.to_owned()));
        }
    }
}
