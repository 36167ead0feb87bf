//! Make before break: a planned handover loses no packet.

#![expect(clippy::disallowed_methods, reason = "real daemons take real time")]

use std::{
    process::Output,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use hadp_tests::{
    checks::{wait_owner, wait_state},
    conf::{Instance, VIP},
    handover::{Handover, Reason},
    lab::{Lan, Node, Software, hadp_binary},
    unspoilt::{AT_TEN_MILLISECONDS, unspoilt},
};

/// How often each is done, at as many moments between two adverts.
const RUNS: u32 = 3;

/// Has it done; `cargo xtask bench handover` does each run once, and counts.
fn loses_nothing(reason: Reason, successor: Software, centis: u16) -> Result<()> {
    let handover = Handover { reason, successor, centis };
    (0..RUNS).try_for_each(|run| {
        let phase = (f64::from(run) + 0.5) / f64::from(RUNS);
        unspoilt(AT_TEN_MILLISECONDS, |span| {
            let course = handover.run(phase)?;
            span.counts(course.start, Instant::now());
            ensure!(course.lost.is_empty() && course.probes > 200, "{course}");
            Ok(())
        })
        .with_context(|| format!("{handover}, run {run}"))
    })
}

#[test]
fn term_to_hadp() -> Result<()> {
    loses_nothing(Reason::Term, Software::Hadp, 1)?;
    loses_nothing(Reason::Term, Software::Hadp, 100)
}

#[test]
fn term_to_keepalived() -> Result<()> {
    loses_nothing(Reason::Term, Software::Keepalived, 1)?;
    loses_nothing(Reason::Term, Software::Keepalived, 100)
}

#[test]
fn failover_to_hadp() -> Result<()> {
    loses_nothing(Reason::Failover, Software::Hadp, 1)?;
    loses_nothing(Reason::Failover, Software::Hadp, 100)
}

#[test]
fn failover_to_keepalived() -> Result<()> {
    loses_nothing(Reason::Failover, Software::Keepalived, 1)?;
    loses_nothing(Reason::Failover, Software::Keepalived, 100)
}

#[test]
fn preemption_by_hadp() -> Result<()> {
    loses_nothing(Reason::Preemption, Software::Hadp, 1)?;
    loses_nothing(Reason::Preemption, Software::Hadp, 100)
}

#[test]
fn preemption_by_keepalived() -> Result<()> {
    loses_nothing(Reason::Preemption, Software::Keepalived, 1)?;
    loses_nothing(Reason::Preemption, Software::Keepalived, 100)
}

#[test]
fn tracking_to_hadp() -> Result<()> {
    loses_nothing(Reason::Tracking, Software::Hadp, 1)?;
    loses_nothing(Reason::Tracking, Software::Hadp, 100)
}

#[test]
fn tracking_to_keepalived() -> Result<()> {
    loses_nothing(Reason::Tracking, Software::Keepalived, 1)?;
    loses_nothing(Reason::Tracking, Software::Keepalived, 100)
}

fn conf(priority: u8) -> String {
    Instance::new(priority).every(0.05).to_string()
}

fn failover(node: &Node, instance: &str) -> Result<(Option<i32>, String)> {
    let Output { status, stdout, stderr } =
        node.command(&hadp_binary()?.to_string_lossy())?.args(["failover", instance]).output()?;
    Ok((status.code(), String::from_utf8_lossy(&stdout).into_owned() + &String::from_utf8_lossy(&stderr)))
}

/// The one try is over before the successor runs again, and what it heard of that was an advert last.
#[test]
fn a_successor_that_stood_still_is_asked_once_more() -> Result<()> {
    const EVERY: Duration = Duration::from_millis(200);
    let conf = |priority| Instance::new(priority).every(EVERY.as_secs_f64()).to_string();
    let lan = Lan::new(2)?;
    let (n1, n2) = lan.pair()?;
    let _first = Software::Hadp.start_with(n1, &conf(150))?;
    wait_owner(&lan, n1, VIP, Duration::from_secs(5))?;
    let second = Software::Hadp.start_with(n2, &conf(100))?;
    wait_state(n2, "Backup", "")?;
    second.freeze()?;
    let (code, said) = thread::scope(|scope| {
        let said = scope.spawn(|| failover(n1, "VI_1"));
        thread::sleep(EVERY * 3 / 2);
        second.thaw()?;
        said.join().expect("it does not panic")
    })?;
    ensure!(code == Some(0) && said.contains("handed over to 10.77.0.2"), "{code:?}: {said}");
    wait_owner(&lan, n2, VIP, Duration::from_secs(1)).map(drop)
}

#[test]
fn a_failover_tells_what_came_of_it() -> Result<()> {
    let lan = Lan::new(2)?;
    let (n1, n2) = lan.pair()?;
    let first = Software::Hadp.start_with(n1, &conf(150))?;
    wait_owner(&lan, n1, VIP, Duration::from_secs(5))?;
    // Nobody is there to take over.
    let asked = Instant::now();
    let (code, said) = failover(n1, "VI_1")?;
    ensure!(code == Some(1) && said.contains("nobody took over"), "{code:?}: {said}");
    ensure!(asked.elapsed() < Duration::from_secs(2), "{:?}", asked.elapsed());
    wait_state(n1, "Active", "")?;
    wait_owner(&lan, n1, VIP, Duration::from_secs(1)).with_context(|| first.log().text())?;

    let (code, said) = failover(n1, "VI_7")?;
    ensure!(code == Some(2) && said.contains("there are: VI_1"), "{code:?}: {said}");

    let _second = Software::Hadp.start_with(n2, &conf(100))?;
    wait_state(n2, "Backup", "")?;
    thread::sleep(Duration::from_millis(200));
    let (code, said) = failover(n2, "VI_1")?;
    ensure!(code == Some(3) && said.contains("Active is 10.77.0.1 (priority 150)"), "{code:?}: {said}");

    let (code, said) = failover(n1, "VI_1")?;
    ensure!(code == Some(0) && said.contains("VI_1: handed over to 10.77.0.2 in "), "{code:?}: {said}");
    wait_owner(&lan, n2, VIP, Duration::from_secs(1))?;
    // The higher priority does not take it back while the successor lives.
    thread::sleep(Duration::from_secs(1));
    wait_state(n1, "Backup", "")?;
    wait_state(n2, "Active", "")?;
    let (code, said) = failover(n2, "VI_1")?;
    ensure!(code == Some(0) && said.contains("handed over to 10.77.0.1"), "{code:?}: {said}");
    wait_state(n1, "Active", "")
}
