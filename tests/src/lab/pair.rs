//! Two nodes that share a virtual address.

use std::{net::Ipv4Addr, path::Path, time::Duration};

use anyhow::Result;

use super::{Daemon, Lan, Software, wait_until};

/// How long two nodes may take to agree: with adverts each second, Active_Down_Interval alone is up to 4 s.
const ELECTION: Duration = Duration::from_secs(15);

/// The daemons of `n1` and `n2`.
#[derive(Debug)]
pub struct Pair {
    /// On `n1`.
    pub first: Daemon,
    /// On `n2`.
    pub second: Daemon,
}

impl Pair {
    /// Starts the same software on both nodes.
    ///
    /// # Errors
    ///
    /// When one cannot be started.
    pub fn start(lan: &Lan, software: Software, confs: [&Path; 2]) -> Result<Self> {
        let (n1, n2) = lan.pair()?;
        let [first, second] = confs;
        Ok(Self { first: software.start(n1, first)?, second: software.start(n2, second)? })
    }

    /// Waits until `n1` has the virtual address, `n2` has not, and `n2` says that it is Backup.
    ///
    /// # Errors
    ///
    /// Shows both logs when the nodes do not agree in time.
    pub fn wait_elected(&self, lan: &Lan, vip: Ipv4Addr) -> Result<()> {
        let (n1, n2) = lan.pair()?;
        let backup = || self.second.log().text().to_lowercase().contains("backup");
        let elected = wait_until("n1 Active and n2 Backup", ELECTION, || {
            Ok(n1.holds(vip)? && !n2.holds(vip)? && backup())
        });
        let logs =
            || format!("log of n1:\n{}\nlog of n2:\n{}", self.first.log().text(), self.second.log().text());
        elected.map(drop).map_err(|error| error.context(logs()))
    }
}
