//! Planned handovers as a client sees them: what was lost, and the course of each.

use std::{
    fmt::{self, Display, Write as _},
    net::Ipv4Addr,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};

use crate::{
    checks::{hasten, mac, wait_owner, wait_state},
    client::{Capture, Prober, Report, SeenAdvert},
    lab::{Daemon, KEEPALIVED_REALTIME, Lan, Node, Software, hadp_binary, wait_until},
};

/// The virtual address.
pub const VIP: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 100);
/// The interface that is tracked.
const TRACKED: &str = "lan1";
/// How often the client probes it.
const PROBE: Duration = Duration::from_micros(100);
/// How long nodes may take to elect one.
const ELECTION: Duration = Duration::from_secs(15);
/// How long probes go on after the successor has been heard: past drains, and all that the old owner does at its end.
const AFTERMATH: Duration = Duration::from_millis(250);

/// Why hadp, Active on `n1`, gives the address up.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Reason {
    /// It is asked to end (SIGTERM).
    Term,
    /// `hadp failover` is run.
    Failover,
    /// `n2` comes, with a higher priority.
    Preemption,
    /// An interface that it tracks goes down: its router is in FAULT, and its link to the peers is not.
    Tracking,
}

impl Reason {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Term, Self::Failover, Self::Preemption, Self::Tracking];
}

impl Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Term => "SIGTERM",
            Self::Failover => "hadp failover",
            Self::Preemption => "preemption",
            Self::Tracking => "tracked interface down",
        })
    }
}

/// What is handed over, and to whom.
#[derive(Clone, Copy, Debug)]
pub struct Handover {
    /// Why.
    pub reason: Reason,
    /// What runs on `n2`.
    pub successor: Software,
    /// The adverts' interval, in hundredths of a second.
    pub centis: u16,
}

impl Display for Handover {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} to {}, {:?}", self.reason, self.successor, self.interval())
    }
}

impl Handover {
    /// Returns the adverts' interval.
    pub fn interval(&self) -> Duration {
        Duration::from_millis(10) * u32::from(self.centis)
    }

    fn conf(&self, software: Software, priority: u8, tracked: &str) -> String {
        let seconds = f64::from(self.centis) / 100.0;
        let realtime = if software == Software::Keepalived { KEEPALIVED_REALTIME } else { "" };
        format!(
            "{realtime}vrrp_instance VI_1 {{
    state BACKUP
    interface eth0
    version 3
    virtual_router_id 55
    priority {priority}
    advert_int {seconds}
    virtual_ipaddress {{
        {VIP}/16 dev eth0
    }}
{tracked}}}
"
        )
    }

    /// Returns the configuration of `n1`, and makes what it tracks.
    fn owner_conf(&self, node: &Node) -> Result<String> {
        if self.reason != Reason::Tracking {
            return Ok(self.conf(Software::Hadp, 150, ""));
        }
        node.run(["ip", "link", "add", TRACKED, "type", "veth", "peer", "name", "far"])?;
        node.run(["ip", "link", "set", "far", "up"])?;
        node.run(["ip", "link", "set", TRACKED, "up"])?;
        let tracked = format!("    track_interface {{\n        {TRACKED}\n    }}\n");
        Ok(self.conf(Software::Hadp, 150, &tracked))
    }

    /// Carries it out once, at `phase` (0 to 1) between two adverts.
    ///
    /// # Errors
    ///
    /// When it does not take place.
    pub fn run(&self, phase: f64) -> Result<Course> {
        let lan = Lan::new(2)?;
        let (n1, n2) = lan.pair()?;
        let mut first = Software::Hadp.start_with(n1, &self.owner_conf(n1)?)?;
        let backup = match self.reason {
            Reason::Term | Reason::Failover | Reason::Tracking => Some(self.backup(n2)?),
            Reason::Preemption => None,
        };
        hasten(&lan, n1)?;
        wait_owner(&lan, n1, VIP, ELECTION)
            .with_context(|| format!("its log was:\n{}", first.log().text()))?;
        let prober = Prober::start(lan.client(), VIP, PROBE)?;
        prober.wait_served(ELECTION)?;
        let capture = Capture::start(lan.client())?;
        thread::sleep(Duration::from_millis(200));
        capture.wait_next(2 * self.interval() + AFTERMATH)?;
        thread::sleep(self.interval().mul_f64(phase));

        let start = Instant::now();
        let second = match (self.reason, backup) {
            (Reason::Term, Some(second)) => {
                first.terminate()?;
                second
            }
            (Reason::Failover, Some(second)) => {
                let said = n1.run([&hadp_binary()?.to_string_lossy(), "failover", "VI_1"])?;
                ensure!(said.contains("handed over to 10.77.0.2"), "{said}");
                second
            }
            (Reason::Tracking, Some(second)) => {
                n1.run(["ip", "link", "set", TRACKED, "down"])?;
                second
            }
            (_, _) => self.successor.start_with(n2, &self.conf(self.successor, 200, ""))?,
        };
        let succeeded = |advert: &SeenAdvert| advert.from == n2.address() && advert.priority > 0;
        wait_until("an advert of the successor", ELECTION, || Ok(capture.adverts().iter().any(succeeded)))
            .with_context(|| format!("the logs were:\n{}\n{}", first.log().text(), second.log().text()))?;
        thread::sleep(AFTERMATH);
        let report = prober.stop();
        let course = Course::new(start, &report, &capture.adverts(), [n1, n2]);
        ensure!(course.served_at_last, "{course}\n{}\n{}", first.log().text(), second.log().text());
        if self.reason == Reason::Term {
            first.process().wait(ELECTION)?;
        }
        if self.reason == Reason::Tracking {
            wait_state(n1, "Initialize", "")?;
        }
        Ok(course)
    }

    fn backup(&self, node: &Node) -> Result<Daemon> {
        let daemon = self.successor.start_with(node, &self.conf(self.successor, 100, ""))?;
        match self.successor {
            Software::Hadp => wait_state(node, "Backup", "")?,
            Software::Keepalived => drop(daemon.log().wait_for("BACKUP STATE", ELECTION)?),
        }
        Ok(daemon)
    }
}

/// What happened in a handover, each time since it began.
#[derive(Clone, Debug)]
pub struct Course {
    /// When it began.
    pub start: Instant,
    /// How many probes were sent.
    pub probes: usize,
    /// When the probes were sent that were lost.
    pub lost: Vec<Duration>,
    /// When the old owner resigned, if it did.
    pub resigned: Option<Duration>,
    /// When the successor was first heard.
    pub advert: Option<Duration>,
    /// When it first announced the address.
    pub claimed: Option<Duration>,
    /// When the last probe was answered by the old owner.
    pub left: Option<Duration>,
    /// When the first probe was sent that the successor answered.
    pub served: Option<Duration>,
    /// Whether the last probes were the successor's.
    pub served_at_last: bool,
}

impl Course {
    fn new(start: Instant, report: &Report, adverts: &[SeenAdvert], [from, to]: [&Node; 2]) -> Self {
        let since = |at: Instant| at.saturating_duration_since(start);
        let probes = || report.probes.iter().filter(|probe| probe.at >= start);
        let of = |node: &Node, resigns: bool| {
            let node = node.address();
            adverts
                .iter()
                .find(|seen| seen.at >= start && seen.from == node && (seen.priority == 0) == resigns)
                .map(|seen| since(seen.at))
        };
        let by = |node: &Node| {
            let node = mac(node);
            probes().filter(move |probe| probe.answered_by == Some(node)).map(|probe| since(probe.at))
        };
        Self {
            start,
            probes: probes().count(),
            lost: probes().filter(|probe| probe.answered_by.is_none()).map(|probe| since(probe.at)).collect(),
            resigned: of(from, true),
            advert: of(to, false),
            claimed: report
                .claims
                .iter()
                .find(|claim| claim.at >= start && claim.mac == mac(to))
                .map(|claim| since(claim.at)),
            left: by(from).next_back(),
            served: by(to).next(),
            served_at_last: probes().next_back().is_some_and(|last| last.answered_by == Some(mac(to))),
        }
    }

    /// Returns how long after its first advert the successor announced the address.
    pub fn announced_after(&self) -> Option<Duration> {
        Some(self.claimed?.saturating_sub(self.advert?))
    }
}

impl Display for Course {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = |time: Option<Duration>| time.map_or("-".to_owned(), |time| format!("{time:.2?}"));
        write!(f, "{} of {} probes lost", self.lost.len(), self.probes)?;
        let mut lost = String::new();
        for at in self.lost.iter().take(12) {
            write!(lost, " {at:.2?}")?;
        }
        write!(
            f,
            "{}{lost}; resigned {}, successor's advert {}, its GARP {}, last by the old {}, first by the new {}",
            if lost.is_empty() { "" } else { " at" },
            time(self.resigned),
            time(self.advert),
            time(self.claimed),
            time(self.left),
            time(self.served),
        )
    }
}
