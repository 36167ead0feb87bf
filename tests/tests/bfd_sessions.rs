//! BFD sessions between two hadp: their pace, their paths, who may speak, and a port that is taken.

#![expect(clippy::disallowed_methods, reason = "real daemons take real time")]

use std::{net::UdpSocket, thread, time::Duration};

use anyhow::{Context as _, Result, ensure};
use hadp_tests::{
    checks::wait_state,
    conf::{Session, router_and_session},
    lab::{Lan, Software, hadp_status, wait_until},
    sessions::{PATIENCE, field, wait_session},
};
use serde_json::Value;

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn two_nodes_every_250_microseconds() -> Result<()> {
    let lan = Lan::new(2)?;
    let (n1, n2) = lan.pair()?;
    let conf = |neighbor: &str| Session::new(neighbor).every("250us").to_string();
    let _daemons = [
        Software::Hadp.start_with(n1, &conf("10.77.0.2"))?,
        Software::Hadp.start_with(n2, &conf("10.77.0.1"))?,
    ];
    for node in [n1, n2] {
        wait_until("a session at full pace", PATIENCE, || {
            let status = hadp_status(node).unwrap_or_default();
            let is = |name: &str, wanted: Value| status.pointer(&format!("/bfd/0/{name}")) == Some(&wanted);
            Ok(is("state", "Up".into()) && is("transmit_us", 250.into()) && is("detection_us", 750.into()))
        })
        .with_context(|| format!("{:#}", hadp_status(node).unwrap_or_default()))?;
        ensure!(field(node, 0, "sent")?.as_u64() > Some(10), "{:#}", hadp_status(node)?);
        let lateness = hadp_status(node)?.pointer("/lateness/heartbeat/buckets").cloned().unwrap_or_default();
        ensure!(lateness.as_array().is_some_and(|buckets| !buckets.is_empty()), "{lateness:#}");
    }
    Ok(())
}

#[test]
fn sessions_over_ipv6() -> Result<()> {
    let lan = Lan::new(2)?;
    let (n1, n2) = lan.pair()?;
    let mut daemons = Vec::new();
    for (node, own, other) in [(n1, 1, 2), (n2, 2, 1)] {
        for addr in [format!("fd00:77::{own}/64"), format!("fe80::{own}/64")] {
            node.run(["ip", "addr", "add", &addr, "dev", "eth0", "nodad"])?;
        }
        let far = Session::new(format!("fd00:77::{other}"));
        let near = Session::new(format!("fe80::{other}")).named("NEAR").with("interface eth0");
        daemons.push(Software::Hadp.start_with(node, &format!("{far}{near}"))?);
    }
    for node in [n1, n2] {
        wait_session(node, 0, "Up")?;
        wait_session(node, 1, "Up")?;
    }
    Ok(())
}

#[test]
fn a_session_with_a_key_comes_up_with_that_key_alone() -> Result<()> {
    let lan = Lan::new(2)?;
    let (n1, n2) = lan.pair()?;
    let conf = |neighbor: &str, key: &str| {
        Session::new(neighbor).with(&format!("auth_sha1 7 {key} meticulous")).to_string()
    };
    let _first = Software::Hadp.start_with(n1, &conf("10.77.0.2", "right"))?;
    let mut second = Software::Hadp.start_with(n2, &conf("10.77.0.1", "wrong"))?;
    wait_session(n2, 0, "Down")?;
    thread::sleep(3 * SECOND);
    for node in [n1, n2] {
        ensure!(field(node, 0, "state")? == "Down" && field(node, 0, "received")? == 0);
    }
    second.stop()?;
    let _second = Software::Hadp.start_with(n2, &conf("10.77.0.1", "right"))?;
    wait_session(n1, 0, "Up")?;
    wait_session(n2, 0, "Up")?;
    // Packets that only repeat keep it up.
    thread::sleep(SECOND / 2);
    ensure!(field(n1, 0, "received")?.as_u64() > Some(10), "{:#}", hadp_status(n1)?);
    Ok(())
}

#[test]
fn a_session_over_a_router() -> Result<()> {
    let lan = Lan::new(3)?;
    let [n1, n2, hop] = lan.nodes() else { unreachable!() };
    hop.run(["sh", "-c", "echo 1 >/proc/sys/net/ipv4/ip_forward"])?;
    hop.run(["sh", "-c", "for f in /proc/sys/net/ipv4/conf/*/send_redirects; do echo 0 >$f; done"])?;
    let mut daemons = Vec::new();
    for (node, own, other) in [(n1, 1, 2), (n2, 2, 1)] {
        node.run(["ip", "addr", "add", &format!("10.78.0.{own}/32"), "dev", "lo"])?;
        node.run(["ip", "route", "add", &format!("10.78.0.{other}/32"), "via", "10.77.0.3"])?;
        hop.run(["ip", "route", "add", &format!("10.78.0.{own}/32"), "via", &format!("10.77.0.{own}")])?;
        let more = format!("source_ip 10.78.0.{own}\n    multihop\n    max_hops 1");
        let session = Session::new(format!("10.78.0.{other}")).with(&more);
        daemons.push(Software::Hadp.start_with(node, &session.to_string())?);
    }
    for node in [n1, n2] {
        wait_session(node, 0, "Up")?;
    }
    hop.run(["ip", "route", "del", "10.78.0.1/32"])?;
    wait_session(n1, 0, "Down")
}

#[test]
fn a_port_that_another_daemon_has_is_named_and_waited_for() -> Result<()> {
    let lan = Lan::new(2)?;
    let (n1, n2) = lan.pair()?;
    let other = n1.holder().in_net(|| Ok(UdpSocket::bind(("0.0.0.0", 3784))?))?;
    let daemon = Software::Hadp.start_with(n1, &router_and_session(2, 100, ""))?;
    daemon
        .log()
        .wait_for("cannot receive on UDP port 3784 of 0.0.0.0: another BFD daemon has it", PATIENCE)?;
    wait_session(n1, 0, "Waiting")?;
    wait_state(n1, "Active", "")?;
    drop(other);
    let _neighbor = Software::Hadp.start_with(n2, &Session::new("10.77.0.1").to_string())?;
    wait_session(n1, 0, "Up")
}
