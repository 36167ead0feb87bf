//! One failover, measured.

use std::{
    fmt::{self, Display},
    thread,
    time::{Duration, Instant},
};

use anyhow::Result;
use hadp::shell::clock;

use super::{
    load::Load,
    setting::{Setting, VIP},
};
use crate::{
    client::{ArpProber, Capture, Claims, Mac, Prober},
    lab::{Lan, Node, Pair, Software, hadp_binary, hadp_status, wait_until},
};

/// How often the client asks by ARP who has the address, through the whole failover.
const ASKING: Duration = Duration::from_millis(1);
/// How long the sessions may take to be up and followed.
const ARMED: Duration = Duration::from_secs(12);
/// What is added to an expected time so that the outage is over for certain, and the daemon has done all it does.
const MARGIN: Duration = Duration::from_millis(500);

/// What happens to the Active node.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Fault {
    /// Its port on the switch stops forwarding; it notices nothing.
    Silent,
    /// Its daemon is killed (SIGKILL) with all its processes; its kernel goes on.
    Kill,
    /// Its daemon proper is killed; what watches it does what it is told to.
    KillDaemon,
    /// Its daemon is stopped (SIGSTOP) with all its processes.
    Stop,
    /// Its interface goes down.
    LinkDown,
    /// Its daemon is asked to end (SIGTERM).
    Term,
    /// It is told to hand over: `hadp failover`.
    Failover,
    /// It comes back, and takes over from the other one: measured from its start.
    Preempt,
}

impl Fault {
    pub(super) const ALL: [Self; 8] = [
        Self::Silent,
        Self::Kill,
        Self::KillDaemon,
        Self::Stop,
        Self::LinkDown,
        Self::Term,
        Self::Failover,
        Self::Preempt,
    ];

    /// Tells whether a program has what this needs.
    pub(super) fn applies(self, software: Software) -> bool {
        match self {
            Self::KillDaemon | Self::Failover => software == Software::Hadp,
            Self::Silent | Self::Kill | Self::Stop | Self::LinkDown | Self::Term | Self::Preempt => true,
        }
    }
}

impl Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Silent => "silent death",
            Self::Kill => "kill -9, all of it",
            Self::KillDaemon => "kill -9, the daemon",
            Self::Stop => "SIGSTOP",
            Self::LinkDown => "link down",
            Self::Term => "SIGTERM",
            Self::Failover => "hadp failover",
            Self::Preempt => "preemption",
        })
    }
}

/// What one failover did to the client, and how the successor went about it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sample {
    /// The longest time without answers; zero if every probe was answered.
    pub(super) outage: Duration,
    /// How many probes were lost.
    pub(super) lost: usize,
    /// Whether the address was served at the end.
    pub(super) recovered: bool,
    /// For how long both machines answered ARP requests: from the first answer of the one to the last of the other.
    pub(super) both: Duration,
    /// How many machines answered at the end.
    pub(super) answering: usize,
    /// From the fault to the successor's decision; and from there on, hadp's successor only.
    pub(super) decided: Option<Duration>,
    pub(super) stored: Option<Duration>,
    pub(super) advertised: Option<Duration>,
    pub(super) answered: Option<Duration>,
    pub(super) first_garp: Option<Duration>,
    pub(super) last_garp: Option<Duration>,
}

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
}

/// Makes a LAN with two nodes, lets the fault happen to the Active one and measures.
///
/// # Errors
///
/// When the nodes do not elect one in the first place.
pub(super) fn measure(course: Course<'_>) -> Result<Sample> {
    measure_asking(course, ASKING)
}

/// Measures while the client asks by ARP this often.
///
/// # Errors
///
/// As [`measure`].
pub(super) fn measure_asking(course: Course<'_>, asking: Duration) -> Result<Sample> {
    let Course { software, setting, fault, phase, loaded } = course;
    let lan = Lan::new(2)?;
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
        wait_until("sessions that are up, and followed", ARMED, || Ok(is_armed(n1)? && is_armed(n2)?))?;
    }
    capture.wait_next(2 * setting.interval + MARGIN)?;
    thread::sleep(setting.interval.mul_f64(phase));

    let at = Instant::now();
    let at_ns = clock::now();
    befall(fault, &mut pair, n1, &files)?;
    let wait = if fault == Fault::Preempt { 8 } else { 4 };
    thread::sleep(wait * setting.interval + MARGIN);
    let asked = Instant::now();
    thread::sleep(Duration::from_millis(100));
    let answering = asker.answering_since(asked).len();
    let (successor, old) = if fault == Fault::Preempt { (n1, n2) } else { (n2, n1) };
    let (new_mac, old_mac) = (Mac(successor.mac()), Mac(old.mac()));
    let answers = asker.answers();
    let first_new = answers.iter().find(|answer| answer.at > at && answer.mac == new_mac);
    let last_old = answers.iter().rev().find(|answer| answer.mac == old_mac);
    let both = match (first_new, last_old) {
        (Some(new), Some(old)) => old.at.saturating_duration_since(new.at),
        _ => Duration::ZERO,
    };
    let report = prober.stop();
    let outage = report.outage(at);
    let mut sample = Sample {
        outage: outage.as_ref().map_or(Duration::ZERO, |outage| outage.duration),
        lost: report.lost_since(at),
        recovered: outage.is_none_or(|outage| outage.until.is_some()),
        both,
        answering,
        ..Sample::default()
    };
    if software == Software::Hadp {
        course_of(&mut sample, successor, at_ns.as_nanos())?;
    }
    if let Some(decided) = sample.decided {
        let since = |then: Instant| then.saturating_duration_since(at).checked_sub(decided);
        sample.answered = first_new.and_then(|answer| since(answer.at));
        let garps = claims.since(at, new_mac);
        sample.first_garp = garps.first().and_then(|garp| since(garp.at));
        // The first of each address: repetitions are not waited for.
        let mut seen = std::collections::BTreeSet::new();
        let last = garps.iter().filter(|garp| seen.insert(garp.addr)).last();
        sample.last_garp = last.filter(|_| seen.len() >= setting.addresses()).and_then(|garp| since(garp.at));
    }
    Ok(sample)
}

/// Tells whether a node's sessions are up and have not fallen so often that nobody follows them: where the machine does
/// not run for longer than the detection time, that happens without a fault.
fn is_armed(node: &Node) -> Result<bool> {
    let status = hadp_status(node)?;
    let sessions = status.get("bfd").and_then(serde_json::Value::as_array).cloned().unwrap_or_default();
    let armed = |session: &serde_json::Value| {
        session.get("state").is_some_and(|state| state == "Up")
            && session.get("damped").is_some_and(|damped| damped == false)
    };
    Ok(!sessions.is_empty() && sessions.iter().all(armed))
}

/// Lets the fault happen.
fn befall(fault: Fault, pair: &mut Pair, n1: &Node, files: &[std::path::PathBuf; 2]) -> Result<()> {
    match fault {
        Fault::Silent => n1.cut(),
        Fault::Kill => pair.first.crash(),
        Fault::KillDaemon => pair.first.crash_daemon(),
        Fault::Stop => pair.first.freeze_all(),
        Fault::LinkDown => n1.link_down(),
        Fault::Term => pair.first.terminate(),
        Fault::Failover => {
            let hadp = hadp_binary()?;
            n1.run([&hadp.to_string_lossy(), "failover", "VI_0"]).map(drop)
        }
        Fault::Preempt => {
            let [first, _] = files;
            pair.first = pair.first.software().start(n1, first)?;
            Ok(())
        }
    }
}

/// Reads from the successor's status how it took over.
fn course_of(sample: &mut Sample, successor: &Node, at_ns: u64) -> Result<()> {
    let status = hadp_status(successor)?;
    let takeover = status.pointer("/routers/0/takeover").cloned().unwrap_or_default();
    let number = |name: &str| takeover.get(name).and_then(serde_json::Value::as_u64);
    let Some(decided) = number("decided_ns") else { return Ok(()) };
    sample.decided = decided.checked_sub(at_ns).map(Duration::from_nanos);
    sample.stored = number("stored_after_ns").map(Duration::from_nanos);
    sample.advertised = number("advertised_after_ns").map(Duration::from_nanos);
    Ok(())
}
