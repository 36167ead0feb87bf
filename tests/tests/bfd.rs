//! What BFD sessions do to the routers that follow or track them, and to those of daemons that die.
//!
//! Intervals are such that a busy machine keeps them; how fast failover is, the benchmarks show.

#![expect(clippy::disallowed_methods, reason = "real daemons take real time")]

use std::{
    path::Path,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use hadp_tests::{
    checks::{hasten, mac, owners_since, state, wait_owner, wait_state},
    client::{ArpProber, Prober},
    conf::{Instance, Session, VIP, router_and_session},
    lab::{Daemon, Lan, Node, Software, hadp_binary, hadp_status, wait_until},
    sessions::{PATIENCE, answered_after, field, settle, wait_session},
    unspoilt::{Span, unspoilt},
};
use serde_json::Value;

const SECOND: Duration = Duration::from_secs(1);
/// How long before and after an outage what stood still may have caused it.
const MARGIN: Duration = Duration::from_millis(3);
/// What a takeover may last whose decision takes 60 ms; VRRP's own timers need 3 s.
const FAST: Duration = Duration::from_millis(600);

/// Starts n1, which becomes Active, and n2, which follows it, both sessions up.
fn followed(lan: &Lan, more: &str) -> Result<[Daemon; 2]> {
    let (n1, n2) = lan.pair()?;
    let first = Software::Hadp.start_with(n1, &router_and_session(2, 150, more))?;
    hasten(lan, n1)?;
    wait_owner(lan, n1, VIP, PATIENCE)?;
    let second = Software::Hadp.start_with(n2, &router_and_session(1, 100, more))?;
    settle(lan)?;
    Ok([first, second])
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
    let fast = |neighbor: &str| Session::new(neighbor).every("500us").to_string();
    // What is done without being told to depends on whether this machine is virtual.
    let limited = |limit: &str, neighbor| {
        format!("global_defs {{\n    cpu_dma_latency {limit}\n}}\n{}", fast(neighbor))
    };
    let mut first = Software::Hadp.start_with(n1, &limited("0", "10.77.0.2"))?;
    let second = Software::Hadp.start_with(n2, &limited("none", "10.77.0.1"))?;
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
    let _daemons = followed(&lan, "fast_failover")?;
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
    let [first, _second] = followed(&lan, "fast_failover\n    nopreempt")?;
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
    let [mut first, _second] = followed(&lan, "fast_failover\n    nopreempt")?;
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
    // Between the advert and the addresses nothing may stand still for as long as the client takes for a probe.
    unspoilt(Duration::from_millis(1), hands_over_until_what_it_tracks_is_up_again)
}

fn hands_over_until_what_it_tracks_is_up_again(span: &Span) -> Result<()> {
    let lan = Lan::new(2)?;
    let (n1, n2) = lan.pair()?;
    let track = "track_bfd {\n        PEER\n    }";
    let mut first = Software::Hadp.start_with(n1, &router_and_session(2, 150, track))?;
    let _second = Software::Hadp.start_with(n2, &router_and_session(1, 100, ""))?;
    wait_session(n1, 0, "Up")?;
    hasten(&lan, n1)?;
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
    if let Some(outage) = &outage {
        let end = outage.until.unwrap_or_else(Instant::now);
        span.counts(outage.from - MARGIN, end + MARGIN);
    }
    ensure!(outage.is_none(), "{outage:?}: {}", first.log().text());
    Ok(())
}

#[test]
fn a_daemon_that_died_without_sessions_up_goes_on() -> Result<()> {
    let lan = Lan::new(2)?;
    let (n1, n2) = lan.pair()?;
    let mut first = Software::Hadp.start_with(n1, &router_and_session(2, 150, "fast_failover"))?;
    hasten(&lan, n1)?;
    wait_owner(&lan, n1, VIP, PATIENCE)?;
    let _second = Software::Hadp.start_with(n2, &Instance::new(100).to_string())?;
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
    let _daemons = followed(&lan, "fast_failover")?;
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

/// The Active router's BFD packets alone get lost, and it answers no lower priority by an advert: it would go on for up to
/// an advert interval beside its successor.
#[test]
fn an_active_router_that_is_heard_no_more_steps_down() -> Result<()> {
    let lan = Lan::new(3)?;
    let [n1, n2, n3] = lan.nodes() else { unreachable!() };
    let [first, second] = followed(&lan, "fast_failover\n    lower_prio_no_advert")?;
    let prober = ArpProber::start(lan.client(), VIP, Duration::from_micros(500))?;
    thread::sleep(SECOND / 4);
    let start = Instant::now();
    n1.misdirect_udp(3784, n3)?;
    answered_after(&prober, n2, start)?;
    wait_state(n1, "Backup", "")?;
    thread::sleep(SECOND);
    let answers = prober.answers();
    let by = |node: &Node| {
        answers.iter().filter(|answer| answer.mac == mac(node)).map(|answer| answer.at).collect::<Vec<_>>()
    };
    let (last, next) = (by(n1).pop().context("no answer")?, by(n2)[0]);
    let overlap = last.saturating_duration_since(next);
    println!("both answered for {overlap:?}");
    let logs = || format!("{}\n{}", first.log().text(), second.log().text());
    ensure!(overlap < Duration::from_millis(20), "both answered for {overlap:?}: {}", logs());
    // Its adverts arrive, and it outranks its successor: it preempts, with the session down, and there it ends.
    let back = Instant::now();
    wait_owner(&lan, n1, VIP, PATIENCE)?;
    thread::sleep(4 * SECOND);
    let owners = owners_since(&prober, back);
    ensure!(owners.last() == Some(&mac(n1)) && owners.len() <= 2, "{owners:?}: {}", logs());
    Ok(())
}

#[test]
fn without_bfd_on_the_other_side_adverts_decide() -> Result<()> {
    let lan = Lan::new(2)?;
    let (n1, n2) = lan.pair()?;
    let quick = |text: String| text.replace("advert_int 1", "advert_int 0.1");
    let mut first = Software::Hadp.start_with(n1, &quick(Instance::new(150).to_string()))?;
    let follows = quick(router_and_session(1, 100, "fast_failover"));
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
fn the_weight_of_a_session_and_of_an_interface() -> Result<()> {
    let lan = Lan::new(2)?;
    let (n1, n2) = lan.pair()?;
    n1.run(["ip", "link", "add", "up7", "type", "veth", "peer", "name", "up7-peer"])?;
    let track =
        "track_bfd {\n        PEER weight 30\n    }\n    track_interface {\n        up7 weight -20\n    }";
    let _first = Software::Hadp.start_with(n1, &router_and_session(2, 100, track))?;
    hasten(&lan, n1)?;
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
    let mut second = Software::Hadp.start_with(n2, &router_and_session(1, 110, ""))?;
    priority(130)?;
    wait_owner(&lan, n1, VIP, PATIENCE)?;
    wait_state(n2, "Backup", "")?;
    second.stop()?;
    priority(100)?;
    assert_eq!(state(n1)?.0, "Active");
    Ok(())
}
