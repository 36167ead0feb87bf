//! BFD sessions of hadp with FRR and keepalived.

#![expect(clippy::disallowed_methods, reason = "real daemons take real time")]

use anyhow::{Result, ensure};
use hadp_tests::{
    checks::{wait_owner, wait_state},
    conf::{Session, VIP, router_and_session},
    lab::{Frr, Lan, Software, hadp_status, wait_until},
    sessions::{PATIENCE, field, wait_session},
};
use serde_json::Value;

#[test]
fn frr_is_a_neighbour() -> Result<()> {
    let lan = Lan::new(2)?;
    let (n1, n2) = lan.pair()?;
    let mut frr = Frr::start(
        n2,
        "bfd\n peer 10.77.0.1 interface eth0\n  detect-multiplier 3\n  receive-interval 60\n  \
         transmit-interval 60\n  no shutdown\n exit\nexit\n",
    )?;
    let mut hadp = Software::Hadp.start_with(n1, &Session::new("10.77.0.2").to_string())?;
    wait_session(n1, 0, "Up")?;
    let agrees = |frr: &Frr, name: &str, wanted: Value| {
        wait_until(&format!("FRR shows {name} {wanted}"), PATIENCE, || {
            Ok(frr.peers().is_ok_and(|peers| peers.pointer(&format!("/0/{name}")) == Some(&wanted)))
        })
    };
    agrees(&frr, "status", "up".into())?;
    agrees(&frr, "remote-receive-interval", 20.into())?;
    wait_until("both send every 60 ms", PATIENCE, || Ok(field(n1, 0, "transmit_us")? == 60_000))?;
    // A Poll Sequence of FRR's, with the session up.
    frr.configure(&["bfd", "peer 10.77.0.1 interface eth0", "transmit-interval 100"])?;
    wait_until("100 ms are negotiated", PATIENCE, || Ok(field(n1, 0, "detection_us")? == 300_000))?;
    frr.configure(&["bfd", "peer 10.77.0.1 interface eth0", "receive-interval 80"])?;
    wait_until("80 ms are negotiated", PATIENCE, || Ok(field(n1, 0, "transmit_us")? == 80_000))?;
    ensure!(field(n1, 0, "downs")? == 0, "{:#}", hadp_status(n1)?);

    frr.configure(&["bfd", "peer 10.77.0.1 interface eth0", "shutdown"])?;
    wait_session(n1, 0, "Down")?;
    ensure!(field(n1, 0, "remote/state")? == "AdminDown", "{:#}", hadp_status(n1)?);
    frr.configure(&["bfd", "peer 10.77.0.1 interface eth0", "no shutdown"])?;
    wait_session(n1, 0, "Up")?;

    hadp.stop()?;
    agrees(&frr, "status", "down".into())?;
    agrees(&frr, "remote-diagnostic", "administratively down".into())?;
    let _hadp = Software::Hadp.start_with(n1, &Session::new("10.77.0.2").to_string())?;
    wait_session(n1, 0, "Up")?;
    agrees(&frr, "status", "up".into())?;
    frr.crash()?;
    wait_session(n1, 0, "Down")?;
    ensure!(field(n1, 0, "reason")? == "the neighbour fell silent");
    Ok(())
}

#[test]
fn keepalived_is_a_neighbour_and_both_track_the_session() -> Result<()> {
    let lan = Lan::new(2)?;
    let (n1, n2) = lan.pair()?;
    let track = "track_bfd {\n        PEER\n    }";
    let mut first = Software::Hadp.start_with(n1, &router_and_session(2, 150, track))?;
    wait_state(n1, "Initialize", "a tracked object has failed")?;
    let mut second = Software::Keepalived.start_with(n2, &router_and_session(1, 100, track))?;
    wait_session(n1, 0, "Up")?;
    wait_owner(&lan, n1, VIP, PATIENCE)?;
    second.crash()?;
    wait_session(n1, 0, "Down")?;
    wait_state(n1, "Initialize", "a tracked object has failed")?;
    ensure!(!n1.holds(VIP)?, "a router that cannot run holds the address");

    let second = Software::Keepalived.start_with(n2, &router_and_session(1, 100, track))?;
    // n2 may have been first: its session was up before this one.
    wait_owner(&lan, n1, VIP, 2 * PATIENCE)?;
    // It leaves FAULT when its BFD process says so, and goes back when ours is gone.
    second.log().wait_for("Entering BACKUP STATE", PATIENCE)?;
    first.crash()?;
    second.log().wait_for("Entering FAULT STATE", PATIENCE)?;
    Ok(())
}
