//! Who answers ARP for a virtual address.

#![expect(clippy::disallowed_methods, reason = "real daemons take real time")]

use std::{
    collections::BTreeSet,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use hadp_tests::{
    checks::{mac, owners_since, wait_owner},
    client::{ArpProber, Mac, Prober},
    conf::{Instance, VIP},
    lab::{Lan, Software, hadp_status, wait_until},
};

const SECOND: Duration = Duration::from_secs(1);

fn conf(priority: u8, more: &str) -> String {
    Instance::new(priority).every(0.05).with(more).to_string()
}

#[test]
fn arping_gets_one_answer_and_a_backup_never_answers() -> Result<()> {
    let lan = Lan::new(2)?;
    let (n1, n2) = lan.pair()?;
    let _first = Software::Hadp.start_with(n1, &conf(150, ""))?;
    wait_owner(&lan, n1, VIP, 5 * SECOND)?;
    let _second = Software::Hadp.start_with(n2, &conf(100, ""))?;
    wait_until("n2 is Backup", 5 * SECOND, || {
        Ok(hadp_status(n2).is_ok_and(|status| status["routers"][0]["state"] == "Backup"))
    })?;
    let text = lan.client().run(["arping", "-c", "3", "-I", "eth0", &VIP.to_string()])?;
    ensure!(text.contains("3 packets transmitted, 3 packets received"), "not one answer each:\n{text}");
    ensure!(text.contains("(0 extra)") && text.contains("02:00:0a:4d:00:01"), "{text}");

    let prober = ArpProber::start(lan.client(), VIP, Duration::from_millis(2))?;
    let flapping = Instant::now();
    for _ in 0..3 {
        n2.carrier(false)?;
        thread::sleep(SECOND / 3);
        n2.carrier(true)?;
        thread::sleep(SECOND / 2);
    }
    for _ in 0..2 {
        n2.link_down()?;
        thread::sleep(SECOND / 3);
        n2.link_up()?;
        thread::sleep(SECOND / 2);
    }
    ensure!(prober.answers().len() > 500, "{} answers", prober.answers().len());
    assert_eq!(owners_since(&prober, flapping), [mac(n1)], "somebody else than n1 answered");
    assert_eq!(hadp_status(n2)?["routers"][0]["state"], "Backup");
    Ok(())
}

#[test]
fn the_virtual_mac_answers_and_carries_traffic() -> Result<()> {
    let lan = Lan::new(2)?;
    let (n1, n2) = lan.pair()?;
    let mut first = Software::Hadp.start_with(n1, &conf(150, "use_vmac"))?;
    wait_owner(&lan, n1, VIP, 5 * SECOND)?;
    let _second = Software::Hadp.start_with(n2, &conf(100, "use_vmac"))?;
    let vmac = Mac([0x00, 0x00, 0x5e, 0x00, 0x01, 55]);
    let arp = ArpProber::start(lan.client(), VIP, Duration::from_millis(5))?;
    let traffic = Prober::start(lan.client(), VIP, Duration::from_millis(1))?;
    traffic.wait_served(5 * SECOND)?;
    let start = Instant::now();
    first.stop()?;
    wait_owner(&lan, n2, VIP, 5 * SECOND)?;
    thread::sleep(SECOND / 2);
    // The client's neighbour entry stayed right: the address has not moved to another MAC.
    let report = traffic.stop();
    let answered =
        report.probes.iter().filter(|probe| probe.at > start && probe.answered_by.is_some()).count();
    ensure!(answered > 300, "{answered} answers through the virtual MAC");
    assert_eq!(arp.answering_since(start), BTreeSet::from([vmac]));
    Ok(())
}

#[test]
fn a_killed_daemon_leaves_one_answering() -> Result<()> {
    let lan = Lan::new(2)?;
    let (n1, n2) = lan.pair()?;
    let mut first = Software::Hadp.start_with(n1, &conf(150, ""))?;
    wait_owner(&lan, n1, VIP, 5 * SECOND)?;
    let _second = Software::Hadp.start_with(n2, &conf(100, ""))?;
    thread::sleep(SECOND / 2);
    let arp = ArpProber::start(lan.client(), VIP, Duration::from_millis(1))?;
    let traffic = Prober::start(lan.client(), VIP, Duration::from_millis(1))?;
    traffic.wait_served(5 * SECOND)?;
    let killed = Instant::now();
    first.crash()?;
    wait_until("n2 takes over", 5 * SECOND, || n2.holds(VIP))?;
    thread::sleep(SECOND / 2);
    ensure!(n1.holds(VIP)?, "nobody was there to remove it");
    assert_eq!(owners_since(&arp, killed), [mac(n1), mac(n2)], "both answered");
    let report = traffic.stop();
    let last = |who| report.probes.iter().rfind(|probe| probe.answered_by == Some(who)).map(|probe| probe.at);
    let first_of =
        |who| report.probes.iter().find(|probe| probe.answered_by == Some(who)).map(|probe| probe.at);
    ensure!(last(mac(n1)) < first_of(mac(n2)), "n1 served after n2 had taken over");
    Ok(())
}

#[test]
fn announcements_follow_the_schedule() -> Result<()> {
    let lan = Lan::new(1)?;
    let [node] = lan.nodes() else { unreachable!() };
    let mut tcpdump = lan.client().command("tcpdump")?;
    tcpdump.args([
        "-i",
        "eth0",
        "-n",
        "-l",
        "--immediate-mode",
        "arp",
        "and",
        "src",
        "host",
        &VIP.to_string(),
    ]);
    let tcpdump = lan.client().spawn(tcpdump)?;
    tcpdump.log().wait_for("listening on", 5 * SECOND)?;
    let schedule = "garp_master_delay 1
    garp_master_repeat 3
    garp_master_refresh 2
    garp_master_refresh_repeat 2
    garp_interval 0.05";
    let daemon = Software::Hadp.start_with(node, &conf(100, schedule))?;
    let active = daemon.log().wait_for("Backup -> Active", 5 * SECOND)?.at;
    thread::sleep(5 * SECOND);
    // Gratuitous: asks for the address it tells.
    let gratuitous = format!("Request who-has {VIP} (ff:ff:ff:ff:ff:ff) tell {VIP}");
    let times: Vec<_> = tcpdump
        .log()
        .lines()
        .into_iter()
        .filter(|line| line.text.contains(&gratuitous))
        .map(|line| line.at.saturating_duration_since(active).as_millis())
        .collect();
    // At once, after the delay, and then every two seconds; 50 ms between two.
    let expected = [0, 50, 100, 1000, 1050, 1100, 2000, 2050, 4000, 4050];
    ensure!(times.len() == expected.len(), "{times:?}");
    for (got, expected) in times.iter().zip(expected) {
        ensure!(got.abs_diff(expected) < 40, "{times:?}, not {expected}");
    }
    Ok(())
}
