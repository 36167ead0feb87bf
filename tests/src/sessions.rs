//! What the tests ask about BFD sessions.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use serde_json::Value;

use crate::{
    checks::{mac, wait_owner, wait_state},
    client::ArpProber,
    conf::VIP,
    lab::{Lan, Node, hadp_status, wait_until},
};

/// How long a session may take to come up, or a router to be elected.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// Returns one field of the status of a node's session; null where there is none.
///
/// # Errors
///
/// When the daemon does not answer.
pub fn field(node: &Node, index: usize, name: &str) -> Result<Value> {
    let status = hadp_status(node)?;
    Ok(status.pointer(&format!("/bfd/{index}/{name}")).cloned().unwrap_or_default())
}

/// Waits until a node's session is in a state.
///
/// # Errors
///
/// When that does not come about in time.
pub fn wait_session(node: &Node, index: usize, wanted: &str) -> Result<()> {
    let what = format!("session {index} of {} is {wanted}", node.name());
    wait_until(&what, PATIENCE, || Ok(field(node, index, "state").is_ok_and(|state| state == wanted)))
        .with_context(|| format!("{:#}", hadp_status(node).unwrap_or_default()))?;
    Ok(())
}

/// Waits until `n1` owns the address, `n2` follows it, and both sessions are up.
///
/// # Errors
///
/// When that does not come about in time.
pub fn settle(lan: &Lan) -> Result<()> {
    let (n1, n2) = lan.pair()?;
    wait_owner(lan, n1, VIP, PATIENCE)?;
    wait_state(n2, "Backup", "")?;
    for node in [n1, n2] {
        wait_session(node, 0, "Up")?;
    }
    let follows = || Ok(hadp_status(n2)?.pointer("/routers/0/active_router").is_some());
    wait_until("n2 follows n1", PATIENCE, follows)?;
    Ok(())
}

/// Returns how long after `start` a node first answered for the address.
///
/// # Errors
///
/// When it does not.
pub fn answered_after(prober: &ArpProber, node: &Node, start: Instant) -> Result<Duration> {
    let first = || prober.answers().into_iter().find(|answer| answer.at >= start && answer.mac == mac(node));
    wait_until(&format!("{} answers", node.name()), PATIENCE, || Ok(first().is_some()))?;
    Ok(first().context("no answer")?.at.duration_since(start))
}
