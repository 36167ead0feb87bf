//! Reload: what a client, the other node and the routers that did not change notice of it.

#![expect(clippy::disallowed_methods, reason = "real daemons take real time")]

use std::{
    net::Ipv4Addr,
    process::Output,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use hadp_tests::{
    checks::{mac, overlap, owners_since, state, wait_owner, wait_state},
    client::{ArpProber, Mac, Prober},
    conf::{Instance, Session, VIP},
    lab::{Daemon, KEEPALIVED_REALTIME, Lan, Node, Software, hadp_binary, hadp_status, wait_until},
    sessions::{PATIENCE, field, settle, wait_session},
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

/// Returns what `ROUTERS` says of a slot: how often it was given away.
fn generation(node: &Node, slot: u8) -> Result<u64> {
    let slot = slot.to_string();
    let map = "/sys/fs/bpf/hadp/ROUTERS";
    let text = node.run(["bpftool", "-j", "map", "lookup", "pinned", map, "key", &slot, "0", "0", "0"])?;
    let entry: Value = serde_json::from_str(&text)?;
    entry.pointer("/formatted/value/generation").and_then(Value::as_u64).with_context(|| text.clone())
}

fn names(node: &Node) -> Result<Vec<String>> {
    let status = hadp_status(node)?;
    let routers = status.pointer("/routers").and_then(Value::as_array).context("no routers")?;
    Ok(routers.iter().filter_map(|router| Some(router.get("name")?.as_str()?.to_owned())).collect())
}

/// Starts a daemon on each node, the first of which becomes Active.
fn pair(lan: &Lan, first: &str, second: &str) -> Result<[Daemon; 2]> {
    let (n1, n2) = lan.pair()?;
    let owner = Software::Hadp.start_with(n1, first)?;
    wait_owner(lan, n1, VIP, PATIENCE).with_context(|| owner.log().text())?;
    let backup = Software::Hadp.start_with(n2, second)?;
    wait_state(n2, "Backup", "")?;
    let follows = || Ok(hadp_status(n2)?.pointer("/routers/0/active_router").is_some_and(Value::is_object));
    wait_until("n2 follows n1", PATIENCE, follows)?;
    Ok([owner, backup])
}

/// Requires that the node went through no change of state since it became Active.
fn undisturbed(daemon: &Daemon) -> Result<()> {
    let log = daemon.log().text();
    ensure!(log.matches("-> Active").count() == 1 && !log.contains("Active ->"), "{log}");
    Ok(())
}

#[test]
fn a_reload_that_changes_nothing_is_not_noticed() -> Result<()> {
    unspoilt(AT_TEN_MILLISECONDS, |_| {
        let lan = Lan::new(2)?;
        let (n1, _) = lan.pair()?;
        let conf = |priority| router(55, priority, 0.01, &[VIP], "");
        let [mut first, _second] = pair(&lan, &conf(150), &conf(100))?;
        let before = (generation(n1, 0)?, n1.run(["ip", "-j", "addr"])?);
        let probes = Prober::start(lan.client(), VIP, PROBE)?;
        probes.wait_served(5 * SECOND)?;
        let start = Instant::now();
        for _ in 0..3 {
            reloaded(n1, &conf(150), "nothing has changed")?;
        }
        first.process().signal(Signal::SIGHUP)?;
        wait_until("it has reloaded four times", SECOND * 5, || {
            Ok(first.log().text().matches("reloaded: nothing has changed").count() == 4)
        })?;
        thread::sleep(AFTERMATH);
        let report = probes.stop();
        ensure!(report.outage(start).is_none(), "{:?}: {}", report.outage(start), first.log().text());
        undisturbed(&first)?;
        assert_eq!(before, (generation(n1, 0)?, n1.run(["ip", "-j", "addr"])?));
        Ok(())
    })
}

#[test]
fn a_file_with_an_error_changes_nothing() -> Result<()> {
    let lan = Lan::new(1)?;
    let [node] = lan.nodes() else { unreachable!() };
    let mut daemon = Software::Hadp.start_with(node, &router(55, 150, 0.1, &[VIP], ""))?;
    wait_state(node, "Active", "")?;
    let broken = router(56, 100, 0.1, &[OTHER], "virtual_router_id 300");
    let (code, said) = reload(node, &broken)?;
    ensure!(code == Some(1), "{code:?}: {said}");
    ensure!(
        said.contains("daemon.conf:7:") && said.contains("error") && said.contains("nothing has changed"),
        "{said}"
    );
    assert_eq!(names(node)?, ["VI_55"]);
    daemon.process().signal(Signal::SIGHUP)?;
    wait_until("the log says so twice", 5 * SECOND, || {
        Ok(daemon.log().text().matches("not reloaded: nothing has changed").count() == 2)
    })?;
    undisturbed(&daemon)?;
    // And it goes on from there.
    reloaded(node, &router(55, 120, 0.1, &[VIP], ""), "reconfigured VI_55")?;
    let status = hadp_status(node)?;
    assert_eq!(status.pointer("/routers/0/priority").and_then(Value::as_u64), Some(120));
    undisturbed(&daemon)?;
    daemon.stop()
}

#[test]
fn addresses_come_and_go_while_the_others_are_served() -> Result<()> {
    unspoilt(AT_TEN_MILLISECONDS, |_| {
        let lan = Lan::new(2)?;
        let (n1, _) = lan.pair()?;
        let conf = |priority, vips: &[Ipv4Addr]| router(55, priority, 0.05, vips, "");
        let before = [OTHER, VIP];
        let [first, _second] = pair(&lan, &conf(150, &before), &conf(100, &before))?;
        wait_owner(&lan, n1, OTHER, PATIENCE)?;
        let probes = Prober::start(lan.client(), VIP, PROBE)?;
        let new = ArpProber::start(lan.client(), THIRD, MILLISECOND)?;
        let old = ArpProber::start(lan.client(), OTHER, MILLISECOND)?;
        probes.wait_served(5 * SECOND)?;
        let start = Instant::now();
        reloaded(n1, &conf(150, &[VIP, THIRD]), "reconfigured VI_55")?;
        wait_owner(&lan, n1, THIRD, SECOND)?;
        wait_until("the other one is off", SECOND, || Ok(!n1.holds(OTHER)?))?;
        thread::sleep(AFTERMATH);
        let late = Instant::now();
        thread::sleep(AFTERMATH);
        let served = probes.stop();
        ensure!(served.outage(start).is_none(), "{:?}: {}", served.outage(start), first.log().text());
        assert_eq!(owners_since(&new, start), [mac(n1)]);
        assert_eq!(owners_since(&old, late), [], "{}", first.log().text());
        ensure!(n1.holds(VIP)? && !first.log().text().contains("put back"), "{}", first.log().text());
        undisturbed(&first)
    })
}

/// With the first address of a subnet the kernel takes off the others, unless it is told to promote one.
#[test]
fn the_first_address_of_a_subnet_goes_and_the_next_one_stays() -> Result<()> {
    unspoilt(MILLISECOND, |_| {
        let lan = Lan::new(1)?;
        let [node] = lan.nodes() else { unreachable!() };
        node.run(["sysctl", "-qw", "net.ipv4.conf.eth0.promote_secondaries=0"])?;
        node.run(["sysctl", "-qw", "net.ipv4.conf.all.promote_secondaries=0"])?;
        let [first, second] = [1, 2].map(|last| Ipv4Addr::new(10, 88, 0, last));
        let daemon = Software::Hadp.start_with(node, &router(55, 150, 0.05, &[first, second], ""))?;
        wait_owner(&lan, node, second, PATIENCE)?;
        let probes = Prober::start(lan.client(), second, MILLISECOND)?;
        probes.wait_served(5 * SECOND)?;
        let start = Instant::now();
        reloaded(node, &router(55, 150, 0.05, &[second], ""), "reconfigured VI_55")?;
        wait_until("the first one is off", SECOND, || Ok(!node.holds(first)?))?;
        thread::sleep(AFTERMATH);
        ensure!(node.holds(second)?, "{}", daemon.log().text());
        let report = probes.stop();
        ensure!(report.lost_since(start) <= 1, "{:?}: {}", report.outage(start), daemon.log().text());
        undisturbed(&daemon)
    })
}

/// Removes a router from the first node, beside another one that stays.
fn hands_over(successor: Software, every: f64) -> Result<()> {
    let lan = Lan::new(2)?;
    let (n1, n2) = lan.pair()?;
    let (leaves, stays) = (router(55, 150, every, &[VIP], ""), router(56, 150, every, &[OTHER], ""));
    let both = leaves + &stays;
    let first = Software::Hadp.start_with(n1, &both)?;
    for vip in [VIP, OTHER] {
        wait_owner(&lan, n1, vip, PATIENCE)?;
    }
    let realtime = if successor == Software::Keepalived { KEEPALIVED_REALTIME } else { "" };
    let backup = both.replace("priority 150", "priority 100");
    let second = successor.start_with(n2, &format!("{realtime}{backup}"))?;
    match successor {
        Software::Hadp => wait_state(n2, "Backup", "")?,
        Software::Keepalived => drop(second.log().wait_for("BACKUP STATE", PATIENCE)?),
    }
    thread::sleep(SECOND / 2);
    let probes = Prober::start(lan.client(), VIP, PROBE)?;
    let others = Prober::start(lan.client(), OTHER, MILLISECOND)?;
    let asked = ArpProber::start(lan.client(), OTHER, MILLISECOND)?;
    probes.wait_served(5 * SECOND)?;
    others.wait_served(5 * SECOND)?;
    let start = Instant::now();
    reloaded(n1, &stays, "removed VI_55")?;
    wait_owner(&lan, n2, VIP, PATIENCE)?;
    wait_until("the slot is free", SECOND, || Ok(names(n1)? == ["VI_56"]))?;
    thread::sleep(AFTERMATH);
    let (served, other) = (probes.stop(), others.stop());
    let logs = || format!("{}\n{}", first.log().text(), second.log().text());
    ensure!(served.outage(start).is_none(), "{:?}: {}", served.outage(start), logs());
    ensure!(other.outage(start).is_none(), "{:?}: {}", other.outage(start), logs());
    assert_eq!(served.answering_since(start), [mac(n1), mac(n2)].into_iter().collect());
    assert_eq!(owners_since(&asked, start), [mac(n1)]);
    let log = first.log().text();
    ensure!(
        !log.contains("(VI_56) Active ->") && log.matches("(VI_56) Backup -> Active").count() == 1,
        "{log}"
    );
    let peers = n1.run([
        "bpftool",
        "-j",
        "map",
        "lookup",
        "pinned",
        "/sys/fs/bpf/hadp/ROUTERS",
        "key",
        "0",
        "0",
        "0",
        "0",
    ])?;
    let freed: Value = serde_json::from_str(&peers)?;
    assert_eq!(freed.pointer("/formatted/value/ifindex").and_then(Value::as_u64), Some(0), "{peers}");
    // And back: it preempts as ever.
    reloaded(n1, &both, "added VI_55")?;
    wait_owner(&lan, n1, VIP, PATIENCE).with_context(logs)?;
    assert_eq!(names(n1)?, ["VI_55", "VI_56"], "the order of the file");
    Ok(())
}

#[test]
fn a_router_that_is_removed_is_handed_over_to_hadp() -> Result<()> {
    unspoilt(AT_TEN_MILLISECONDS, |_| hands_over(Software::Hadp, 0.01))?;
    unspoilt(AT_TEN_MILLISECONDS, |_| hands_over(Software::Hadp, 1.0))
}

#[test]
fn a_router_that_is_removed_is_handed_over_to_keepalived() -> Result<()> {
    unspoilt(AT_TEN_MILLISECONDS, |_| hands_over(Software::Keepalived, 0.05))
}

#[test]
fn a_router_that_changes_its_version_or_is_wanted_again_comes_back() -> Result<()> {
    let lan = Lan::new(1)?;
    let [node] = lan.nodes() else { unreachable!() };
    let conf = router(55, 150, 1.0, &[VIP], "");
    let mut daemon = Software::Hadp.start_with(node, &conf)?;
    wait_state(node, "Active", "")?;
    reloaded(node, &conf.replace("version 3", "version 2"), "started anew VI_55")?;
    wait_until("it is VRRPv2", PATIENCE, || {
        let status = hadp_status(node)?;
        let is = |field: &str, value: Value| status.pointer(&format!("/routers/0/{field}")) == Some(&value);
        Ok(is("version", 2.into()) && is("state", "Active".into()))
    })
    .with_context(|| daemon.log().text())?;
    daemon.log().wait_for("handed over and started anew: version cannot change while it runs", SECOND)?;
    // Nobody takes it: the lease runs out, some 3 s later. Meanwhile it is wanted again.
    reloaded(node, &router(56, 150, 1.0, &[OTHER], ""), "added VI_56; removed VI_55")?;
    reloaded(node, &(conf + &router(56, 150, 1.0, &[OTHER], "")), "")?;
    wait_owner(&lan, node, VIP, 2 * PATIENCE).with_context(|| daemon.log().text())?;
    wait_until("both are there", PATIENCE, || Ok(names(node)? == ["VI_55", "VI_56"]))?;
    daemon.stop()
}

#[test]
fn a_backup_whose_priority_is_raised_preempts() -> Result<()> {
    unspoilt(AT_TEN_MILLISECONDS, |_| {
        let lan = Lan::new(2)?;
        let (n1, n2) = lan.pair()?;
        let conf = |priority| router(55, priority, 0.05, &[VIP], "");
        let [first, second] = pair(&lan, &conf(150), &conf(100))?;
        let probes = Prober::start(lan.client(), VIP, PROBE)?;
        probes.wait_served(5 * SECOND)?;
        let start = Instant::now();
        reloaded(n2, &conf(200), "reconfigured VI_55")?;
        wait_owner(&lan, n2, VIP, PATIENCE)?;
        thread::sleep(AFTERMATH);
        let report = probes.stop();
        let logs = format!("{}\n{}", first.log().text(), second.log().text());
        ensure!(report.outage(start).is_none(), "{:?}: {logs}", report.outage(start));
        ensure!(second.log().text().contains("Backup -> Active: preempting a lower priority"), "{logs}");
        wait_state(n1, "Backup", "")
    })
}

#[test]
fn the_interval_changes_on_one_node_after_the_other() -> Result<()> {
    unspoilt(AT_TEN_MILLISECONDS, |_| {
        let lan = Lan::new(2)?;
        let (n1, n2) = lan.pair()?;
        let conf = |priority, every| router(55, priority, every, &[VIP], "");
        let [first, second] = pair(&lan, &conf(150, 0.01), &conf(100, 0.01))?;
        let probes = Prober::start(lan.client(), VIP, PROBE)?;
        let asked = ArpProber::start(lan.client(), VIP, MILLISECOND)?;
        probes.wait_served(5 * SECOND)?;
        let start = Instant::now();
        for every in [0.02, 0.01, 0.5, 0.01] {
            for (node, priority) in [(n1, 150), (n2, 100)] {
                reloaded(node, &conf(priority, every), "reconfigured VI_55")?;
                thread::sleep(SECOND / 4);
            }
        }
        let report = probes.stop();
        let logs = format!("{}\n{}", first.log().text(), second.log().text());
        ensure!(report.outage(start).is_none(), "{:?}: {logs}", report.outage(start));
        assert_eq!(owners_since(&asked, start), [mac(n1)], "{logs}");
        assert_eq!(state(n2)?.0, "Backup");
        undisturbed(&first)?;
        ensure!(!second.log().text().contains("-> Active"), "{logs}");
        // Whoever takes over in the end does so by the interval that is in force.
        drop(first);
        wait_state(n2, "Active", "")
    })
}

fn followed(neighbor: u8, priority: u8, session: &str, more: &str) -> String {
    let session = Session::new(format!("10.77.0.{neighbor}")).with(session);
    format!("{session}{}", Instance::new(priority).with(more))
}

#[test]
fn bfd_sessions_stay_up() -> Result<()> {
    let lan = Lan::new(2)?;
    let (n1, n2) = lan.pair()?;
    let conf = |own: u8, session: &str| match own {
        1 => followed(2, 150, session, "fast_failover"),
        _ => followed(1, 100, session, "fast_failover"),
    };
    let [first, second] = pair(&lan, &conf(1, ""), &conf(2, ""))?;
    settle(&lan)?;
    let asked = ArpProber::start(lan.client(), VIP, MILLISECOND)?;
    let counts = |node| -> Result<[Value; 2]> { Ok([field(node, 0, "ups")?, field(node, 0, "downs")?]) };
    let before = [counts(n1)?, counts(n2)?];
    let start = Instant::now();
    reloaded(n1, &conf(1, ""), "nothing has changed")?;
    // Faster at one end, slower at the other, and less patient.
    reloaded(n1, &conf(1, "min_tx 10\n    multiplier 5"), "BFD reconfigured PEER")?;
    reloaded(n2, &conf(2, "min_rx 40\n    ttl 255"), "BFD reconfigured PEER")?;
    reloaded(n1, &conf(1, "min_tx 30\n    multiplier 4"), "BFD reconfigured PEER")?;
    wait_until("the new interval is in force", PATIENCE, || Ok(field(n1, 0, "transmit_us")? == 40_000))
        .with_context(|| format!("{:#}", hadp_status(n1).unwrap_or_default()))?;
    thread::sleep(SECOND);
    let logs = || format!("{}\n{}", first.log().text(), second.log().text());
    assert_eq!(before, [counts(n1)?, counts(n2)?], "{}", logs());
    assert_eq!(owners_since(&asked, start), [mac(n1)], "{}", logs());
    undisturbed(&first)?;
    // It is followed as before.
    let start = Instant::now();
    n1.cut()?;
    wait_state(n2, "Active", "").with_context(logs)?;
    ensure!(start.elapsed() < 2 * SECOND, "{:?}: {}", start.elapsed(), logs());
    Ok(())
}

/// Guards come and go under an Active router, and the end of a session is no death.
#[test]
fn fast_failover_begins_and_ends_under_an_active_router() -> Result<()> {
    let lan = Lan::new(2)?;
    let (n1, n2) = lan.pair()?;
    let plain = |priority| Instance::new(priority).to_string();
    let (first_with, second_with) =
        (followed(2, 150, "", "fast_failover"), followed(1, 100, "", "fast_failover"));
    let [first, second] = pair(&lan, &plain(150), &plain(100))?;
    let asked = ArpProber::start(lan.client(), VIP, MILLISECOND)?;
    let probes = Prober::start(lan.client(), VIP, MILLISECOND)?;
    probes.wait_served(5 * SECOND)?;
    let start = Instant::now();
    let logs = || format!("{}\n{}", first.log().text(), second.log().text());
    for _ in 0..2 {
        reloaded(n1, &first_with, "BFD added PEER")?;
        reloaded(n2, &second_with, "BFD added PEER")?;
        for node in [n1, n2] {
            wait_session(node, 0, "Up").with_context(logs)?;
        }
        thread::sleep(SECOND / 4);
        // The Active node first: its neighbour follows the session still.
        reloaded(n1, &plain(150), "BFD removed PEER")?;
        wait_session(n2, 0, "Down").with_context(logs)?;
        thread::sleep(SECOND / 2);
        reloaded(n2, &plain(100), "BFD removed PEER")?;
        wait_until("the places are free", PATIENCE, || {
            let text = n1.run(["bpftool", "-j", "map", "dump", "pinned", "/sys/fs/bpf/hadp/BFD_KEYS"])?;
            let keys: Value = serde_json::from_str(&text)?;
            let used = |entry: &&Value| {
                entry.pointer("/formatted/value/discriminator").and_then(Value::as_u64) != Some(0)
            };
            Ok(keys.as_array().is_some_and(|keys| !keys.is_empty() && !keys.iter().any(|key| used(&key))))
        })?;
    }
    thread::sleep(AFTERMATH);
    let report = probes.stop();
    ensure!(report.outage(start).is_none(), "{:?}: {}", report.outage(start), logs());
    assert_eq!(owners_since(&asked, start), [mac(n1)], "{}", logs());
    undisturbed(&first)?;
    ensure!(!second.log().text().contains("-> Active"), "{}", logs());
    Ok(())
}

#[test]
fn a_daemon_that_dies_after_a_reload_goes_on_with_what_is_configured_then() -> Result<()> {
    let lan = Lan::new(1)?;
    let [node] = lan.nodes() else { unreachable!() };
    let stays = router(56, 150, 1.0, &[OTHER], "");
    let mut daemon = Software::Hadp.start_with(node, &(router(55, 150, 1.0, &[VIP], "") + &stays))?;
    for vip in [VIP, OTHER] {
        wait_owner(&lan, node, vip, PATIENCE)?;
    }
    let changed = router(56, 150, 1.0, &[OTHER, THIRD], "");
    reloaded(node, &changed, "reconfigured VI_56; removed VI_55")?;
    wait_until("the router is gone", PATIENCE, || Ok(names(node)? == ["VI_56"] && !node.holds(VIP)?))?;
    wait_owner(&lan, node, THIRD, SECOND)?;
    let probes = [OTHER, THIRD].map(|vip| Prober::start(lan.client(), vip, MILLISECOND));
    let [first, second] = probes;
    let (first, second) = (first?, second?);
    first.wait_served(5 * SECOND)?;
    second.wait_served(5 * SECOND)?;
    let start = Instant::now();
    daemon.crash_daemon()?;
    daemon.log().wait_for("going on as Active", 5 * SECOND)?;
    thread::sleep(SECOND);
    for report in [first.stop(), second.stop()] {
        ensure!(report.outage(start).is_none(), "{:?}: {}", report.outage(start), daemon.log().text());
    }
    ensure!(!node.holds(VIP)? && !daemon.log().text().contains("vrid=55"), "{}", daemon.log().text());
    daemon.stop()
}

#[test]
fn an_interface_that_nothing_needs_any_more_is_left_alone() -> Result<()> {
    let lan = Lan::new(1)?;
    let [node] = lan.nodes() else { unreachable!() };
    node.run(["ip", "link", "add", "up7", "type", "veth", "peer", "name", "far7"])?;
    for command in [["ip", "link", "set", "up7", "up"], ["ip", "link", "set", "far7", "up"]] {
        node.run(command)?;
    }
    node.run(["ip", "addr", "add", "10.78.0.1/16", "dev", "up7"])?;
    let elsewhere = router(57, 150, 0.05, &[Ipv4Addr::new(10, 78, 0, 100)], "").replace("eth0", "up7");
    let own = router(55, 150, 0.05, &[VIP], "");
    let mut daemon = Software::Hadp.start_with(node, &own)?;
    wait_state(node, "Active", "")?;
    let links = || Ok::<_, anyhow::Error>(node.run(["ls", "/sys/fs/bpf/hadp"])?.matches("link_up7").count());
    assert_eq!(links()?, 0);
    reloaded(node, &(own.clone() + &elsewhere), "added VI_57")?;
    wait_until("it is attached", SECOND, || Ok(links()? == 1))?;
    wait_until("it runs there", PATIENCE, || node.holds(Ipv4Addr::new(10, 78, 0, 100)))?;
    reloaded(node, &own, "removed VI_57")?;
    wait_until("it is detached", PATIENCE, || Ok(links()? == 0)).with_context(|| daemon.log().text())?;
    ensure!(!node.run(["ip", "link", "show", "up7"])?.contains("xdp"), "a program stays");
    let log = daemon.log().text();
    ensure!(!log.contains("(VI_55) Active ->"), "{log}");
    daemon.stop()
}

#[test]
fn a_log_with_reloads_is_decided_alike() -> Result<()> {
    let lan = Lan::new(1)?;
    let [node] = lan.nodes() else { unreachable!() };
    let log = node.dir().join("events.log");
    let stays = router(56, 150, 0.05, &[OTHER], "");
    let mut daemon = Daemon::hadp_recording(node, &(router(55, 150, 0.05, &[VIP], "") + &stays), &log)?;
    for vip in [VIP, OTHER] {
        wait_owner(&lan, node, vip, PATIENCE)?;
    }
    reloaded(node, &router(56, 120, 0.1, &[OTHER, THIRD], ""), "reconfigured VI_56; removed VI_55")?;
    wait_owner(&lan, node, THIRD, PATIENCE)?;
    wait_until("the router is gone", PATIENCE, || Ok(names(node)? == ["VI_56"]))?;
    thread::sleep(SECOND / 2);
    reloaded(node, &(router(55, 150, 0.05, &[VIP], "") + &stays), "added VI_55")?;
    wait_owner(&lan, node, VIP, PATIENCE)?;
    daemon.stop()?;
    let mut command = node.command(&hadp_binary()?.to_string_lossy())?;
    let output = command.arg("replay").arg(&log).output()?;
    let text =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success() && text.contains("\nas recorded: "), "{text}");
    for line in [
        "VI_56  is reconfigured: VRRPv3, priority 120, every 0.10 s",
        "VI_55  leaves the configuration",
        "VI_56  is reconfigured: VRRPv3, priority 150, every 0.05 s",
    ] {
        ensure!(text.contains(line), "no {line:?} in {text}");
    }
    Ok(())
}

#[test]
fn the_virtual_mac_comes_and_goes() -> Result<()> {
    unspoilt(AT_TEN_MILLISECONDS, |_| {
        let lan = Lan::new(2)?;
        let (n1, _) = lan.pair()?;
        let conf = |priority, more: &str| router(55, priority, 0.05, &[VIP], more);
        let [first, _second] = pair(&lan, &conf(150, ""), &conf(100, ""))?;
        let probes = Prober::start(lan.client(), VIP, PROBE)?;
        let asked = ArpProber::start(lan.client(), VIP, MILLISECOND)?;
        probes.wait_served(5 * SECOND)?;
        let start = Instant::now();
        for more in ["use_vmac", "", "use_vmac"] {
            reloaded(n1, &conf(150, more), "reconfigured VI_55")?;
            thread::sleep(SECOND / 2);
        }
        reloaded(n1, &conf(150, ""), "reconfigured VI_55")?;
        thread::sleep(4 * SECOND);
        let report = probes.stop();
        ensure!(report.outage(start).is_none(), "{:?}: {}", report.outage(start), first.log().text());
        let virtual_mac = Mac([0, 0, 0x5e, 0, 1, 55]);
        assert_eq!(owners_since(&asked, start), [mac(n1), virtual_mac, mac(n1), virtual_mac, mac(n1)]);
        undisturbed(&first)
    })
}

/// A successor that outranks is preempted by the advert alone; nobody answers beside it for longer than that takes.
#[test]
fn lowering_the_priority_of_an_active_router_gives_it_to_the_other_node() -> Result<()> {
    unspoilt(AT_TEN_MILLISECONDS, |_| {
        let lan = Lan::new(2)?;
        let (n1, n2) = lan.pair()?;
        let conf = |priority| router(55, priority, 0.05, &[VIP], "");
        let [first, second] = pair(&lan, &conf(150), &conf(100))?;
        let probes = Prober::start(lan.client(), VIP, PROBE)?;
        let asked = ArpProber::start(lan.client(), VIP, MILLISECOND)?;
        probes.wait_served(5 * SECOND)?;
        thread::sleep(SECOND / 4);
        let start = Instant::now();
        reloaded(n1, &conf(50), "reconfigured VI_55")?;
        wait_owner(&lan, n2, VIP, PATIENCE)?;
        thread::sleep(AFTERMATH);
        let report = probes.stop();
        let logs = format!("{}\n{}", first.log().text(), second.log().text());
        ensure!(report.outage(start).is_none(), "{:?}: {logs}", report.outage(start));
        let both = overlap(&asked, start, n1, n2)?;
        ensure!(both < 5 * MILLISECOND, "{both:?}");
        Ok(())
    })
}

/// Hundreds of routers change at once, beside as many that do not.
#[test]
fn hundreds_of_routers_change_at_once() -> Result<()> {
    unspoilt(AT_TEN_MILLISECONDS, |_| change_hundreds())
}

fn change_hundreds() -> Result<()> {
    let lan = Lan::new(1)?;
    let [node] = lan.nodes() else { unreachable!() };
    for link in ["up7", "up8"] {
        node.run(["ip", "link", "add", link, "type", "veth", "peer", "name", &format!("{link}-far")])?;
        node.run(["ip", "link", "set", link, "up"])?;
        node.run(["ip", "link", "set", &format!("{link}-far"), "up"])?;
        node.run([
            "ip",
            "addr",
            "add",
            if link == "up7" { "10.78.0.1/16" } else { "10.79.0.1/16" },
            "dev",
            link,
        ])?;
    }
    let on = |link: &str, vrid: u8, more: &[u8]| {
        let net = if link == "up7" { 78 } else { 79 };
        let vips: Vec<_> = [1].iter().chain(more).map(|third| Ipv4Addr::new(10, net, *third, vrid)).collect();
        router(vrid, 150, 1.0, &vips, "").replace("eth0", link).replace("VI_", &format!("{link}_"))
    };
    let all = |more: &[u8]| (1..=250).map(|vrid| on("up7", vrid, more)).collect::<String>();
    let stay = (1..=250).map(|vrid| on("up8", vrid, &[])).collect::<String>();
    let own = router(55, 150, 0.05, &[VIP], "");
    let mut daemon = Software::Hadp.start_with(node, &(own.clone() + &stay + &all(&[])))?;
    let active = |wanted: usize| {
        wait_until(&format!("{wanted} routers are Active"), 3 * PATIENCE, || {
            let Ok(status) = hadp_status(node) else { return Ok(false) };
            let routers = status.pointer("/routers").and_then(Value::as_array).context("no routers")?;
            let active = |router: &&Value| router.get("state").is_some_and(|state| state == "Active");
            Ok(routers.len() == wanted && routers.iter().filter(active).count() == wanted)
        })
    };
    active(501)?;
    let probes = Prober::start(lan.client(), VIP, MILLISECOND)?;
    probes.wait_served(5 * SECOND)?;
    let start = Instant::now();
    reloaded(node, &(own.clone() + &stay + &all(&[2])), "reconfigured up7_1, up7_2")?;
    let changed = start.elapsed();
    wait_until("the new addresses are there", PATIENCE, || node.holds(Ipv4Addr::new(10, 78, 2, 250)))?;
    reloaded(node, &(own.clone() + &stay), "removed up7_1, up7_2")?;
    active(251)?;
    reloaded(node, &(own + &stay + &all(&[])), "added up7_1, up7_2")?;
    active(501)?;
    let report = probes.stop();
    let log = daemon.log().text();
    ensure!(report.outage(start).is_none(), "{:?}", report.outage(start));
    ensure!(!log.contains("(up8_7) Active ->") && changed < 5 * SECOND, "{changed:?}: {log}");
    daemon.stop()
}
