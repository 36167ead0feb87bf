//! Hundreds of routers.

use super::*;

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
