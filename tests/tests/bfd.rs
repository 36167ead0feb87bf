//! BFD on a LAN: sessions between hadp and hadp, FRR and keepalived, and what they do to the routers that follow them.
//!
//! Intervals are such that a busy machine keeps them; how fast failover is, the benchmarks show.

#![expect(clippy::disallowed_methods, reason = "real daemons take real time")]

use std::{
    net::{Ipv4Addr, UdpSocket},
    path::Path,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use hadp_tests::{
    checks::{mac, owners_since, state, wait_owner, wait_state},
    client::{ArpProber, Prober},
    lab::{Frr, Lan, Node, Software, hadp_binary, hadp_status, wait_until},
};
use serde_json::Value;

const VIP: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 100);
const SECOND: Duration = Duration::from_secs(1);
const PATIENCE: Duration = Duration::from_secs(10);
/// What a takeover may last whose decision takes 60 ms; VRRP's own timers need 3 s.
const FAST: Duration = Duration::from_millis(600);

/// Returns a session that detects silence after 60 ms.
fn session(neighbor: &str, more: &str) -> String {
    format!(
        "bfd_instance PEER {{
    neighbor_ip {neighbor}
    min_tx 20
    min_rx 20
    multiplier 3
    {more}
}}
"
    )
}

/// Returns a router that advertises once a second.
fn router(priority: u8, more: &str) -> String {
    format!(
        "vrrp_instance VI_1 {{
    state BACKUP
    interface eth0
    version 3
    virtual_router_id 55
    priority {priority}
    advert_int 1
    {more}
    virtual_ipaddress {{
        {VIP}/16
    }}
}}
"
    )
}

/// Returns one field of the status of a node's session.
fn field(node: &Node, index: usize, name: &str) -> Result<Value> {
    let status = hadp_status(node)?;
    Ok(status.pointer(&format!("/bfd/{index}/{name}")).cloned().unwrap_or_default())
}

fn wait_session(node: &Node, index: usize, wanted: &str) -> Result<()> {
    let what = format!("session {index} of {} is {wanted}", node.name());
    wait_until(&what, PATIENCE, || Ok(field(node, index, "state").is_ok_and(|state| state == wanted)))
        .with_context(|| format!("{:#}", hadp_status(node).unwrap_or_default()))?;
    Ok(())
}

/// Waits until n1 owns the address, n2 follows it, and both sessions are up.
fn settle(lan: &Lan, n1: &Node, n2: &Node) -> Result<()> {
    wait_owner(lan, n1, VIP, PATIENCE)?;
    wait_state(n2, "Backup", "")?;
    for node in [n1, n2] {
        wait_session(node, 0, "Up")?;
    }
    let follows = || Ok(hadp_status(n2)?.pointer("/routers/0/active_router").is_some());
    wait_until("n2 follows n1", PATIENCE, follows)?;
    Ok(())
}

/// Returns how long after `start` a node first answered for the address.
fn answered_after(prober: &ArpProber, node: &Node, start: Instant) -> Result<Duration> {
    let first = || prober.answers().into_iter().find(|answer| answer.at >= start && answer.mac == mac(node));
    wait_until(&format!("{} answers", node.name()), PATIENCE, || Ok(first().is_some()))?;
    Ok(first().context("no answer")?.at.duration_since(start))
}

#[test]
fn two_nodes_every_250_microseconds() -> Result<()> {
    let lan = Lan::new(2)?;
    let (n1, n2) = lan.pair()?;
    let conf =
        |neighbor: &str| session(neighbor, "").replace("_tx 20", "_tx 250us").replace("_rx 20", "_rx 250us");
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

/// Tells whether a process holds the latency of idle CPUs down.
fn holds_latency(pid: u64) -> Result<bool> {
    let open = std::fs::read_dir(format!("/proc/{pid}/fd"))?;
    Ok(open
        .filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok())
        .any(|path| path == Path::new("/dev/cpu_dma_latency")))
}

#[test]
fn idle_cpus_stay_quick_to_wake_up_while_a_fast_session_is_up() -> Result<()> {
    let lan = Lan::new(2)?;
    let (n1, n2) = lan.pair()?;
    let fast =
        |neighbor: &str| session(neighbor, "").replace("_tx 20", "_tx 500us").replace("_rx 20", "_rx 500us");
    let mut first = Software::Hadp.start_with(n1, &fast("10.77.0.2"))?;
    let second = Software::Hadp
        .start_with(n2, &("global_defs {\n    cpu_dma_latency none\n}\n".to_owned() + &fast("10.77.0.1")))?;
    for node in [n1, n2] {
        wait_session(node, 0, "Up")?;
    }
    let pid =
        |node| hadp_status(node)?.pointer("/pid").and_then(Value::as_u64).context("no PID in the status");
    let (holder, other) = (pid(n1)?, pid(n2)?);
    wait_until("the latency is held", PATIENCE, || holds_latency(holder))?;
    ensure!(
        !holds_latency(u64::from(first.process().pid().as_raw().unsigned_abs()))?,
        "the companion has no use for it"
    );
    ensure!(!holds_latency(other)?, "it was told not to");
    drop(second);
    wait_until("the latency is given back", PATIENCE, || Ok(!holds_latency(holder)?))?;
    Ok(())
}

#[test]
fn a_silent_death_is_found_at_the_pace_of_bfd() -> Result<()> {
    let lan = Lan::new(2)?;
    let (n1, n2) = lan.pair()?;
    let _first =
        Software::Hadp.start_with(n1, &(session("10.77.0.2", "") + &router(150, "fast_failover")))?;
    let _second =
        Software::Hadp.start_with(n2, &(session("10.77.0.1", "") + &router(100, "fast_failover")))?;
    settle(&lan, n1, n2)?;
    let prober = ArpProber::start(lan.client(), VIP, Duration::from_millis(2))?;
    thread::sleep(SECOND / 4);
    let start = Instant::now();
    n1.cut()?;
    let outage = answered_after(&prober, n2, start)?;
    ensure!(outage < FAST, "took over after {outage:?}");
    ensure!(field(n2, 0, "reason")? == "the neighbour fell silent");
    Ok(())
}

#[test]
fn a_daemon_that_was_stopped_comes_back_without_its_routers() -> Result<()> {
    let lan = Lan::new(2)?;
    let (n1, n2) = lan.pair()?;
    let follow = "fast_failover\n    nopreempt";
    let first = Software::Hadp.start_with(n1, &(session("10.77.0.2", "") + &router(150, follow)))?;
    wait_owner(&lan, n1, VIP, PATIENCE)?;
    let _second = Software::Hadp.start_with(n2, &(session("10.77.0.1", "") + &router(100, follow)))?;
    settle(&lan, n1, n2)?;
    let start = Instant::now();
    let prober = ArpProber::start(lan.client(), VIP, Duration::from_millis(1))?;
    thread::sleep(SECOND / 4);
    let stopped = Instant::now();
    first.freeze()?;
    let outage = answered_after(&prober, n2, stopped)?;
    thread::sleep(SECOND / 4);
    first.thaw()?;
    ensure!(outage < FAST, "took over after {outage:?}");
    wait_state(n1, "Backup", "")?;
    thread::sleep(SECOND / 2);
    // Its lease still ran when it came back, and for two more seconds: the guard has kept it silent.
    assert_eq!(owners_since(&prober, start), [mac(n1), mac(n2)], "{}", first.log().text());
    Ok(())
}

#[test]
fn a_daemon_that_died_leaves_to_the_neighbour_what_its_sessions_promised() -> Result<()> {
    let lan = Lan::new(2)?;
    let (n1, n2) = lan.pair()?;
    let follow = "fast_failover\n    nopreempt";
    let mut first = Software::Hadp.start_with(n1, &(session("10.77.0.2", "") + &router(150, follow)))?;
    wait_owner(&lan, n1, VIP, PATIENCE)?;
    let _second = Software::Hadp.start_with(n2, &(session("10.77.0.1", "") + &router(100, follow)))?;
    settle(&lan, n1, n2)?;
    let start = Instant::now();
    let prober = ArpProber::start(lan.client(), VIP, Duration::from_millis(1))?;
    thread::sleep(SECOND / 4);
    let died = Instant::now();
    first.crash_daemon()?;
    let outage = answered_after(&prober, n2, died)?;
    ensure!(outage < FAST, "took over after {outage:?}: {}", first.log().text());
    wait_state(n1, "Backup", "")?;
    for node in [n1, n2] {
        wait_session(node, 0, "Up")?;
    }
    // The new daemon's session is up: its guard is in force, and what it takes over now it serves.
    assert_eq!(owners_since(&prober, start), [mac(n1), mac(n2)], "{}", first.log().text());
    n2.run([&hadp_binary()?.to_string_lossy(), "failover", "VI_1"])?;
    wait_owner(&lan, n1, VIP, PATIENCE)?;
    Ok(())
}

#[test]
fn a_daemon_that_died_hands_over_until_what_it_tracks_is_up_again() -> Result<()> {
    let lan = Lan::new(2)?;
    let (n1, n2) = lan.pair()?;
    let track = "track_bfd {\n        PEER\n    }";
    let mut first = Software::Hadp.start_with(n1, &(session("10.77.0.2", "") + &router(150, track)))?;
    let _second = Software::Hadp.start_with(n2, &(session("10.77.0.1", "") + &router(100, "")))?;
    wait_session(n1, 0, "Up")?;
    wait_owner(&lan, n1, VIP, PATIENCE)?;
    let start = Instant::now();
    let (prober, asked) = (
        Prober::start(lan.client(), VIP, Duration::from_millis(1))?,
        ArpProber::start(lan.client(), VIP, Duration::from_millis(1))?,
    );
    prober.wait_served(PATIENCE)?;
    first.crash_daemon()?;
    first.log().wait_for("Active -> Resigning: a tracked object has failed", PATIENCE)?;
    let handed_over = start + answered_after(&asked, n2, start)?;
    answered_after(&asked, n1, handed_over)?;
    thread::sleep(SECOND / 2);
    let outage = prober.stop().outage(start);
    ensure!(outage.is_none(), "{outage:?}: {}", first.log().text());
    Ok(())
}

#[test]
fn a_daemon_that_died_without_sessions_up_goes_on() -> Result<()> {
    let lan = Lan::new(2)?;
    let (n1, n2) = lan.pair()?;
    let mut first =
        Software::Hadp.start_with(n1, &(session("10.77.0.2", "") + &router(150, "fast_failover")))?;
    wait_owner(&lan, n1, VIP, PATIENCE)?;
    let _second = Software::Hadp.start_with(n2, &router(100, ""))?;
    wait_state(n2, "Backup", "")?;
    let start = Instant::now();
    let prober = ArpProber::start(lan.client(), VIP, Duration::from_millis(1))?;
    thread::sleep(SECOND / 4);
    first.crash_daemon()?;
    first.log().wait_for("going on as Active", PATIENCE)?;
    thread::sleep(4 * SECOND);
    assert_eq!(owners_since(&prober, start), [mac(n1)], "{}", first.log().text());
    Ok(())
}

#[test]
fn a_neighbour_that_signals_down_is_alive() -> Result<()> {
    let lan = Lan::new(2)?;
    let (n1, n2) = lan.pair()?;
    let _first =
        Software::Hadp.start_with(n1, &(session("10.77.0.2", "") + &router(150, "fast_failover")))?;
    let _second =
        Software::Hadp.start_with(n2, &(session("10.77.0.1", "") + &router(100, "fast_failover")))?;
    settle(&lan, n1, n2)?;
    let start = Instant::now();
    let prober = ArpProber::start(lan.client(), VIP, Duration::from_millis(2))?;
    // n2's packets do not reach n1 any more, n1's reach n2.
    n2.run(["ip", "route", "add", "prohibit", "10.77.0.1/32"])?;
    // It may be on its way up again, which takes an answer: the reason stays.
    for (node, reason) in [(n2, "the neighbour went down"), (n1, "the neighbour fell silent")] {
        wait_until(reason, PATIENCE, || Ok(field(node, 0, "reason")? == reason))?;
    }
    thread::sleep(SECOND);
    assert_eq!(owners_since(&prober, start), [mac(n1)]);
    assert_eq!((state(n1)?.0, state(n2)?.0), ("Active".to_owned(), "Backup".to_owned()));
    n2.run(["ip", "route", "del", "prohibit", "10.77.0.1/32"])?;
    wait_session(n2, 0, "Up")
}

#[test]
fn without_bfd_on_the_other_side_adverts_decide() -> Result<()> {
    let lan = Lan::new(2)?;
    let (n1, n2) = lan.pair()?;
    let quick = |text: String| text.replace("advert_int 1", "advert_int 0.1");
    let mut first = Software::Hadp.start_with(n1, &quick(router(150, "")))?;
    let follows = quick(session("10.77.0.1", "") + &router(100, "fast_failover"));
    let _second = Software::Hadp.start_with(n2, &follows)?;
    wait_owner(&lan, n1, VIP, PATIENCE)?;
    wait_session(n2, 0, "Down")?;
    wait_state(n2, "Backup", "")?;
    let prober = ArpProber::start(lan.client(), VIP, Duration::from_millis(2))?;
    thread::sleep(SECOND / 2);
    let start = Instant::now();
    first.crash()?;
    let outage = answered_after(&prober, n2, start)?;
    // Three intervals and the skew, less the interval that had begun.
    ensure!(outage > Duration::from_millis(200), "took over after {outage:?}");
    wait_state(n2, "Active", "")
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
        let near = session(&format!("fe80::{other}"), "interface eth0").replace("PEER", "NEAR");
        daemons.push(Software::Hadp.start_with(node, &(session(&format!("fd00:77::{other}"), "") + &near))?);
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
    let conf = |neighbor: &str, key: &str| session(neighbor, &format!("auth_sha1 7 {key} meticulous"));
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
        daemons.push(Software::Hadp.start_with(node, &session(&format!("10.78.0.{other}"), &more))?);
    }
    for node in [n1, n2] {
        wait_session(node, 0, "Up")?;
    }
    hop.run(["ip", "route", "del", "10.78.0.1/32"])?;
    wait_session(n1, 0, "Down")
}

#[test]
fn frr_is_a_neighbour() -> Result<()> {
    let lan = Lan::new(2)?;
    let (n1, n2) = lan.pair()?;
    let mut frr = Frr::start(
        n2,
        "bfd\n peer 10.77.0.1 interface eth0\n  detect-multiplier 3\n  receive-interval 60\n  \
         transmit-interval 60\n  no shutdown\n exit\nexit\n",
    )?;
    let mut hadp = Software::Hadp.start_with(n1, &session("10.77.0.2", ""))?;
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
    let _hadp = Software::Hadp.start_with(n1, &session("10.77.0.2", ""))?;
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
    let mut first = Software::Hadp.start_with(n1, &(session("10.77.0.2", "") + &router(150, track)))?;
    wait_state(n1, "Initialize", "a tracked object has failed")?;
    let mut second =
        Software::Keepalived.start_with(n2, &(session("10.77.0.1", "") + &router(100, track)))?;
    wait_session(n1, 0, "Up")?;
    wait_owner(&lan, n1, VIP, PATIENCE)?;
    second.crash()?;
    wait_session(n1, 0, "Down")?;
    wait_state(n1, "Initialize", "a tracked object has failed")?;
    ensure!(!n1.holds(VIP)?, "a router that cannot run holds the address");

    let second = Software::Keepalived.start_with(n2, &(session("10.77.0.1", "") + &router(100, track)))?;
    // n2 may have been first: its session was up before this one.
    wait_owner(&lan, n1, VIP, 2 * PATIENCE)?;
    // It leaves FAULT when its BFD process says so, and goes back when ours is gone.
    second.log().wait_for("Entering BACKUP STATE", PATIENCE)?;
    first.crash()?;
    second.log().wait_for("Entering FAULT STATE", PATIENCE)?;
    Ok(())
}

#[test]
fn the_weight_of_a_session_and_of_an_interface() -> Result<()> {
    let lan = Lan::new(2)?;
    let (n1, n2) = lan.pair()?;
    n1.run(["ip", "link", "add", "up7", "type", "veth", "peer", "name", "up7-peer"])?;
    let track =
        "track_bfd {\n        PEER weight 30\n    }\n    track_interface {\n        up7 weight -20\n    }";
    let _first = Software::Hadp.start_with(n1, &(session("10.77.0.2", "") + &router(100, track)))?;
    let priority = |wanted: u64| {
        wait_until(&format!("priority {wanted}"), PATIENCE, || {
            Ok(hadp_status(n1)?.pointer("/routers/0/priority").and_then(Value::as_u64) == Some(wanted))
        })
    };
    wait_state(n1, "Active", "")?;
    priority(80)?;
    for name in ["up7", "up7-peer"] {
        n1.run(["ip", "link", "set", name, "up"])?;
    }
    priority(100)?;
    let mut second = Software::Hadp.start_with(n2, &(session("10.77.0.1", "") + &router(110, "")))?;
    priority(130)?;
    wait_owner(&lan, n1, VIP, PATIENCE)?;
    wait_state(n2, "Backup", "")?;
    second.stop()?;
    priority(100)?;
    assert_eq!(state(n1)?.0, "Active");
    Ok(())
}

#[test]
fn a_port_that_another_daemon_has_is_named_and_waited_for() -> Result<()> {
    let lan = Lan::new(2)?;
    let (n1, n2) = lan.pair()?;
    let other = n1.holder().in_net(|| Ok(UdpSocket::bind(("0.0.0.0", 3784))?))?;
    let daemon = Software::Hadp.start_with(n1, &(session("10.77.0.2", "") + &router(100, "")))?;
    daemon
        .log()
        .wait_for("cannot receive on UDP port 3784 of 0.0.0.0: another BFD daemon has it", PATIENCE)?;
    wait_session(n1, 0, "Waiting")?;
    wait_state(n1, "Active", "")?;
    drop(other);
    let _neighbor = Software::Hadp.start_with(n2, &session("10.77.0.1", ""))?;
    wait_session(n1, 0, "Up")
}
