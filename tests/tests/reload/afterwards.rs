//! What others know of a reload: the companion that starts the daemon again, and the event log.

use super::*;

#[test]
fn a_daemon_that_dies_after_a_reload_goes_on_with_what_is_configured_then() -> Result<()> {
    let lan = Lan::new(1)?;
    let [node] = lan.nodes() else { unreachable!() };
    let stays = router(56, 150, 1.0, &[OTHER], "");
    let mut daemon = Software::Hadp.start_with(node, &(router(55, 150, 1.0, &[VIP], "") + &stays))?;
    hasten(&lan, node)?;
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
