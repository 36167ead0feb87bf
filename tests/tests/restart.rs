//! Daemons that die, are replaced or stopped: who owns the address, and what a client notices of it.
//!
//! What was measured is printed: `cargo test -p hadp-tests --test restart -- --nocapture`.

#![expect(clippy::disallowed_methods, reason = "real daemons take real time")]
#![expect(clippy::print_stdout, reason = "what was measured is worth a look")]

use std::{
    collections::BTreeSet,
    fs,
    net::Ipv4Addr,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use hadp_tests::{
    checks::{hasten, mac, owners_since, state, wait_state},
    client::{ArpProber, Capture, Prober},
    conf::Session,
    lab::{Daemon, Lan, Node, Pair, Software, hadp_status, wait_until},
    sessions::wait_session,
    unspoilt::{AT_TEN_MILLISECONDS, unspoilt},
};
use nix::sys::signal::{Signal, kill};

const VIP: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 100);
const SECOND: Duration = Duration::from_secs(1);
const MILLISECOND: Duration = Duration::from_millis(1);

/// One virtual router; a first one that comes back does not preempt.
fn conf(priority: u8, interval: &str, on_daemon_death: &str) -> String {
    format!(
        "global_defs {{
    on_daemon_death {on_daemon_death}
}}
vrrp_instance VI_1 {{
    state BACKUP
    interface eth0
    version 3
    virtual_router_id 55
    priority {priority}
    advert_int {interval}
    nopreempt
    virtual_ipaddress {{
        {VIP}/16
    }}
}}
"
    )
}

/// Starts a pair whose first node is Active.
fn elect(lan: &Lan, interval: &str, on_daemon_death: &str) -> Result<Pair> {
    let (n1, n2) = lan.pair()?;
    let first = n1.write("daemon.conf", &conf(150, interval, on_daemon_death))?;
    let second = n2.write("daemon.conf", &conf(100, interval, on_daemon_death))?;
    let first = Software::Hadp.start(n1, &first)?;
    hasten(lan, n1)?;
    wait_state(n1, "Active", "")?;
    let pair = Pair { first, second: Software::Hadp.start(n2, &second)? };
    pair.wait_elected(lan, VIP)?;
    // The daemon tells its companion that it works, and that makes itself ready.
    pair.first.log().wait_for("running", 5 * SECOND)?;
    thread::sleep(SECOND / 5);
    Ok(pair)
}

fn status(node: &Node, field: &str) -> Result<u64> {
    hadp_status(node)?.get(field).and_then(serde_json::Value::as_u64).context("no such field")
}

/// Returns how long after its start the daemon had gone on, in microseconds, as its log says.
fn resumed_after(log: &str) -> Option<u32> {
    log.rsplit_once("after_us=")?.1.split_whitespace().next()?.parse().ok()
}

fn memory(daemon: &mut Daemon) -> Result<String> {
    let text = fs::read_to_string(format!("/proc/{}/status", daemon.process().pid()))?;
    let lines = text.lines().filter(|line| line.starts_with("VmRSS") || line.starts_with("RssAnon"));
    Ok(lines.map(|line| line.replace('\t', " ")).collect::<Vec<_>>().join(", "))
}

/// Tells what must hold when nobody was to notice anything since `start`.
fn unnoticed(lan: &Lan, pair: &Pair, probes: Prober, asked: &ArpProber, start: Instant) -> Result<()> {
    let (n1, _) = lan.pair()?;
    let report = probes.stop();
    let logs = || format!("{}\n{}", pair.first.log().text(), pair.second.log().text());
    ensure!(report.outage(start).is_none(), "{:?}\n{}", report.outage(start), logs());
    assert_eq!(owners_since(asked, start), [mac(n1)], "{}", logs());
    ensure!(!pair.second.log().text().contains("-> Active"), "{}", logs());
    ensure!(pair.first.log().text().matches("-> Active").count() <= 1, "{}", logs());
    assert_eq!(state(n1)?.0, "Active");
    Ok(())
}

fn kill_and_restart(interval: &str, probe: Duration) -> Result<()> {
    let lan = Lan::new(2)?;
    let (n1, _) = lan.pair()?;
    let mut pair = elect(&lan, interval, "restart")?;
    let memory = memory(&mut pair.first)?;
    let (probes, asked) =
        (Prober::start(lan.client(), VIP, probe)?, ArpProber::start(lan.client(), VIP, MILLISECOND)?);
    probes.wait_served(5 * SECOND)?;
    let (before, start) = (status(n1, "pid")?, Instant::now());
    pair.first.crash_daemon()?;
    pair.first.log().wait_for("going on as Active", 5 * SECOND)?;
    wait_until("the new daemon answers", 5 * SECOND, || Ok(status(n1, "restarts").is_ok()))?;
    thread::sleep(SECOND);
    assert_eq!(status(n1, "restarts")?, 1);
    ensure!(status(n1, "pid")? != before);
    unnoticed(&lan, &pair, probes, &asked, start)?;
    let after = resumed_after(&pair.first.log().text());
    println!("adverts every {interval} s, kill -9, restart: 0 lost; gone on {after:?} us after its start");
    println!("companion: {memory}");
    pair.first.stop()?;
    ensure!(!n1.run(["ls", "/sys/fs/bpf"])?.contains("hadp"), "pins stay");
    ensure!(!n1.holds(VIP)?, "the address stays");
    Ok(())
}

#[test]
fn a_daemon_that_dies_is_replaced_unnoticed_at_one_second() -> Result<()> {
    kill_and_restart("1", MILLISECOND)
}

#[test]
fn a_daemon_that_dies_is_replaced_unnoticed_at_ten_milliseconds() -> Result<()> {
    unspoilt(AT_TEN_MILLISECONDS, |_| kill_and_restart("0.01", MILLISECOND / 10))
}

/// A system call fails without which no BFD packet leaves: it is said why, and a new daemon goes on with the router, which
/// no session limits.
#[test]
fn a_daemon_whose_heartbeat_fails_is_replaced_unnoticed() -> Result<()> {
    let lan = Lan::new(2)?;
    let (n1, n2) = lan.pair()?;
    let with_session = |priority, neighbor: &Node| {
        format!("{}{}", Session::new(neighbor.address()), conf(priority, "1", "restart"))
    };
    let first = Software::Hadp.start_with(n1, &with_session(150, n2))?;
    wait_state(n1, "Active", "")?;
    let pair = Pair { first, second: Software::Hadp.start_with(n2, &with_session(100, n1))? };
    pair.wait_elected(&lan, VIP)?;
    wait_session(n1, 0, "Up")?;
    let (probes, asked) =
        (Prober::start(lan.client(), VIP, MILLISECOND)?, ArpProber::start(lan.client(), VIP, MILLISECOND)?);
    probes.wait_served(5 * SECOND)?;
    let (before, start) = (status(n1, "pid")?, Instant::now());
    // ppoll(2): "EINVAL The nfds value exceeds the RLIMIT_NOFILE value."
    n1.run(["prlimit", "--pid", &before.to_string(), "--nofile=0:"])?;
    let log = pair.first.log();
    log.wait_for("the heartbeat thread ended by itself: Invalid argument", 5 * SECOND)?;
    log.wait_for("going on as Active", 5 * SECOND)?;
    ensure!(log.text().contains("end=exit status: 1"), "{}", log.text());
    wait_until("the new daemon answers", 5 * SECOND, || Ok(status(n1, "restarts").is_ok()))?;
    wait_session(n1, 0, "Up")?;
    assert_eq!(status(n1, "restarts")?, 1);
    ensure!(status(n1, "pid")? != before);
    unnoticed(&lan, &pair, probes, &asked, start)
}

#[test]
fn a_daemon_that_dies_is_handed_over_where_that_is_wanted() -> Result<()> {
    unspoilt(AT_TEN_MILLISECONDS, |_| kill_and_hand_over())
}

fn kill_and_hand_over() -> Result<()> {
    let lan = Lan::new(2)?;
    let (n1, n2) = lan.pair()?;
    let mut pair = elect(&lan, "0.01", "failover")?;
    let (probes, asked) = (
        Prober::start(lan.client(), VIP, MILLISECOND / 10)?,
        ArpProber::start(lan.client(), VIP, MILLISECOND)?,
    );
    probes.wait_served(5 * SECOND)?;
    let start = Instant::now();
    pair.first.crash_daemon()?;
    wait_state(n2, "Active", "")?;
    wait_state(n1, "Backup", "")?;
    thread::sleep(SECOND / 2);
    let outage = probes.stop().outage(start).map(|outage| outage.duration);
    println!("adverts every 10 ms, kill -9, failover: outage {outage:?}");
    assert_eq!(owners_since(&asked, start), [mac(n1), mac(n2)]);
    ensure!(!n1.holds(VIP)?, "the address stays");
    assert_eq!(status(n1, "restarts")?, 1);
    Ok(())
}

#[test]
fn a_daemon_that_keeps_dying_is_handed_over() -> Result<()> {
    let lan = Lan::new(2)?;
    let (n1, n2) = lan.pair()?;
    let mut pair = elect(&lan, "1", "restart")?;
    let asked = ArpProber::start(lan.client(), VIP, MILLISECOND)?;
    let start = Instant::now();
    for restarts in 1..=2 {
        pair.first.crash_daemon()?;
        wait_until("the new daemon answers", 3 * SECOND, || {
            Ok(status(n1, "restarts").is_ok_and(|seen| seen == restarts))
        })?;
    }
    assert_eq!(owners_since(&asked, start), [mac(n1)]);
    pair.first.crash_daemon()?;
    pair.first.log().wait_for("handed over, then starting it again", SECOND)?;
    wait_state(n2, "Active", "")?;
    wait_state(n1, "Backup", "")?;
    assert_eq!(owners_since(&asked, start), [mac(n1), mac(n2)]);
    assert_eq!(status(n1, "restarts")?, 3);
    pair.first.stop()
}

/// Kills companion and daemon, does something, and starts both anew within the lease.
fn replace(pair: &mut Pair, next: impl FnOnce() -> Result<Daemon>) -> Result<()> {
    pair.first.crash()?;
    pair.first = next()?;
    pair.first.log().wait_for("running", 5 * SECOND)?;
    thread::sleep(SECOND);
    Ok(())
}

#[test]
fn a_node_whose_daemon_and_companion_die_goes_on_within_the_lease() -> Result<()> {
    let lan = Lan::new(2)?;
    let (n1, _) = lan.pair()?;
    let mut pair = elect(&lan, "1", "restart")?;
    let (probes, asked) =
        (Prober::start(lan.client(), VIP, MILLISECOND)?, ArpProber::start(lan.client(), VIP, MILLISECOND)?);
    probes.wait_served(5 * SECOND)?;
    let start = Instant::now();
    replace(&mut pair, || Software::Hadp.start_with(n1, &conf(150, "1", "restart")))?;
    ensure!(pair.first.log().text().contains("going on as Active"), "{}", pair.first.log().text());
    unnoticed(&lan, &pair, probes, &asked, start)?;
    println!("total death, started again: 0 lost; {:?} us", resumed_after(&pair.first.log().text()));
    pair.first.stop()
}

#[test]
fn another_build_replaces_the_programs_in_place() -> Result<()> {
    let lan = Lan::new(2)?;
    let (n1, _) = lan.pair()?;
    let mut pair = elect(&lan, "1", "restart")?;
    let (probes, asked) =
        (Prober::start(lan.client(), VIP, MILLISECOND)?, ArpProber::start(lan.client(), VIP, MILLISECOND)?);
    probes.wait_served(5 * SECOND)?;
    let program = || n1.run(["sh", "-c", "bpftool -j net show dev eth0"]);
    let (before, start) = (program()?, Instant::now());
    // A program that logs is another one than a program that does not.
    let level = "info,hadp::ebpf=debug";
    replace(&mut pair, || Daemon::hadp_at(n1, &conf(150, "1", "restart"), level))?;
    let log = pair.first.log().text();
    ensure!(log.contains("going on as Active") && log.contains("program replaced in place"), "{log}");
    ensure!(program()? != before, "the program is the same: {before}");
    let pins = n1.run(["ls", "/sys/fs/bpf/hadp"])?;
    let programs = pins.lines().filter(|name| name.starts_with("program_"));
    let builds: BTreeSet<_> = programs.clone().filter_map(|name| name.rsplit('_').next()).collect();
    assert_eq!((programs.count(), builds.len()), (3, 1), "{pins}");
    unnoticed(&lan, &pair, probes, &asked, start)
}

#[test]
fn another_layout_is_a_planned_handover() -> Result<()> {
    let lan = Lan::new(2)?;
    let (n1, n2) = lan.pair()?;
    let mut pair = elect(&lan, "1", "restart")?;
    let capture = Capture::start(lan.client())?;
    let asked = ArpProber::start(lan.client(), VIP, MILLISECOND)?;
    let start = Instant::now();
    replace(&mut pair, || {
        pretend_other_layout(n1)?;
        Software::Hadp.start_with(n1, &conf(150, "1", "restart"))
    })?;
    let log = pair.first.log().text();
    ensure!(log.contains("have another layout") && log.contains("layout=99"), "{log}");
    wait_state(n2, "Active", "")?;
    wait_state(n1, "Backup", "")?;
    let resigned = |advert: &hadp_tests::client::SeenAdvert| {
        advert.from == n1.address() && advert.priority == 0 && advert.at > start
    };
    ensure!(capture.adverts().iter().any(resigned), "nobody resigned");
    assert_eq!(owners_since(&asked, start), [mac(n1), mac(n2)]);
    ensure!(!n1.holds(VIP)?, "the address stays");
    Ok(())
}

/// Writes another layout's number into the settings that a dead daemon left.
fn pretend_other_layout(node: &Node) -> Result<()> {
    const SETTINGS: &str = "/sys/fs/bpf/hadp/SETTINGS";
    let entry =
        node.run(["bpftool", "-j", "map", "lookup", "pinned", SETTINGS, "key", "0", "0", "0", "0"])?;
    let entry: serde_json::Value = serde_json::from_str(&entry)?;
    let octets = entry.get("value").and_then(serde_json::Value::as_array).context("no value")?;
    let mut value: Vec<_> = octets.iter().filter_map(|octet| octet.as_str().map(str::to_owned)).collect();
    value.splice(..4, ["99", "0", "0", "0"].map(str::to_owned));
    let update = format!("bpftool map update pinned {SETTINGS} key 0 0 0 0 value {}", value.join(" "));
    node.run(["sh", "-c", &update]).map(drop)
}

#[test]
fn routers_are_known_again_in_another_order_and_those_that_are_gone_are_given_up() -> Result<()> {
    const OTHER: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 101);
    let instance = |vrid: u8, vip: Ipv4Addr| {
        format!(
            "vrrp_instance VI_{vrid} {{ interface eth0\n version 3\n virtual_router_id {vrid}\n advert_int 1\n \
             virtual_ipaddress {{ {vip}/16\n }}\n }}\n"
        )
        .replace("{ ", "{\n")
    };
    let lan = Lan::new(1)?;
    let [node] = lan.nodes() else { unreachable!() };
    let mut first = Software::Hadp.start_with(node, &(instance(55, OTHER) + &instance(56, VIP)))?;
    hasten(&lan, node)?;
    wait_until("both addresses are there", 8 * SECOND, || Ok(node.holds(VIP)? && node.holds(OTHER)?))?;
    first.log().wait_for("(VI_56) Backup -> Active", SECOND)?;
    let (probes, start) = (Prober::start(lan.client(), VIP, MILLISECOND)?, Instant::now());
    probes.wait_served(5 * SECOND)?;
    first.crash()?;
    let third = Ipv4Addr::new(10, 77, 0, 102);
    let next = Software::Hadp.start_with(node, &(instance(57, third) + &instance(56, VIP)))?;
    next.log().wait_for("running", 5 * SECOND)?;
    next.log().wait_for("not configured any more vrid=55", SECOND)?;
    next.log().wait_for("(VI_57) Initialize -> Backup", SECOND)?;
    wait_until("the address of the router that is gone is gone", SECOND, || Ok(!node.holds(OTHER)?))?;
    thread::sleep(SECOND);
    ensure!(probes.stop().outage(start).is_none(), "{}", next.log().text());
    let status = hadp_status(node)?;
    let names = ["/routers/0/name", "/routers/1/name"].map(|path| status.pointer(path).cloned());
    assert_eq!(names, [Some("VI_57".into()), Some("VI_56".into())], "the configuration's order");
    Ok(())
}

#[test]
fn a_daemon_without_companion_goes_on_and_says_so() -> Result<()> {
    let lan = Lan::new(1)?;
    let [node] = lan.nodes() else { unreachable!() };
    let mut daemon = Software::Hadp.start_with(node, &conf(150, "0.1", "restart"))?;
    wait_state(node, "Active", "")?;
    let proper = daemon.process().child_pid().context("no daemon proper")?;
    daemon.process().signal(Signal::SIGKILL)?;
    daemon.log().wait_for("the companion is gone", SECOND)?;
    assert_eq!(state(node)?.0, "Active");
    kill(proper, Signal::SIGTERM)?;
    daemon.log().wait_for("stopped", 5 * SECOND)?;
    wait_until("nothing is left", 5 * SECOND, || Ok(!node.run(["ls", "/sys/fs/bpf"])?.contains("hadp")))?;
    Ok(())
}

#[test]
fn a_daemon_killed_while_it_stops_leaves_nothing() -> Result<()> {
    let lan = Lan::new(1)?;
    let [node] = lan.nodes() else { unreachable!() };
    let mut daemon = Software::Hadp.start_with(node, &conf(150, "1", "restart"))?;
    hasten(&lan, node)?;
    wait_state(node, "Active", "")?;
    daemon.log().wait_for("running", 5 * SECOND)?;
    thread::sleep(SECOND / 5);
    daemon.terminate()?;
    daemon.log().wait_for("handing over", SECOND)?;
    daemon.crash_daemon()?;
    let status = daemon.process().wait(5 * SECOND)?;
    assert_eq!(status.code(), Some(137), "{}", daemon.log().text());
    ensure!(!node.holds(VIP)?, "the address stays");
    ensure!(!node.run(["ls", "/sys/fs/bpf"])?.contains("hadp"), "pins stay");
    Ok(())
}

/// A daemon that has just been started again does not heed signals yet, and they would end it.
#[test]
fn what_is_told_while_a_new_daemon_starts_does_not_kill_it() -> Result<()> {
    let lan = Lan::new(1)?;
    let [node] = lan.nodes() else { unreachable!() };
    let mut daemon = Software::Hadp.start_with(node, &conf(150, "1", "restart"))?;
    hasten(&lan, node)?;
    wait_state(node, "Active", "")?;
    daemon.crash_daemon()?;
    daemon.log().wait_for("starting it again", SECOND)?;
    daemon.process().signal(Signal::SIGHUP)?;
    daemon.log().wait_for("reloaded: nothing has changed", 5 * SECOND)?;
    wait_until("one restart", SECOND, || Ok(status(node, "restarts").is_ok_and(|seen| seen == 1)))?;
    wait_state(node, "Active", "")?;
    daemon.crash_daemon()?;
    wait_until("it is being started again", SECOND, || {
        Ok(daemon.log().text().matches("starting it again").count() == 2)
    })?;
    daemon.process().signal(Signal::SIGTERM)?;
    let status = daemon.process().wait(5 * SECOND)?;
    ensure!(status.success(), "{status}: {}", daemon.log().text());
    ensure!(!node.holds(VIP)?, "the address stays");
    Ok(())
}
