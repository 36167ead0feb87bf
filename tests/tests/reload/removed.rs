//! Routers that leave.

use super::*;

/// Removes a router from the first node, beside another one that stays.
fn hands_over(successor: Software, every: f64) -> Result<()> {
    let lan = Lan::new(2)?;
    let (n1, n2) = lan.pair()?;
    let (leaves, stays) = (router(55, 150, every, &[VIP], ""), router(56, 150, every, &[OTHER], ""));
    let both = leaves + &stays;
    let first = Software::Hadp.start_with(n1, &both)?;
    hasten(&lan, n1)?;
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
    assert_eq!(slot(n1, 0, "ifindex")?, 0, "what it was is not forgotten");
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
    hasten(&lan, node)?;
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
