//! A node's state, as its daemon tells it.

use std::net::Ipv4Addr;

use crate::lab::{Daemon, Node, Software, hadp_status};

/// What is shown of a node.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct View {
    /// The state's name in RFC 9568, or `starting`.
    pub(super) state: String,
    /// Further facts, such as the priority.
    pub(super) facts: String,
    /// How long the lease still runs, in milliseconds; 0 without one.
    pub(super) lease_ms: u64,
    /// Whether its interface has the virtual address.
    pub(super) has_vip: bool,
}

impl View {
    /// The view of a node without power.
    pub(super) fn off() -> Self {
        Self { state: "off".to_owned(), facts: String::new(), lease_ms: 0, has_vip: false }
    }

    /// Looks at a node; a daemon that does not answer yet is starting.
    pub(super) fn of(node: &Node, daemon: &Daemon, vip: Ipv4Addr) -> Self {
        let has_vip = node.holds(vip).unwrap_or(false);
        let view = match daemon.software() {
            Software::Hadp => hadp(node),
            Software::Keepalived => keepalived(daemon),
        };
        let starting = || Self { state: "starting".to_owned(), ..Self::off() };
        Self { has_vip, ..view.unwrap_or_else(starting) }
    }
}

/// Reads the first router of `hadp status --json`, leniently: a field that is missing is not shown.
fn hadp(node: &Node) -> Option<View> {
    let status = hadp_status(node).ok()?;
    let router = status.get("routers")?.as_array()?.first()?;
    let state = router.get("state")?.as_str()?.to_owned();
    let fact = |field: &str| {
        let value = router.get(field).filter(|value| !value.is_null())?;
        Some(value.as_str().map_or_else(|| value.to_string(), str::to_owned))
    };
    let facts = [
        fact("name"),
        fact("vrid").map(|vrid| format!("VRID {vrid}")),
        fact("priority").map(|priority| format!("priority {priority}")),
    ];
    let facts = facts.into_iter().flatten().collect::<Vec<_>>().join(", ");
    let lease_ms = router.get("lease_ms").and_then(serde_json::Value::as_u64).unwrap_or(0);
    Some(View { state, facts, lease_ms, has_vip: false })
}

/// Reads the last state that keepalived's log names.
fn keepalived(daemon: &Daemon) -> Option<View> {
    let lines = daemon.log().lines();
    let line = lines.iter().rev().find(|line| line.text.contains("Entering "))?;
    let state = line.text.split("Entering ").nth(1)?.split(' ').next()?;
    let rfc = match state {
        "MASTER" => "Active",
        "BACKUP" => "Backup",
        other => other,
    };
    Some(View { state: rfc.to_owned(), ..View::off() })
}
