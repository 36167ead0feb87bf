//! `global_defs`: what concerns the whole node.

use hadp_tests::client::Claims;

use super::*;

fn conf(globals: &[&str]) -> String {
    let globals: String = globals.iter().map(|line| format!("    {line}\n")).collect();
    let own = router(56, 150, 0.05, &[OTHER], "garp_master_delay 0\n    garp_master_refresh 60");
    format!("global_defs {{\n{globals}}}\n{}{own}", router(55, 150, 0.05, &[VIP], ""))
}

#[test]
fn what_is_taken_up_and_what_waits_for_the_next_start() -> Result<()> {
    let lan = Lan::new(1)?;
    let [node] = lan.nodes() else { unreachable!() };
    let mut daemon = Software::Hadp.start_with(node, &conf(&["router_id before"]))?;
    for vip in [VIP, OTHER] {
        wait_owner(&lan, node, vip, PATIENCE)?;
    }
    let later = "takes effect when hadp is started the next time: vrrp_rt_priority, bfd_cpu_affinity, \
                 xdp_mode of the interfaces that are attached";
    let all = ["router_id after", "vrrp_rt_priority 20", "bfd_cpu_affinity 0", "xdp_mode skb"];
    let (code, said) = reload(node, &conf(&all))?;
    ensure!(code == Some(0) && said.contains("reloaded: taken up router_id\n"), "{code:?}: {said}");
    ensure!(said.contains(later) && daemon.log().text().contains(later), "{said}");
    assert_eq!(hadp_status(node)?.get("router_id"), Some(&"after".into()));
    // All of that runs as before, so that it stays true.
    let (_, said) = reload(node, &conf(&all))?;
    ensure!(said.contains(later) && said.contains("reloaded: nothing has changed"), "{said}");

    // A default reaches the routers that have no value of their own. What they announced when they took over is over by then.
    thread::sleep(SECOND / 5);
    let (claims, start) = (Claims::start(lan.client())?, Instant::now());
    let dies = ["router_id after", "on_daemon_death failover", "vrrp_garp_master_refresh 1"];
    let (code, said) = reload(node, &conf(&dies))?;
    ensure!(
        code == Some(0) && said == "reloaded: reconfigured VI_55; taken up on_daemon_death\n",
        "{code:?}: {said}"
    );
    wait_until("it is announced again and again", 3 * SECOND, || {
        let claimed = claims.since(start, mac(node));
        Ok(claimed.iter().filter(|claim| claim.addr == VIP).count() >= 2)
    })?;
    let claimed = claims.since(start, mac(node));
    ensure!(claimed.iter().all(|claim| claim.addr != OTHER), "the other one, too: {claimed:?}");
    let log = daemon.log().text();
    ensure!(!log.contains("Active ->"), "{log}");

    // The companion knows what it is to do.
    daemon.crash_daemon()?;
    daemon.log().wait_for("handed over, then starting it again", 5 * SECOND)?;
    wait_until("the next one runs", PATIENCE, || {
        Ok(hadp_status(node).is_ok_and(|status| status.get("restarts") == Some(&1.into())))
    })
    .with_context(|| daemon.log().text())?;
    wait_state(node, "Active", "")?;
    daemon.stop()
}
