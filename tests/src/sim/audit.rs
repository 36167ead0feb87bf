//! What has to hold at every instant, and what has to have been done.

use std::{
    fmt::{self, Write as _},
    time::Duration,
};

use hadp::{
    model::Preempt,
    proto::{Config, DRAIN, Reason, State, bfd::SessionState},
    units::Time,
};

use super::{
    path,
    plan::{Plan, address},
    sessions::SessionChange,
    world::World,
};

/// A span in which a node answered for a router's addresses, in true time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    pub(super) start: Time,
    pub(super) end: Time,
    /// Why it took over, once that is known; `None` when it went on after a pause.
    pub(super) reason: Option<Reason>,
    /// Whether it went on behind a lapse of its guard, from then on.
    pub(super) reopened: bool,
}

/// What a run did.
#[derive(Clone, Copy, Debug, Default)]
pub struct Summary {
    /// Completed takeovers.
    pub takeovers: usize,
    /// Takeovers after which two nodes answered because no heartbeat got through.
    pub partitioned: usize,
    /// Takeovers during which two nodes answered while the new owner's advert was under way.
    pub under_way: usize,
    /// Leases that the datapath revoked by itself.
    pub revoked: usize,
    /// Daemons that went on with the lease of a dead one.
    pub resumed: usize,
    /// Planned handovers.
    pub handovers: usize,
    /// Takeovers that BFD ordered.
    pub bfd_takeovers: usize,
    /// Routers that stepped down because a neighbour had given them up.
    pub stepped_down: usize,
    /// Guards that lapsed.
    pub lapsed: usize,
    /// Lapses that routers outlived which had taken over from the dead.
    pub outlived: usize,
    /// Events lost because the ring buffer was full.
    pub lost_events: u64,
}

impl Summary {
    /// Adds another run's.
    pub fn add(&mut self, other: &Self) {
        self.takeovers += other.takeovers;
        self.partitioned += other.partitioned;
        self.under_way += other.under_way;
        self.revoked += other.revoked;
        self.resumed += other.resumed;
        self.handovers += other.handovers;
        self.bfd_takeovers += other.bfd_takeovers;
        self.stepped_down += other.stepped_down;
        self.lapsed += other.lapsed;
        self.outlived += other.outlived;
        self.lost_events += other.lost_events;
    }
}

/// Something that must not happen.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Violation {
    /// The run's seed.
    pub seed: u64,
    /// What was wrong.
    pub what: String,
    /// The whole run.
    pub history: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "seed {}: {}\n{}", self.seed, self.what, self.history)
    }
}

impl std::error::Error for Violation {}

impl World {
    /// Looks at the whole run.
    ///
    /// # Errors
    ///
    /// The first violation.
    pub fn audit(self) -> Result<Summary, Violation> {
        let mut summary = self.summary;
        summary.lost_events = self.hosts.iter().map(|host| host.datapath.lost_events).sum();
        if let Some(what) = self.broken.first() {
            return Err(self.violation(what.clone()));
        }
        for slot in 0..self.plan.routers.len() {
            self.one_owner_at_a_time(slot, &mut summary)?;
            self.converged(slot)?;
        }
        for (at, slot, host) in &self.handovers {
            self.no_gap(*at, *slot, *host)?;
        }
        Ok(summary)
    }

    fn violation(&self, what: String) -> Violation {
        Violation { seed: self.plan.seed, what, history: self.history() }
    }

    /// Tells the run: its configuration, its faults and every change of state.
    fn history(&self) -> String {
        let Plan { preempt, max_delay, loss, duplicates, on_daemon_death, distinct, bfd, .. } = &self.plan;
        let mut text = format!(
            "  {preempt:?}, delay up to {max_delay:?}, loss {loss} per mille, duplicates {duplicates} per mille, \
             {on_daemon_death:?}, distinct: {distinct}, {bfd:?}\n"
        );
        for (slot, hosts) in self.plan.routers.iter().enumerate() {
            let of =
                |config: &Config| (config.priority.get(), config.interval.get(), config.down_timer_adverts);
            let _ = writeln!(text, "  router {slot}: {:?}", hosts.iter().map(of).collect::<Vec<_>>());
        }
        let mut lines: Vec<(Time, String)> = Vec::new();
        for fault in &self.plan.faults {
            lines.push((fault.at, format!("host {}: {:?}", fault.host, fault.fault)));
            lines.push((fault.until, format!("host {}: {:?} has passed", fault.host, fault.fault)));
        }
        lines.extend(self.session_changes.iter().map(|change| {
            let SessionChange { at, host, neighbor, from, to, diag, .. } = change;
            (*at, format!("host {host}: session {neighbor}: {from:?} -> {to:?}: {diag:?}"))
        }));
        lines.extend(self.transitions.iter().map(|(at, host, what)| (*at, format!("host {host}: {what}"))));
        lines.sort();
        for (at, what) in lines {
            let _ = writeln!(text, "  {:12.6} ms  {what}", at.as_nanos() as f64 / 1e6);
        }
        text
    }

    /// No two nodes answer at the same time: except while the advert of a takeover from a living owner is under way, and
    /// while no heartbeat gets from one to the other.
    fn one_owner_at_a_time(&self, slot: usize, summary: &mut Summary) -> Result<(), Violation> {
        let Some(spans) = self.spans.get(slot) else { return Ok(()) };
        for (one, ones) in spans.iter().enumerate() {
            for (other, others) in spans.iter().enumerate().filter(|(other, _)| *other != one) {
                for (first, second) in ones.iter().flat_map(|a| others.iter().map(move |b| (a, b))) {
                    // Each pair once: `second` took over from `first`.
                    if (second.start, other) < (first.start, one) {
                        continue;
                    }
                    let end = first.end.min(second.end);
                    if second.start >= end {
                        continue;
                    }
                    let overlap = end.since(second.start);
                    match self.excuse(slot, (one, first), (other, second), overlap) {
                        Some(Excuse::UnderWay) => summary.under_way += 1,
                        Some(Excuse::Partitioned) => summary.partitioned += 1,
                        None => {
                            return Err(self.violation(format!(
                                "router {slot}: host {one} and host {other} both answer for {overlap:?} from {} ns: \
                                 {first:?} {second:?}",
                                second.start.as_nanos()
                            )));
                        }
                    }
                }
            }
        }
        Ok(())
    }

    fn outranks(&self, slot: usize, this: usize, that: usize) -> bool {
        let rank = |host: usize| {
            self.plan.routers.get(slot)?.get(host).map(|config| (config.priority, address(host)))
        };
        rank(this) > rank(that)
    }

    fn excuse(
        &self,
        slot: usize,
        (one, first): (usize, &Span),
        (other, second): (usize, &Span),
        overlap: Duration,
    ) -> Option<Excuse> {
        let patience = self.plan.longest_down() + self.plan.lateness() * 2;
        let since = second.start - patience - self.plan.max_delay;
        let until = first.end.min(second.end);
        let network = &self.network;
        if let Some(excuse) = self.bfd_excuse(slot, (one, first), (other, second), overlap) {
            return Some(excuse);
        }
        if network.took(one, other, since, until) || network.took(other, one, since, until) {
            // It lasts until a heartbeat gets through again: an interval, and its way.
            let taken = network.taken.iter().rev().find(|taken| {
                [(one, other), (other, one)].contains(&(taken.from, taken.to)) && taken.at <= until
            })?;
            let bound = taken.at.max(second.start) + self.plan.interval() * 3 + patience;
            return (until <= bound).then_some(Excuse::Partitioned);
        }
        let margin = self.plan.max_delay + self.plan.lateness();
        // The second's advert is answered.
        if second.reason == Some(Reason::Resigned)
            && overlap <= margin * 2
            && self.resigned_beside(slot, (one, first), other, since)
        {
            return Some(Excuse::Partitioned);
        }
        // Until the first one's advert arrives, the second cannot know. In runs whose ranks are far enough apart that takes
        // something that has upset the timers.
        let upset = || {
            // A daemon that was killed is back a while later, and waits from then on.
            let near = |at: Time| at >= since - patience && at <= second.start;
            let faults = self.plan.faults.iter().filter(|fault| [one, other].contains(&fault.host));
            faults.into_iter().any(|fault| near(fault.at) || near(fault.until))
        };
        let excused = match second.reason {
            Some(Reason::Preempted | Reason::Resigned | Reason::Owner) => true,
            // A late timer can stand for a preemption.
            Some(Reason::ActiveDown | Reason::BfdDown)
                if self.plan.preempt != Preempt::Never && self.outranks(slot, other, one) =>
            {
                true
            }
            // Each has found the silence by packets of its own, at a moment of its own.
            Some(Reason::BfdDown) => second.start.since(first.start) <= margin,
            Some(_) | None => {
                let apart = self.plan.distinct && !upset() && !self.reached_one(slot, (one, other), since);
                second.start.since(first.start) <= margin && !apart
            }
        };
        // Where a priority has just changed, or a router stepped down of two that were Active, the takeover's advert may be answered by one that ends it.
        let bound = if upset() || self.plan.bfd.is_some() { margin * 2 } else { margin };
        (excused && overlap <= bound).then_some(Excuse::UnderWay)
    }

    /// Tells whether a third node had taken over from the first one, which has not heard so, and has resigned: whoever followed
    /// it takes over from it, where the answer of the first one to its priority 0 came before that.
    fn resigned_beside(&self, slot: usize, (one, first): (usize, &Span), other: usize, since: Time) -> bool {
        let Some(spans) = self.spans.get(slot) else { return false };
        let thirds = spans.iter().enumerate().filter(|(third, _)| ![one, other].contains(third));
        thirds.flat_map(|(third, spans)| spans.iter().map(move |span| (third, span))).any(|(third, span)| {
            let beside = span.start > first.start && span.start < first.end && span.end >= since;
            beside && self.network.took(third, one, span.start, span.end)
        })
    }

    /// Tells whether the last adverts of a third node, Active until then, reached one of the two alone: their timers began at
    /// different ones, which are not always an interval apart. Or its first adverts, and it fell silent before [`DRAIN`] was
    /// over, when the timers of both run from the first that each has heard.
    fn reached_one(&self, slot: usize, (one, other): (usize, usize), since: Time) -> bool {
        let owned = |host: usize| {
            let spans = self.spans.get(slot).and_then(|spans| spans.get(host));
            spans.into_iter().flatten().any(|span| span.end >= since)
        };
        let lost = |from: usize, to: usize, at: Time| {
            self.network.taken.iter().any(|taken| (taken.from, taken.to, taken.at) == (from, to, at))
        };
        let first = |from: usize, at: Time| {
            let spans = self.spans.get(slot).and_then(|spans| spans.get(from));
            spans.into_iter().flatten().any(|span| {
                let begins = span.start <= at && at <= span.start + self.plan.interval() * 2;
                begins
                    && span.reason.is_some()
                    && span.end <= span.start + DRAIN
                    && span.start + DRAIN >= since
            })
        };
        self.network.taken.iter().any(|taken| {
            let reached = match taken.to {
                to if to == one => other,
                to if to == other => one,
                _ => return false,
            };
            let counts = taken.at >= since && owned(taken.from) || first(taken.from, taken.at);
            taken.from != reached && counts && !lost(taken.from, reached, taken.at)
        })
    }

    /// A handover that nothing disturbs leaves no moment without an owner.
    fn no_gap(&self, at: Time, slot: usize, host: usize) -> Result<(), Violation> {
        let patience = self.plan.longest_down() + self.plan.interval() * 2;
        let (since, until) = (at - patience * 2, at + patience + Duration::from_secs(1));
        let near = |time: Time| time >= since && time <= until && time != at;
        let disturbed = self.plan.faults.iter().any(|fault| near(fault.at) || near(fault.until))
            || self.plan.faults.iter().filter(|fault| fault.at == at && fault.host != host).count() > 0
            || self.network.taken.iter().any(|taken| taken.at >= since && taken.at <= until)
            || self.session_changes.iter().any(|change| change.at >= since && change.at <= until);
        let Some(spans) = self.spans.get(slot) else { return Ok(()) };
        let end = spans.get(host).and_then(|own| own.iter().find(|span| span.start <= at && span.end >= at));
        let (Some(own), false) = (end, disturbed || self.settled_at < until) else { return Ok(()) };
        // Nobody there to take over: it was Active again, or stopped.
        let others =
            spans.iter().enumerate().filter(|(other, _)| *other != host).flat_map(|(_, spans)| spans);
        let next = others.filter(|span| span.end > own.end).map(|span| span.start).min();
        match next {
            Some(next) if next > own.end && next < until => Err(self.violation(format!(
                "router {slot}: host {host} handed over at {} ns, and nobody owned it for {:?}",
                at.as_nanos(),
                next.since(own.end)
            ))),
            Some(_) | None => Ok(()),
        }
    }

    /// In the end one node owns the router, if there is one that can; and it is the right one.
    fn converged(&self, slot: usize) -> Result<(), Violation> {
        let able: Vec<usize> = (0..self.hosts.len())
            .filter(|host| self.hosts.get(*host).is_some_and(|host| host.runs() && host.link && host.wanted))
            .collect();
        let active: Vec<usize> = able
            .iter()
            .copied()
            .filter(|host| {
                let router = self.hosts.get(*host).and_then(|host| host.router(slot));
                router.is_some_and(|router| matches!(router.state(), State::Active { .. }))
            })
            .collect();
        let states = || self.hosts.iter().map(|host| host.state(slot)).collect::<Vec<_>>();
        if active.len() != able.len().min(1) {
            return Err(
                self.violation(format!("router {slot}: in the end {active:?} are Active: {:?}", states()))
            );
        }
        let rank = |host: usize| {
            let config = self.plan.routers.get(slot).and_then(|hosts| hosts.get(host));
            (config.map(|config| config.priority), address(host))
        };
        let best = able.iter().copied().max_by_key(|host| rank(*host));
        let leader = active.first().copied();
        let equal = best.map(|host| rank(host).0) == leader.map(|host| rank(host).0);
        if self.plan.preempt == Preempt::Always && !equal && !self.resigned {
            return Err(self.violation(format!(
                "router {slot}: in the end host {leader:?} is Active, not {best:?}: {:?}",
                states()
            )));
        }
        for (index, host) in self.hosts.iter().enumerate().filter(|(_, host)| host.runs()) {
            let now = host.clock.shows(self.now);
            let owns = host.datapath.owns(slot, now);
            let drains = host.datapath.slots.get(slot).is_some_and(|entry| entry.drain > now);
            let held = host.vips.get(slot).copied().unwrap_or_default();
            if host.wanted && (owns != held || owns != (host.state(slot) == "Active")) {
                return Err(self.violation(format!(
                    "router {slot}: host {index} is {}, answers: {owns}, has the addresses: {held}",
                    host.state(slot)
                )));
            }
            if drains {
                return Err(self.violation(format!("router {slot}: host {index} drains for ever")));
            }
        }
        for host in self.hosts.iter().filter(|host| host.runs() && host.link) {
            let sessions = host.daemon.iter().flat_map(|daemon| daemon.watch.sessions.iter());
            for (id, session) in sessions {
                let other = self.hosts.get(path::neighbor(id)).is_some_and(|host| host.runs() && host.link);
                if other && session.state() != SessionState::Up {
                    return Err(self.violation(format!(
                        "in the end the session of host {} with host {} is {:?}",
                        host.index,
                        path::neighbor(id),
                        session.state()
                    )));
                }
            }
        }
        let unrest = self.transitions.iter().find(|(at, ..)| *at > self.settled_at);
        match unrest {
            Some((at, host, what)) => {
                Err(self.violation(format!("unrest at {} ns on host {host}: {what}", at.as_nanos())))
            }
            None => Ok(()),
        }
    }
}

/// Why two nodes may both answer for a moment.
#[derive(Clone, Copy, Debug)]
pub(super) enum Excuse {
    UnderWay,
    Partitioned,
}
