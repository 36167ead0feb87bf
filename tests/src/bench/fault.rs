//! What happens to the Active node of a failover bench.

use std::{
    fmt::{self, Display},
    path::PathBuf,
    time::Instant,
};

use anyhow::Result;

use crate::lab::{Node, Pair, Software, hadp_binary};

/// What happens to the Active node.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Fault {
    /// Its port on the switch stops forwarding; it notices nothing.
    Silent,
    /// Its daemon is killed (SIGKILL) with all its processes; its kernel goes on.
    Kill,
    /// Its daemon proper is killed; what watches it does what it is told to.
    KillDaemon,
    /// Its daemon is stopped (SIGSTOP) with all its processes.
    Stop,
    /// Its interface goes down.
    LinkDown,
    /// Its daemon is asked to end (SIGTERM).
    Term,
    /// It is told to hand over: `hadp failover`.
    Failover,
    /// It comes back, and takes over from the other one: measured from its start.
    Preempt,
}

impl Fault {
    pub(super) const ALL: [Self; 8] = [
        Self::Silent,
        Self::Kill,
        Self::KillDaemon,
        Self::Stop,
        Self::LinkDown,
        Self::Term,
        Self::Failover,
        Self::Preempt,
    ];

    /// Tells whether the client must lose something: the owner's line is dead at once.
    pub(super) fn cuts(self) -> bool {
        matches!(self, Self::Silent | Self::LinkDown)
    }

    /// Tells whether a program has what this needs.
    pub(super) fn applies(self, software: Software) -> bool {
        match self {
            Self::KillDaemon | Self::Failover => software == Software::Hadp,
            Self::Silent | Self::Kill | Self::Stop | Self::LinkDown | Self::Term | Self::Preempt => true,
        }
    }

    /// Lets it happen to `n1`, and returns when it had not happened yet and when it had for certain: a signal takes no time, a
    /// command takes milliseconds.
    ///
    /// # Errors
    ///
    /// When it does not happen.
    pub(super) fn befall(self, pair: &mut Pair, n1: &Node, files: &[PathBuf; 2]) -> Result<[Instant; 2]> {
        let ordered = Instant::now();
        match self {
            Self::Kill => return Ok([pair.first.crash()?; 2]),
            Self::KillDaemon => return Ok([pair.first.crash_daemon()?; 2]),
            Self::Stop => return Ok([pair.first.freeze_all()?; 2]),
            Self::Silent => n1.cut()?,
            Self::LinkDown => n1.link_down()?,
            Self::Term => pair.first.terminate()?,
            Self::Failover => drop(n1.run([&hadp_binary()?.to_string_lossy(), "failover", "VI_0"])?),
            Self::Preempt => {
                let [first, _] = files;
                pair.first = pair.first.software().start(n1, first)?;
            }
        }
        Ok([ordered, Instant::now()])
    }
}

impl Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Silent => "silent death",
            Self::Kill => "kill -9, all of it",
            Self::KillDaemon => "kill -9, the daemon",
            Self::Stop => "SIGSTOP",
            Self::LinkDown => "link down",
            Self::Term => "SIGTERM",
            Self::Failover => "hadp failover",
            Self::Preempt => "preemption",
        })
    }
}
