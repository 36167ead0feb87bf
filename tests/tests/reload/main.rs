//! Reload: what a client, the other node and the routers that did not change notice of it.

#![expect(clippy::disallowed_methods, reason = "real daemons take real time")]

mod addresses;
mod afterwards;
mod changed;
mod global;
mod hundreds;
mod refused;
mod removed;
mod sessions;
mod tracks;
mod waiting;

use std::{
    cell::RefCell,
    net::Ipv4Addr,
    process::Output,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use hadp_tests::{
    checks::{hasten, mac, overlap, owners_since, state, wait_owner, wait_state},
    client::{ArpProber, Mac, Prober},
    conf::{Instance, Session, VIP},
    lab::{Daemon, KEEPALIVED_REALTIME, Lan, Node, Software, hadp_binary, hadp_status, wait_until},
    sessions::{PATIENCE, answered_after, field, settle, wait_session},
    unspoilt::{AT_TEN_MILLISECONDS, unspoilt},
};
use nix::sys::signal::Signal;
use serde_json::Value;

const SECOND: Duration = Duration::from_secs(1);
const MILLISECOND: Duration = Duration::from_millis(1);
const PROBE: Duration = Duration::from_micros(100);
/// How long probes go on after a reload: past drains and all that follows.
const AFTERMATH: Duration = Duration::from_millis(400);
/// The address of a second router.
const OTHER: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 101);
const THIRD: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 102);

/// Two nodes that share [`VIP`], `n1` Active and `n2` its Backup, and a client that uses the address.
struct Scene {
    lan: Lan,
    first: Daemon,
    second: Daemon,
    /// Until they are looked at.
    probes: RefCell<Option<Prober>>,
    asked: ArpProber,
    /// From here on nobody is to notice anything.
    start: Instant,
}

impl Scene {
    /// Starts a daemon on each node with these configurations, and a client that probes at this pace.
    fn new([first, second]: [&str; 2], probe: Duration) -> Result<Self> {
        let lan = Lan::new(2)?;
        let (n1, n2) = lan.pair()?;
        let first = Software::Hadp.start_with(n1, first)?;
        hasten(&lan, n1)?;
        wait_owner(&lan, n1, VIP, PATIENCE).with_context(|| first.log().text())?;
        let second = Software::Hadp.start_with(n2, second)?;
        wait_state(n2, "Backup", "")?;
        let follows =
            || Ok(hadp_status(n2)?.pointer("/routers/0/active_router").is_some_and(Value::is_object));
        wait_until("n2 follows n1", PATIENCE, follows)?;
        let probes = Prober::start(lan.client(), VIP, probe)?;
        let asked = ArpProber::start(lan.client(), VIP, MILLISECOND)?;
        probes.wait_served(5 * SECOND)?;
        Ok(Self { lan, first, second, probes: RefCell::new(Some(probes)), asked, start: Instant::now() })
    }

    /// Starts one with a router of [`VIP`] on each node, advertised every so many seconds.
    fn of_router(every: f64) -> Result<Self> {
        Self::new([&router(55, 150, every, &[VIP], ""), &router(55, 100, every, &[VIP], "")], PROBE)
    }

    fn nodes(&self) -> Result<(&Node, &Node)> {
        self.lan.pair()
    }

    fn logs(&self) -> String {
        format!("{}\n{}", self.first.log().text(), self.second.log().text())
    }

    /// Ends the probes, and requires that each was answered.
    fn is_served(&self) -> Result<()> {
        let report = self.probes.take().context("the probes have ended")?.stop();
        let outage = report.outage(self.start);
        ensure!(outage.is_none(), "{outage:?}: {}", self.logs());
        Ok(())
    }

    /// Requires that these answered for the address, one after the other.
    fn answered(&self, owners: &[Mac]) -> Result<()> {
        let answered = owners_since(&self.asked, self.start);
        ensure!(answered == owners, "{answered:?} answered, not {owners:?}: {}", self.logs());
        Ok(())
    }
}

/// A router `VI_{vrid}` with these addresses and keywords.
fn router(vrid: u8, priority: u8, every: f64, vips: &[Ipv4Addr], more: &str) -> String {
    let vips: String = vips.iter().map(|vip| format!("        {vip}/16\n")).collect();
    format!(
        "vrrp_instance VI_{vrid} {{\n    interface eth0\n    version 3\n    virtual_router_id {vrid}\n    \
         priority {priority}\n    advert_int {every}\n    {more}\n    virtual_ipaddress {{\n{vips}    }}\n}}\n"
    )
}

/// Has a node's daemon read this configuration, and returns the exit code and what was said.
fn reload(node: &Node, conf: &str) -> Result<(Option<i32>, String)> {
    node.write("daemon.conf", conf)?;
    let Output { status, stdout, stderr } =
        node.command(&hadp_binary()?.to_string_lossy())?.arg("reload").output()?;
    Ok((status.code(), String::from_utf8_lossy(&stdout).into_owned() + &String::from_utf8_lossy(&stderr)))
}

/// Does so, and requires that this is said to have been done.
fn reloaded(node: &Node, conf: &str, said: &str) -> Result<()> {
    let (code, text) = reload(node, conf)?;
    ensure!(code == Some(0) && text.contains(said), "{code:?}: {text}");
    Ok(())
}

/// Returns what `ROUTERS` says of a slot.
fn slot(node: &Node, slot: u8, field: &str) -> Result<u64> {
    let slot = slot.to_string();
    let map = "/sys/fs/bpf/hadp/ROUTERS";
    let text = node.run(["bpftool", "-j", "map", "lookup", "pinned", map, "key", &slot, "0", "0", "0"])?;
    let entry: Value = serde_json::from_str(&text)?;
    let value = entry.pointer(&format!("/formatted/value/{field}"));
    value.and_then(Value::as_u64).with_context(|| text.clone())
}

fn names(node: &Node) -> Result<Vec<String>> {
    let status = hadp_status(node)?;
    let routers = status.pointer("/routers").and_then(Value::as_array).context("no routers")?;
    Ok(routers.iter().filter_map(|router| Some(router.get("name")?.as_str()?.to_owned())).collect())
}

/// Requires that the daemon's router went through no change of state since it became Active.
fn undisturbed(daemon: &Daemon) -> Result<()> {
    let log = daemon.log().text();
    ensure!(log.matches("-> Active").count() == 1 && !log.contains("Active ->"), "{log}");
    Ok(())
}
