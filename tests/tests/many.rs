//! A thousand routers that are due in one wake-up.

use std::{fmt::Write as _, thread, time::Duration};

use anyhow::{Context as _, Result, ensure};
use hadp_tests::{
    checks::wait_state,
    lab::{Lan, Software, hadp_status, wait_until},
};
use serde_json::Value;

const LINKS: usize = 4;
const ROUTERS: usize = 250;

/// The course of a takeover: when the lease was stored, when the advert had left, in ns of CLOCK_MONOTONIC.
fn takeover(router: &Value) -> Option<(u64, u64)> {
    let field = |name: &str| router.pointer(&format!("/takeover/{name}")).and_then(Value::as_u64);
    let decided = field("decided_ns")?;
    Some((decided + field("stored_after_ns")?, decided + field("advertised_after_ns")?))
}

#[test]
fn all_leases_are_stored_before_the_first_advert_leaves() -> Result<()> {
    let lan = Lan::new(1)?;
    let [node] = lan.nodes() else { unreachable!() };
    let mut conf = String::new();
    for link in 1..=LINKS {
        node.run([
            "ip",
            "link",
            "add",
            &format!("lan{link}"),
            "type",
            "veth",
            "peer",
            &format!("far{link}"),
        ])?;
        node.run(["ip", "addr", "add", &format!("10.78.{link}.1/24"), "dev", &format!("lan{link}")])?;
        for end in ["lan", "far"] {
            node.run(["ip", "link", "set", &format!("{end}{link}"), "up"])?;
        }
        for vrid in 1..=ROUTERS {
            write!(
                conf,
                "vrrp_instance L{link}_{vrid} {{
    interface lan{link}
    version 3
    virtual_router_id {vrid}
    advert_int 2
    virtual_ipaddress {{
        10.79.{link}.{vrid}/32
    }}
}}
"
            )?;
        }
    }
    let mut daemon = Software::Hadp.start_with(node, &conf)?;
    let in_state = |name: &str| -> Result<Vec<Value>> {
        let status = hadp_status(node)?;
        let routers = status.get("routers").and_then(Value::as_array).context("no routers")?;
        Ok(routers.iter().filter(|router| router.get("state") == Some(&name.into())).cloned().collect())
    };
    wait_state(node, "Backup", "")?;
    wait_until("Backups", Duration::from_secs(5), || Ok(in_state("Backup")?.len() == LINKS * ROUTERS))?;
    // All their timers run out while the daemon does not run.
    daemon.freeze()?;
    thread::sleep(Duration::from_secs(8));
    daemon.thaw()?;
    wait_until(
        "Active routers",
        Duration::from_secs(10),
        || Ok(in_state("Active")?.len() == LINKS * ROUTERS),
    )
    .with_context(|| daemon.log().text())?;
    let courses: Vec<_> = in_state("Active")?.iter().filter_map(takeover).collect();
    ensure!(courses.len() == LINKS * ROUTERS, "{} of the takeovers are known", courses.len());
    let first = courses.iter().map(|(stored, _)| *stored).min().unwrap_or_default();
    let last = courses.iter().map(|(stored, _)| *stored).max().unwrap_or_default();
    let spoke = courses.iter().map(|(_, advertised)| *advertised).min().unwrap_or_default();
    let silent = courses.iter().map(|(_, advertised)| *advertised).max().unwrap_or_default();
    let micros = |from: u64, to: u64| to.saturating_sub(from) / 1000;
    eprintln!(
        "{} leases within {} us; adverts from {} us to {} us",
        courses.len(),
        micros(first, last),
        micros(first, spoke),
        micros(first, silent)
    );
    ensure!(last <= spoke, "a lease was stored {} us after the first advert had left", micros(spoke, last));
    daemon.stop()
}
