//! What the tests ask of a LAN again and again.

use std::{
    net::Ipv4Addr,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::Result;

use crate::{
    client::{ArpProber, Mac},
    lab::{Lan, Node, wait_until},
};

/// Returns a file of the test data.
pub fn data(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("data").join(file)
}

/// Returns a node's MAC.
pub fn mac(node: &Node) -> Mac {
    Mac(node.mac())
}

/// Waits until `owner` has `vip` on its interface and no other node of the LAN has.
///
/// # Errors
///
/// When that does not come about within `timeout`.
pub fn wait_owner(lan: &Lan, owner: &Node, vip: Ipv4Addr, timeout: Duration) -> Result<Duration> {
    wait_until(&format!("{} alone holds {vip}", owner.name()), timeout, || {
        for node in lan.nodes() {
            if node.holds(vip)? != (node.name() == owner.name()) {
                return Ok(false);
            }
        }
        Ok(true)
    })
}

/// Returns who answered for the address since `start`, one entry each time that changed.
pub fn owners_since(prober: &ArpProber, start: Instant) -> Vec<Mac> {
    let mut owners: Vec<_> =
        prober.answers().iter().filter(|answer| answer.at >= start).map(|answer| answer.mac).collect();
    owners.dedup();
    owners
}
