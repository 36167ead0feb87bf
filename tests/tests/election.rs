//! Elections that others disturb.

#![expect(clippy::disallowed_methods, reason = "real daemons take real time")]

use std::{
    net::Ipv4Addr,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use hadp_common::wire::{arp, ether};
use hadp_tests::{
    checks::{mac, multicast, transmit, v3_message, wait_owner, wait_state},
    client::Prober,
    conf::{Instance, VIP},
    lab::{Daemon, Lan, Software},
};

const CLIENT: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 50);
const SECOND: Duration = Duration::from_secs(1);

fn conf(priority: u8) -> Instance {
    Instance::new(priority).every(0.4)
}

/// Starts the daemon on a LAN's only node, and waits until it owns the address.
fn start(lan: &Lan, more: &str) -> Result<Daemon> {
    let [node] = lan.nodes() else { unreachable!() };
    let daemon = Software::Hadp.start_with(node, &conf(100).with(more).to_string())?;
    wait_owner(lan, node, VIP, 5 * SECOND)?;
    Ok(daemon)
}

/// Starts the daemon likewise, and a client that it serves, once it has announced the address.
fn serve(lan: &Lan) -> Result<(Daemon, Prober)> {
    let daemon = start(lan, "garp_master_delay 0")?;
    thread::sleep(SECOND / 2);
    let prober = Prober::start(lan.client(), VIP, Duration::from_millis(5))?;
    prober.wait_served(5 * SECOND)?;
    Ok((daemon, prober))
}

#[test]
fn a_second_sender_does_not_hide_the_active_router() -> Result<()> {
    let lan = Lan::new(2)?;
    let (n1, n2) = lan.pair()?;
    let _active = Software::Keepalived.start_with(n1, &conf(200).to_string())?;
    wait_owner(&lan, n1, VIP, 5 * SECOND)?;
    for preemption in ["", "nopreempt"] {
        let mut backup = Software::Hadp.start_with(n2, &conf(100).with(preemption).to_string())?;
        wait_state(n2, "Backup", "")?;
        // A router of lower priority comes and goes: one advert, at many moments between two of the Active router.
        for _ in 0..12 {
            thread::sleep(Duration::from_millis(230));
            transmit(lan.client(), &[multicast(CLIENT, 255, &v3_message(55, 50, CLIENT, VIP)?)?])?;
        }
        thread::sleep(2 * SECOND);
        ensure!(!backup.log().text().contains("-> Active"), "{}", backup.log().text());
        wait_state(n2, "Backup", "")?;
        backup.stop()?;
    }
    Ok(())
}

#[test]
fn the_address_owner_keeps_its_own_address() -> Result<()> {
    let lan = Lan::new(1)?;
    let [node] = lan.nodes() else { unreachable!() };
    let own = node.address();
    let mut daemon = Software::Hadp.start_with(node, &conf(255).vip(own).to_string())?;
    wait_state(node, "Active", "")?;
    ensure!(node.holds(own)?, "{}", daemon.log().text());
    lan.client().run(["arping", "-c", "1", "-w", "2", "-I", "eth0", &own.to_string()])?;
    daemon.stop()?;
    ensure!(node.holds(own)?, "the interface lost its own address");
    lan.client().run(["arping", "-c", "1", "-w", "2", "-I", "eth0", &own.to_string()])?;
    Ok(())
}

#[test]
fn a_claim_by_another_is_answered_at_once() -> Result<()> {
    let lan = Lan::new(1)?;
    let [node] = lan.nodes() else { unreachable!() };
    let (daemon, prober) = serve(&lan)?;
    let stranger = lan.add_host("stranger", 9)?;
    let claimed = Instant::now();
    let mut claim = arp::gratuitous(stranger.mac(), VIP.octets()).to_vec();
    transmit(&stranger, std::slice::from_ref(&claim))?;
    thread::sleep(SECOND / 2);
    let report = prober.stop();
    let defended = report.claims.iter().find(|seen| seen.at > claimed && seen.mac == mac(node));
    let Some(defended) = defended else { anyhow::bail!("no announcement: {}", daemon.log().text()) };
    ensure!(defended.at - claimed < SECOND / 10, "{:?}", defended.at - claimed);
    ensure!(daemon.log().text().contains("claims 10.77.0.100"), "{}", daemon.log().text());
    // And served again: the last probes are answered by the node.
    ensure!(
        report.probes.iter().rev().take(20).filter(|probe| probe.answered_by == Some(mac(node))).count() > 10
    );

    // A malformed claim is nobody's.
    claim.truncate(ether::ETH_LEN + 12);
    transmit(&stranger, &[claim])?;
    wait_state(node, "Active", "")
}

#[test]
fn a_new_mac_is_announced() -> Result<()> {
    let lan = Lan::new(1)?;
    let [node] = lan.nodes() else { unreachable!() };
    let (daemon, prober) = serve(&lan)?;
    node.run(["ip", "link", "set", "eth0", "address", "02:00:0a:4d:00:77"])?;
    thread::sleep(SECOND);
    let report = prober.stop();
    let new = hadp_tests::client::Mac([2, 0, 10, 77, 0, 0x77]);
    ensure!(report.claims.iter().any(|claim| claim.mac == new), "not announced: {}", daemon.log().text());
    let served = report.probes.iter().rev().take(20).filter(|probe| probe.answered_by == Some(new)).count();
    ensure!(served > 10, "{served} of 20 answered by the new MAC");
    wait_state(node, "Active", "")
}

#[test]
fn joining_and_leaving_a_bridge_is_no_loss() -> Result<()> {
    let lan = Lan::new(1)?;
    let [node] = lan.nodes() else { unreachable!() };
    let daemon = start(&lan, "")?;
    node.run(["ip", "link", "add", "br7", "type", "bridge"])?;
    node.run(["ip", "link", "set", "eth0", "master", "br7"])?;
    node.run(["ip", "link", "set", "eth0", "nomaster"])?;
    thread::sleep(SECOND);
    wait_state(node, "Active", "")?;
    ensure!(!daemon.log().text().contains("does not exist"), "{}", daemon.log().text());
    Ok(())
}

#[test]
fn a_unicast_source_that_goes_is_a_fault_until_it_returns() -> Result<()> {
    let lan = Lan::new(1)?;
    let [node] = lan.nodes() else { unreachable!() };
    node.run(["ip", "addr", "add", "10.77.1.1/16", "dev", "eth0"])?;
    let unicast = "unicast_src_ip 10.77.1.1\n    unicast_peer {\n        10.77.0.50\n    }";
    let daemon = start(&lan, unicast)?;
    node.run(["ip", "addr", "del", "10.77.1.1/16", "dev", "eth0"])?;
    wait_state(node, "Initialize", "")?;
    ensure!(!node.holds(VIP)?, "{}", daemon.log().text());
    node.run(["ip", "addr", "add", "10.77.1.1/16", "dev", "eth0"])?;
    wait_owner(&lan, node, VIP, 8 * SECOND)?;
    Ok(())
}
