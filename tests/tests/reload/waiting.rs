//! What cannot be done at once, and what is refused.

use super::*;

/// Starts the daemon with a router that leaves slowly, and one beside it.
fn slow_beside_quick(lan: &Lan) -> Result<Daemon> {
    let [node] = lan.nodes() else { unreachable!() };
    let daemon = Software::Hadp.start_with(node, &(slow() + &quick(&[OTHER])))?;
    hasten(lan, node)?;
    for vip in [VIP, OTHER] {
        wait_owner(lan, node, vip, PATIENCE)?;
    }
    Ok(daemon)
}

/// Nobody is there to take it over: it stays for as long as the slowest successor would take, a second.
fn slow() -> String {
    router(55, 150, 1.0, &[VIP], "")
}

fn quick(vips: &[Ipv4Addr]) -> String {
    router(56, 150, 0.05, vips, "")
}

#[test]
fn an_address_of_a_router_that_leaves_is_waited_for() -> Result<()> {
    let lan = Lan::new(1)?;
    let [node] = lan.nodes() else { unreachable!() };
    let mut daemon = slow_beside_quick(&lan)?;
    let asked = ArpProber::start(lan.client(), OTHER, MILLISECOND)?;
    let start = Instant::now();
    // Two that want the address, one after the other: the second reload takes the place of what is left of the first.
    let moves = quick(&[OTHER]) + &router(57, 150, 0.05, &[VIP], "");
    reloaded(node, &moves, "reloaded: removed VI_55; waiting VI_57")?;
    reloaded(node, &quick(&[OTHER, VIP]), "reloaded: waiting VI_56")?;
    assert_eq!(names(node)?, ["VI_56", "VI_55"], "the one that leaves comes last");
    ensure!(node.holds(VIP)?, "it is served until then");
    daemon.log().wait_for("(VI_56) is reconfigured", 4 * SECOND)?;
    wait_owner(&lan, node, VIP, PATIENCE).with_context(|| daemon.log().text())?;
    assert_eq!(names(node)?, ["VI_56"]);
    let log = daemon.log().text();
    let order = ["(VI_55) has left\n", "(VI_56) is reconfigured"].map(|line| log.find(line));
    ensure!(order.is_sorted() && !log.contains("VI_57)") && !log.contains("(VI_56) Active ->"), "{log}");
    assert_eq!(owners_since(&asked, start), [mac(node)]);
    daemon.stop()
}

#[test]
fn a_daemon_that_stops_does_nothing_more_of_a_reload() -> Result<()> {
    let lan = Lan::new(1)?;
    let [node] = lan.nodes() else { unreachable!() };
    let mut daemon = slow_beside_quick(&lan)?;
    reloaded(node, &quick(&[OTHER, VIP]), "reloaded: removed VI_55; waiting VI_56")?;
    daemon.terminate()?;
    daemon.log().wait_for("handing over every virtual router", SECOND)?;
    let (code, said) = reload(node, &quick(&[OTHER]))?;
    ensure!(code == Some(1) && said.contains("not reloaded: the daemon is stopping"), "{code:?}: {said}");
    daemon.stop()?;
    let log = daemon.log().text();
    ensure!(!log.contains("is reconfigured"), "{log}");
    ensure!(!node.holds(VIP)? && !node.holds(OTHER)?, "an address stays");
    ensure!(!node.run(["ls", "/sys/fs/bpf"])?.contains("hadp"), "pins stay");
    Ok(())
}
