//! A thousand routers on two nodes that share four links and one BFD session.

use std::{fmt::Write as _, time::Duration};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::lab::{Daemon, Lan, Node, Software, hadp_status, wait_until};

/// The links between the nodes; an interface has 255 virtual routers at most.
pub const LINKS: usize = 4;
/// The routers of a link.
pub const ROUTERS: usize = 250;
/// All of them.
pub const ALL: usize = LINKS * ROUTERS;

/// How long a thousand routers may take to come to a state.
const SETTLED: Duration = Duration::from_secs(20);

/// Connects `n1` and `n2` by links of their own, `lan1` to `lan4`, beside the LAN.
///
/// # Errors
///
/// When a link cannot be made.
pub fn connect(lan: &Lan) -> Result<()> {
    let (n1, n2) = lan.pair()?;
    let far = n2.holder().pid().to_string();
    for link in 1..=LINKS {
        let name = format!("lan{link}");
        n1.run(["ip", "link", "add", &name, "type", "veth", "peer", "name", &name, "netns", &far])?;
        for (node, last) in [(n1, 1), (n2, 2)] {
            node.run(["ip", "addr", "add", &format!("10.78.{link}.{last}/24"), "dev", &name])?;
            node.run(["ip", "link", "set", &name, "up"])?;
        }
    }
    Ok(())
}

/// Returns the configuration of one node: every router has an address, sends adverts every two seconds, and follows the
/// session to the other node over the LAN.
pub fn conf(own: u8, priority: u8, bfd_us: u32) -> String {
    let other = 3 - own;
    let mut conf = format!(
        "bfd_instance peer {{\n    neighbor_ip 10.77.0.{other}\n    source_ip 10.77.0.{own}\n    min_rx {bfd_us}us\n    \
         min_tx {bfd_us}us\n    multiplier 3\n}}\n"
    );
    for link in 1..=LINKS {
        for vrid in 1..=ROUTERS {
            let _ = writeln!(
                conf,
                "vrrp_instance L{link}_{vrid} {{
    state BACKUP
    interface lan{link}
    version 3
    virtual_router_id {vrid}
    priority {priority}
    advert_int 2
    fast_failover
    virtual_ipaddress {{
        10.79.{link}.{vrid}/32
    }}
}}"
            );
        }
    }
    conf
}

/// Starts both nodes, and waits until the first is Active for all of them and the second follows it by a session that is
/// up.
///
/// # Errors
///
/// When they do not come to that.
pub fn start(lan: &Lan, bfd_us: u32) -> Result<[Daemon; 2]> {
    connect(lan)?;
    let (n1, n2) = lan.pair()?;
    let first = Software::Hadp.start_with(n1, &conf(1, 254, bfd_us))?;
    wait_all(n1, "Active")?;
    let second = Software::Hadp.start_with(n2, &conf(2, 253, bfd_us))?;
    wait_all(n2, "Backup")?;
    wait_until("adverts heard, and a session that is followed", SETTLED, || {
        let status = hadp_status(n2)?;
        let session = status.pointer("/bfd/0").cloned().unwrap_or_default();
        let armed =
            session.get("state") == Some(&"Up".into()) && session.get("damped") == Some(&false.into());
        let follow = |router: &Value| router.get("active_router").is_some_and(|active| !active.is_null());
        Ok(armed && routers(&status)?.iter().all(follow))
    })?;
    Ok([first, second])
}

/// Waits until all routers of a node are in a state.
///
/// # Errors
///
/// When they are not in time.
pub fn wait_all(node: &Node, state: &str) -> Result<()> {
    wait_until(&format!("{ALL} routers {state}"), SETTLED, || {
        // Right after its start a daemon does not answer yet.
        Ok(in_state(node, state).is_ok_and(|routers| routers.len() == ALL))
    })
    .map(drop)
}

/// Returns what a node's status tells of its routers in a state.
///
/// # Errors
///
/// When it does not answer.
pub fn in_state(node: &Node, state: &str) -> Result<Vec<Value>> {
    let status = hadp_status(node)?;
    Ok(routers(&status)?
        .iter()
        .filter(|router| router.get("state") == Some(&state.into()))
        .cloned()
        .collect())
}

fn routers(status: &Value) -> Result<&Vec<Value>> {
    status.get("routers").and_then(Value::as_array).context("no routers")
}

/// When what happened in the takeover of a thousand routers, since the first decision.
#[derive(Clone, Copy, Debug, Default)]
pub struct Spread {
    /// The first and last lease stored.
    pub stored: [Duration; 2],
    /// The first and last advert sent.
    pub advertised: [Duration; 2],
    /// The first decision, in nanoseconds of CLOCK_MONOTONIC.
    pub decided_ns: u64,
}

impl Spread {
    /// Waits until a node has told of the takeover of all of them, and reads it.
    ///
    /// # Errors
    ///
    /// When it has not in time.
    pub fn wait(node: &Node) -> Result<Self> {
        wait_until("all takeovers", SETTLED, || Ok(Self::of(node).is_ok()))?;
        Self::of(node)
    }

    /// Reads it from the status of a node that has taken all of them over.
    ///
    /// # Errors
    ///
    /// When a router has not.
    fn of(node: &Node) -> Result<Self> {
        let mut times = Vec::new();
        for router in in_state(node, "Active")? {
            let field = |name: &str| {
                let value = router.pointer(&format!("/takeover/{name}")).and_then(Value::as_u64);
                value.with_context(|| format!("no {name} of {router}"))
            };
            let decided = field("decided_ns")?;
            times.push([
                decided,
                decided + field("stored_after_ns")?,
                decided + field("advertised_after_ns")?,
            ]);
        }
        ensure!(times.len() == ALL, "{} of {ALL} routers took over", times.len());
        let ends = |which: fn(&[u64; 3]) -> u64| {
            let least = times.iter().map(which).min().unwrap_or_default();
            [least, times.iter().map(which).max().unwrap_or_default()]
        };
        let [decided_ns, _] = ends(|[decided, ..]| *decided);
        let since = |ends: [u64; 2]| ends.map(|at| Duration::from_nanos(at.saturating_sub(decided_ns)));
        Ok(Self {
            stored: since(ends(|[_, stored, _]| *stored)),
            advertised: since(ends(|[.., advertised]| *advertised)),
            decided_ns,
        })
    }

    /// Returns the time from the first lease stored to the last.
    pub fn storing(&self) -> Duration {
        let [first, last] = self.stored;
        last.saturating_sub(first)
    }
}
