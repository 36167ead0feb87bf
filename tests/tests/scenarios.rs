//! Deployments that run on keepalived today, unmodified on hadp.

#![expect(clippy::disallowed_methods, reason = "real daemons take real time")]

use std::{
    collections::BTreeSet,
    net::Ipv4Addr,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use hadp_tests::{
    checks::{data, mac, overlap, owners_since, wait_owner},
    client::{ArpProber, Capture},
    lab::{Daemon, Lan, Node, hadp_binary, hadp_status, wait_until},
};

const SECOND: Duration = Duration::from_secs(1);
/// Longer than Master_Down_Interval at the default second, with room for a busy machine.
const TAKEOVER: Duration = Duration::from_secs(8);

fn start(scenario: &str, node: &Node) -> Result<Daemon> {
    Daemon::hadp(node, &data(&format!("scenarios/{scenario}/{}.conf", node.name())))
}

/// Starts both nodes, then moves the address to n2 and back, and checks on each step who has it, and who answers.
fn moves_there_and_back(scenario: &str, vip: Ipv4Addr, label: &str) -> Result<(Lan, [Daemon; 2])> {
    let lan = Lan::new(2)?;
    let (n1, n2) = lan.pair()?;
    let mut first = start(scenario, n1)?;
    let second = start(scenario, n2)?;
    wait_owner(&lan, n1, vip, TAKEOVER)?;
    ensure!(labels(n1, vip)? == [label], "{:?} on n1", labels(n1, vip)?);
    let prober = ArpProber::start(lan.client(), vip, SECOND / 100)?;
    let settled = Instant::now();
    thread::sleep(SECOND / 2);
    assert_eq!(owners_since(&prober, settled), [mac(n1)]);

    let stopped = Instant::now();
    thread::sleep(SECOND / 10);
    first.stop()?;
    wait_owner(&lan, n2, vip, TAKEOVER)?;
    ensure!(labels(n2, vip)? == [label], "{:?} on n2", labels(n2, vip)?);
    thread::sleep(SECOND / 2);
    overlap(&prober, stopped, n1, n2).with_context(|| second.log().text())?;

    let returned = Instant::now();
    let first = start(scenario, n1)?;
    wait_owner(&lan, n1, vip, TAKEOVER)?;
    thread::sleep(SECOND / 2);
    overlap(&prober, returned, n2, n1).with_context(|| second.log().text())?;
    Ok((lan, [first, second]))
}

/// Waits for so many advertisements, which come every second.
fn wait_adverts(capture: &Capture, count: usize) -> Result<()> {
    wait_until(&format!("{count} advertisements"), TAKEOVER, || Ok(capture.adverts().len() >= count))
        .map(drop)
}

fn labels(node: &Node, vip: Ipv4Addr) -> Result<Vec<String>> {
    let held = node.addresses()?.into_iter().filter(|address| address.address == vip.to_string());
    Ok(held.filter_map(|address| address.label).collect())
}

#[test]
fn single() -> Result<()> {
    let (lan, [mut first, second]) = moves_there_and_back("single", Ipv4Addr::new(10, 77, 0, 100), "eth0:1")?;
    let (n1, n2) = lan.pair()?;
    let [active, backup] = [hadp_status(n1)?, hadp_status(n2)?];
    assert_eq!(active["routers"][0]["state"], "Active");
    assert_eq!(backup["routers"][0]["state"], "Backup");
    assert_eq!(backup["routers"][0]["active_router"]["addr"], "10.77.0.1");
    assert_eq!(backup["routers"][0]["active_router"]["priority"], 150);
    // What is read with bpftool has names.
    for (map, fields) in [
        ("ROUTERS", &["lease_until_ns", "vrid", "ifindex"][..]),
        ("PEERS", &["last_seen_ns", "priority", "interval_cs"]),
        ("VIPS", &["addr", "octets", "slot"]),
        ("DROPS", &["bad_checksum", "looped_back"]),
    ] {
        let text = n2.run(["bpftool", "map", "dump", "pinned", &format!("/sys/fs/bpf/hadp/{map}")])?;
        for field in fields {
            ensure!(text.contains(&format!("\"{field}\"")), "{map} has no {field}: {:.400}", text);
        }
    }
    first.stop()?;
    drop(second);
    ensure!(!n1.run(["ip", "link", "show", "eth0"])?.contains("xdp"), "XDP stays attached after a stop");
    ensure!(!n1.run(["ls", "/sys/fs/bpf"])?.contains("hadp"), "pins stay after a stop");
    Ok(())
}

#[test]
fn vpc_unicast() -> Result<()> {
    let lan = Lan::new(2)?;
    let (n1, n2) = lan.pair()?;
    let captures = [Capture::start(n1)?, Capture::start(n2)?];
    let vip = Ipv4Addr::new(10, 77, 0, 122);
    let mut first = start("vpc-unicast", n1)?;
    let _second = start("vpc-unicast", n2)?;
    wait_owner(&lan, n1, vip, TAKEOVER)?;
    assert_eq!(labels(n1, vip)?, ["eth0:1"]);
    // Of n1: no node hears itself.
    wait_adverts(&captures[1], 2)?;
    first.stop()?;
    wait_owner(&lan, n2, vip, TAKEOVER)?;
    let seen: BTreeSet<_> =
        captures.iter().flat_map(Capture::adverts).map(|advert| (advert.from, advert.to)).collect();
    let ends = (n1.address(), n2.address());
    assert_eq!(seen, BTreeSet::from([ends, (ends.1, ends.0)]), "adverts went elsewhere than to the peer");
    Ok(())
}

#[test]
fn mail_and_garp() -> Result<()> {
    let vips = [100, 101, 102].map(|last| Ipv4Addr::new(10, 77, 0, last));
    let (lan, _daemons) = moves_there_and_back("mail-and-garp", vips[2], "eth0:1")?;
    let (n1, _) = lan.pair()?;
    for vip in vips {
        wait_owner(&lan, n1, vip, TAKEOVER)?;
    }
    let text = n1.run(["ip", "addr", "show", "eth0"])?;
    for line in [
        "inet 10.77.0.100/32 scope global eth0\n",
        "inet 10.77.0.101/16 scope global secondary eth0\n",
        "inet 10.77.0.102/16 brd 10.77.255.255 scope global secondary eth0:1\n",
    ] {
        ensure!(text.contains(line), "no `{line}` in\n{text}");
    }
    let capture = Capture::start(lan.client())?;
    wait_adverts(&capture, 2)?;
    let groups: BTreeSet<_> = capture.adverts().iter().map(|advert| advert.to).collect();
    assert_eq!(groups, BTreeSet::from([Ipv4Addr::new(224, 0, 0, 28)]));
    Ok(())
}

#[test]
fn lvs_dr() -> Result<()> {
    let vip = Ipv4Addr::new(10, 77, 0, 144);
    let (lan, _daemons) = moves_there_and_back("lvs-dr", vip, "eth0:0")?;
    let capture = Capture::start(lan.client())?;
    wait_adverts(&capture, 2)?;
    let groups: BTreeSet<_> = capture.adverts().iter().map(|advert| advert.to).collect();
    assert_eq!(groups, BTreeSet::from([Ipv4Addr::new(224, 0, 29, 18)]));
    Ok(())
}

#[test]
fn a_misspelt_keyword_is_pointed_at() -> Result<()> {
    let file = data("scenarios/mail-and-garp/typo.conf");
    let output = std::process::Command::new(hadp_binary()?).arg("check").arg(&file).output()?;
    let text = String::from_utf8(output.stdout)?;
    assert_eq!(output.status.code(), Some(4), "{text}");
    ensure!(text.contains("uth_pass") && text.contains("did you mean `auth_pass`"), "{text}");
    ensure!(text.contains("typo.conf:25:8"), "{text}");
    Ok(())
}
