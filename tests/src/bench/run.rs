//! One failover, measured.

use std::{
    collections::BTreeSet,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use serde_json::Value;

use super::{
    fault::Fault,
    load::Load,
    sample::{Record, Sample},
    setting::{Setting, VIP},
};
use crate::{
    client::{ArpProber, Capture, Claims, Mac, Prober},
    lab::{Lan, Node, Pair, Software, hadp_status, wait_until},
    witness::{Witness, nanos},
};

/// How often the client asks by ARP who has the address, through the whole failover.
pub(super) const ASKING: Duration = Duration::from_millis(1);
/// The same where the old owner's line is cut, which cannot answer: every request takes time from both nodes.
const SELDOM: Duration = Duration::from_millis(10);
/// What it takes to prepare a fault.
const PREPARED: Duration = Duration::from_millis(20);
/// How late a line may be cut.
const LATE: Duration = Duration::from_micros(500);
/// How long the sessions may take to be up and followed.
const ARMED: Duration = Duration::from_secs(12);
/// What is added to an expected time so that the outage is over for certain, and the daemon has done all it does.
const MARGIN: Duration = Duration::from_millis(500);
/// For how long after its first advert a successor puts addresses on and announces them, round by round.
const ANNOUNCING: Duration = Duration::from_millis(100);

/// How a failover is brought about.
#[derive(Clone, Copy, Debug)]
pub(super) struct Course<'a> {
    pub(super) software: Software,
    pub(super) setting: &'a Setting,
    pub(super) fault: Fault,
    /// When between two adverts, from 0 to 1: an outage is the shorter the longer ago the last advert was, so only outages
    /// of the same phases compare.
    pub(super) phase: f64,
    /// Whether the machine has other work.
    pub(super) loaded: bool,
    /// Who watches the machine.
    pub(super) witness: &'a Witness,
}

/// Makes a LAN with two nodes, lets the fault happen to the Active one and measures.
///
/// # Errors
///
/// When the nodes do not elect one in the first place, or it is no longer the owner when the fault comes: then there is no
/// failover to measure.
pub(super) fn measure(course: Course<'_>) -> Result<Sample> {
    measure_asking(course, if course.fault.cuts() { SELDOM } else { ASKING })
}

/// Measures while the client asks by ARP this often.
///
/// # Errors
///
/// As [`measure`].
pub(super) fn measure_asking(course: Course<'_>, asking: Duration) -> Result<Sample> {
    let Course { software, setting, fault, phase, loaded, witness } = course;
    let lan = Lan::new(2)?;
    if setting.vips > 1 {
        lan.set_switch_apart()?;
    }
    let (n1, n2) = lan.pair()?;
    let files = [
        n1.write("daemon.conf", &setting.conf(0, software))?,
        n2.write("daemon.conf", &setting.conf(1, software))?,
    ];
    let mut pair = Pair::start(&lan, software, files.each_ref().map(|file| file.as_path()))?;
    pair.wait_elected(&lan, VIP)?;
    if fault == Fault::Preempt {
        pair.first.stop()?;
    }
    let prober = Prober::start(lan.client(), VIP, setting.probe)?;
    prober.wait_served(Duration::from_secs(15))?;
    let claims = Claims::start(lan.client())?;
    let capture = Capture::start(lan.client())?;
    let _load = if loaded { Some(Load::start(&lan)?) } else { None };
    let asker = ArpProber::start(lan.client(), VIP, asking)?;
    // The Backup must have heard adverts.
    thread::sleep(setting.interval + Duration::from_millis(200));
    if setting.bfd_us.is_some() && software == Software::Hadp {
        wait_armed([n1, n2])?;
    }
    let advert = capture.wait_next(2 * setting.interval + MARGIN)?;

    // As many intervals later as it takes to prepare the fault.
    let mut at = advert.at + setting.interval.mul_f64(phase);
    while at < Instant::now() + PREPARED {
        at += setting.interval;
    }
    let [ordered, happened] = fault.befall(at, &mut pair, n1, &files)?;
    let late = ordered.saturating_duration_since(at);
    ensure!(!fault.cuts() || late < LATE, "the line was cut {late:?} late");
    let wait = if fault == Fault::Preempt { 8 } else { 4 };
    thread::sleep(wait * setting.interval + MARGIN);
    let asked = Instant::now();
    thread::sleep(Duration::from_millis(100));
    let answering = asker.answering_since(asked).len();
    let (successor, old) = if fault == Fault::Preempt { (n1, n2) } else { (n2, n1) };
    let (answers, report) = (asker.answers(), prober.stop());
    let record = Record {
        report: &report,
        answers: &answers,
        probing: setting.probe,
        old: Mac(old.mac()),
        new: Mac(successor.mac()),
        ordered,
        happened,
    };
    record.is_failover(fault)?;
    let mut sample = Sample { answering, ..record.sample(witness) };
    if software == Software::Hadp {
        course_of(&mut sample, successor, &record, &claims, setting.addresses())?;
        sample.advert_gap = longest_gap(&capture, ordered, Mac(successor.mac()));
    }
    Ok(sample)
}

/// Returns the longest time between two of the successor's adverts while it announces.
fn longest_gap(capture: &Capture, ordered: Instant, successor: Mac) -> Option<Duration> {
    let heard = capture.adverts();
    let adverts = heard.iter().filter(|advert| advert.from_mac == successor && advert.at > ordered);
    let times = adverts.map(|advert| advert.at);
    let end = times.clone().next()? + ANNOUNCING;
    let times = times.take_while(|at| *at <= end);
    times.clone().zip(times.skip(1)).map(|(before, after)| after - before).max()
}

/// Waits until the sessions of both nodes are up, and followed.
///
/// # Errors
///
/// When they are not for long.
pub(super) fn wait_armed([n1, n2]: [&Node; 2]) -> Result<()> {
    wait_until("sessions that are up, and followed", ARMED, || Ok(is_armed(n1)? && is_armed(n2)?)).map(drop)
}

/// Tells whether a node's sessions are up and have not fallen so often that nobody follows them: where the machine does
/// not run for longer than the detection time, that happens without a fault.
fn is_armed(node: &Node) -> Result<bool> {
    let status = hadp_status(node)?;
    let sessions = status.get("bfd").and_then(Value::as_array).cloned().unwrap_or_default();
    let armed = |session: &Value| {
        session.get("state").is_some_and(|state| state == "Up")
            && session.get("damped").is_some_and(|damped| damped == false)
    };
    Ok(!sessions.is_empty() && sessions.iter().all(armed))
}

/// Reads from the successor's status how it took over, and from what the client heard how that showed.
fn course_of(
    sample: &mut Sample,
    successor: &Node,
    record: &Record<'_>,
    claims: &Claims,
    addresses: usize,
) -> Result<()> {
    let status = hadp_status(successor)?;
    let number = |name: &str| status.pointer(&format!("/routers/0/takeover/{name}")).and_then(Value::as_u64);
    // An earlier takeover is none of this failover's.
    let Some(decided) = number("decided_ns").filter(|decided| *decided >= nanos(record.ordered)) else {
        return Ok(());
    };
    sample.decided = Some(Duration::from_nanos(decided.saturating_sub(nanos(record.fault()))));
    sample.stored = number("stored_after_ns").map(Duration::from_nanos);
    sample.advertised = number("advertised_after_ns").map(Duration::from_nanos);
    sample.placed = number("placed_after_ns").map(Duration::from_nanos);
    sample.announced = number("announced_after_ns").map(Duration::from_nanos);
    let since = |then: Instant| nanos(then).checked_sub(decided).map(Duration::from_nanos);
    sample.answered = record.first_answer().and_then(since);
    let garps = claims.since(record.ordered, record.new);
    sample.first_garp = garps.first().and_then(|garp| since(garp.at));
    // The first of each address: repetitions are not waited for.
    let mut seen = BTreeSet::new();
    let last = garps.iter().filter(|garp| seen.insert(garp.addr)).last();
    sample.last_garp = last.filter(|_| seen.len() >= addresses).and_then(|garp| since(garp.at));
    Ok(())
}
