//! What befalls a node in a soak, and how it is made well again.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use anyhow::Result;

use crate::{
    client::Mac,
    lab::{Daemon, Node, Software, hadp_binary},
};

/// How long a fault lasts.
pub(super) const LASTS: Duration = Duration::from_millis(1500);

/// What befalls a node.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Kind {
    Silent,
    LinkDown,
    Carrier,
    Kill,
    KillDaemon,
    Freeze,
    Restart,
    Failover,
}

impl Kind {
    pub(super) const ALL: [Self; 8] = [
        Self::Silent,
        Self::LinkDown,
        Self::Carrier,
        Self::Kill,
        Self::KillDaemon,
        Self::Freeze,
        Self::Restart,
        Self::Failover,
    ];

    /// Lets it happen.
    pub(super) fn befall(self, node: &Node, daemon: &mut Daemon) -> Result<()> {
        match self {
            Self::Silent => node.cut(),
            Self::LinkDown => node.link_down(),
            Self::Carrier => node.carrier(false),
            Self::Kill => daemon.crash().map(drop),
            Self::KillDaemon => daemon.crash_daemon().map(drop),
            Self::Freeze => daemon.freeze().map(drop),
            Self::Restart => daemon.stop(),
            Self::Failover => {
                // A Backup has nothing to hand over, and says so.
                let hadp = hadp_binary()?;
                drop(node.run([&hadp.to_string_lossy(), "failover", "VI_0"]));
                Ok(())
            }
        }
    }

    /// Lets it pass.
    pub(super) fn pass(self, node: &Node, file: &Path, daemon: &mut Daemon) -> Result<()> {
        match self {
            Self::Silent => node.mend(),
            Self::LinkDown => node.link_up(),
            Self::Carrier => node.carrier(true),
            Self::Kill | Self::Restart => {
                *daemon = Software::Hadp.start(node, file)?;
                Ok(())
            }
            Self::Freeze => daemon.thaw(),
            Self::KillDaemon | Self::Failover => Ok(()),
        }
    }
}

/// Makes a node well again when something could not be done: whatever it is, the others would not be measured.
pub(super) fn heal(node: &Node, file: &Path, daemon: &mut Daemon) -> Result<()> {
    let _ = daemon.thaw_all(); // one that has ended is started below
    node.mend()?;
    node.carrier(true)?;
    node.link_up()?;
    if !daemon.process().running()? {
        *daemon = Software::Hadp.start(node, file)?;
    }
    Ok(())
}

/// What befell whom, and when.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fault {
    pub(super) kind: Kind,
    pub(super) victim: Mac,
    /// When it was ordered, when its end was, and when that had come for certain.
    pub(super) came: Instant,
    pub(super) passing: Instant,
    pub(super) passed: Instant,
}
