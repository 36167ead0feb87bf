//! What happens to the Active node of a failover bench.

use std::{
    fmt::{self, Display},
    path::PathBuf,
    thread,
    time::Instant,
};

use anyhow::Result;

use crate::lab::{Node, Pair, Software, hadp_binary};

/// What happens to the Active node.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Fault {
    /// It dies, as for want of power: its port on the switch stops forwarding, and its processes stand still.
    Silent,
    /// Its port on the switch stops forwarding; it notices nothing, and goes on.
    CutOff,
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
    pub(super) const ALL: [Self; 9] = [
        Self::Silent,
        Self::CutOff,
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
        matches!(self, Self::Silent | Self::CutOff | Self::LinkDown)
    }

    /// Tells whether a program has what this needs.
    pub(super) fn applies(self, software: Software) -> bool {
        match self {
            Self::KillDaemon | Self::Failover => software == Software::Hadp,
            Self::Silent
            | Self::CutOff
            | Self::Kill
            | Self::Stop
            | Self::LinkDown
            | Self::Term
            | Self::Preempt => true,
        }
    }

    /// Lets it happen to `n1` at a time, and returns when it had not happened yet and when it had for certain: a signal takes no
    /// time, a command takes milliseconds.
    ///
    /// # Errors
    ///
    /// When it does not happen.
    pub(super) fn befall(
        self,
        at: Instant,
        pair: &mut Pair,
        n1: &Node,
        files: &[PathBuf; 2],
    ) -> Result<[Instant; 2]> {
        let wait = || thread::sleep(at.saturating_duration_since(Instant::now()));
        match self {
            Self::Silent => pair.first.die(|| n1.cut_at(at)),
            Self::CutOff => n1.cut_at(at),
            Self::LinkDown => n1.link_down_at(at),
            Self::Kill => {
                wait();
                Ok([pair.first.crash()?; 2])
            }
            Self::KillDaemon => {
                wait();
                Ok([pair.first.crash_daemon()?; 2])
            }
            Self::Stop => {
                wait();
                Ok([pair.first.freeze_all()?; 2])
            }
            Self::Term => {
                wait();
                timed(|| pair.first.terminate())
            }
            Self::Failover => {
                let program = hadp_binary()?;
                wait();
                timed(|| n1.run([&program.to_string_lossy(), "failover", "VI_0"]))
            }
            Self::Preempt => {
                let [first, _] = files;
                wait();
                timed(|| {
                    pair.first = pair.first.software().start(n1, first)?;
                    Ok(())
                })
            }
        }
    }
}

/// Has something done, and returns the time before and after.
fn timed<T>(order: impl FnOnce() -> Result<T>) -> Result<[Instant; 2]> {
    let before = Instant::now();
    order()?;
    Ok([before, Instant::now()])
}

impl Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Silent => "silent death",
            Self::CutOff => "cut off",
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
