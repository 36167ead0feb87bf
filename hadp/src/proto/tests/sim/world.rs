//! The virtual clock, the link and the nodes on it.

mod steps;

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap},
};

use super::{
    faults::{Fault, Plan},
    host::{Host, Owned, Process, SLOT},
    *,
};
use crate::proto::Slot;

#[derive(Clone, Copy, Debug)]
pub(super) enum Happening {
    /// The alarm of this number rings.
    Wake(u32),
    /// An advert arrives at the datapath.
    Arrival(Heard),
    /// The process reads of it.
    Event(Heard),
    Fault(Fault),
    Resume,
    LinkUp,
    Unmute,
    Restart,
    Respawn,
}

#[derive(Debug)]
pub(super) struct World {
    pub(super) now: Time,
    rng: u64,
    pub(super) hosts: Vec<Host>,
    queue: BinaryHeap<Reverse<(Time, u64)>>,
    happenings: BTreeMap<u64, (usize, Happening)>,
    sequence: u64,
    loss: u64,
    /// When the last advert from one node arrives at another.
    link: BTreeMap<(usize, usize), Time>,
    pub(super) quiet_at: Time,
    max_delay: Duration,
    pub(super) interval: Centis,
    preempt: Preempt,
    /// The longest Active_Down_Interval, and the longest handover.
    down: Duration,
    handover: Duration,
    trace: Vec<(Time, usize, Action)>,
    /// How many renewals the datapath refused.
    refusals: u64,
    /// False with `down_timer_adverts 1`: a lease can then end before a successor's Skew_Time.
    pub(super) leases_outlast_skew: bool,
}

impl World {
    pub(super) fn new(seed: u64, plan: Plan) -> Self {
        let mut world = Self {
            now: T0,
            rng: seed,
            hosts: Vec::new(),
            queue: BinaryHeap::new(),
            happenings: BTreeMap::new(),
            sequence: 0,
            loss: 0,
            link: BTreeMap::new(),
            quiet_at: T0,
            max_delay: ms(0),
            interval: Centis::SECOND,
            preempt: Preempt::Always,
            down: ms(0),
            handover: ms(0),
            trace: Vec::new(),
            refusals: 0,
            leases_outlast_skew: true,
        };
        world.loss = plan.loss.min(world.random(plan.loss + 1));
        let version = if world.random(4) == 0 { V2 } else { V3 };
        if version == V3 {
            world.interval = centis([1, 10, 100, 400][world.random(4) as usize]);
        }
        world.preempt = match world.random(4) {
            0 => Preempt::Never,
            1 => Preempt::After(world.interval.duration() * 4),
            _ => Preempt::Always,
        };
        let down_timer_adverts = [1, 3, 3, 5][world.random(4) as usize];
        let hosts = 2 + world.random(4) as u8;
        for host in 0..hosts {
            let own = if plan.distinct { 250 - host * 40 } else { 100 + 50 * world.random(3) as u8 };
            let config = Config {
                priority: priority(own),
                interval: world.interval,
                version,
                preempt: world.preempt,
                down_timer_adverts,
                ..config()
            };
            // A third of what 40 priorities differ in skew: what the link and late timers take together.
            let skew = |own| Config { priority: priority(own), ..config.clone() }.skew(world.interval);
            world.max_delay = (skew(100) - skew(140)) / 3;
            // Whatever its priority becomes.
            let slowest = Config { priority: priority(1), ..config.clone() };
            world.down = slowest.active_down_interval(world.interval) + world.max_delay * 2;
            world.handover = config.handover_span();
            world.hosts.push(Host::new(Router::new(config, T0)));
        }
        for host in 0..world.hosts.len() {
            world.start(host);
        }
        world.leases_outlast_skew = down_timer_adverts > 1;
        world.plan_faults(plan.faults);
        world
    }

    /// Runs to the last fault and until everything has settled.
    pub(super) fn run(&mut self) {
        while self.now < self.quiet_at && self.step(self.quiet_at) {}
        self.now = self.now.max(self.quiet_at);
        self.loss = 0;
        self.settle();
    }

    /// Runs as long as it may take to converge: a resignation, a wait to preempt, and two Active_Down_Intervals.
    pub(super) fn settle(&mut self) {
        let delay = match self.preempt {
            Preempt::After(delay) => delay,
            Preempt::Always | Preempt::Never => ms(0),
        };
        let end = self.now + delay + self.down * 2 + self.handover;
        while self.step(end) {}
        self.now = end;
    }

    /// Asserts that one running router is Active, the right one, and that nothing but adverts happens any more.
    pub(super) fn assert_converged(&mut self) {
        let leader = |world: &Self| -> Vec<usize> {
            let running = world.hosts.iter().enumerate().filter(|(_, host)| host.process == Process::Running);
            running.filter(|(_, host)| host.state() == "Active").map(|(index, _)| index).collect()
        };
        let (before, told) = (leader(self), self.trace.len());
        let running: Vec<&Host> = self.hosts.iter().filter(|host| host.process == Process::Running).collect();
        assert_eq!(before.len(), running.len().min(1), "{:?}", self.states());
        assert!(
            running.iter().all(|host| ["Active", "Backup"].contains(&host.state())),
            "{:?}",
            self.states()
        );
        if self.preempt == Preempt::Always && !running.iter().any(|host| host.router().deferring) {
            let best = running.iter().map(|host| host.priority()).max();
            let active = before.first().map(|index| self.hosts[*index].priority());
            assert_eq!(active, best, "{:?}", self.states());
        }
        let end = self.now + self.interval.duration() * 20;
        while self.step(end) {}
        self.now = end;
        assert_eq!(leader(self), before);
        let unrest = self.trace[told..].iter().find(|(.., action)| matches!(action, Action::Notify(_)));
        assert_eq!(unrest, None);
    }

    /// Returns every two spans of different nodes that overlap while both processes ran.
    pub(super) fn overlaps(&self) -> Vec<(Owned, Owned, Duration)> {
        let mut found = Vec::new();
        for (index, host) in self.hosts.iter().enumerate() {
            for other in &self.hosts[index + 1..] {
                for (one, two) in
                    host.owned.iter().flat_map(|one| other.owned.iter().map(move |two| (one, two)))
                {
                    let (start, end) = (one.start.max(two.start), one.end.min(two.end));
                    let span = start - self.max_delay..end;
                    if start < end && !host.stalled(&span) && !other.stalled(&span) {
                        found.push((*one, *two, end.since(start)));
                    }
                }
            }
        }
        found
    }

    /// Makes the Active router resign; returns who and when.
    pub(super) fn resign_leader(&mut self, event: Event) -> (usize, Time) {
        let leader = self.hosts.iter().position(|host| host.state() == "Active").unwrap();
        self.tell(leader, event);
        (leader, self.now)
    }

    /// Returns how much was ordered so far, and [what transitions were told](Self::notified) since then.
    pub(super) fn told(&self) -> usize {
        self.trace.len()
    }

    pub(super) fn notified(&self, since: usize) -> Vec<Action> {
        let told = self.trace[since..].iter().map(|(.., action)| action);
        told.filter(|action| matches!(action, Action::Notify(_))).cloned().collect()
    }

    pub(super) fn owned(&self, host: usize) -> &[Owned] {
        &self.hosts[host].owned
    }

    /// Returns until when a node served what was under way after it handed over, and how often renewals were refused.
    pub(super) fn drained(&self, host: usize) -> Time {
        self.hosts[host].drain
    }

    pub(super) fn refusals(&self) -> u64 {
        self.refusals
    }

    pub(super) fn first_takeover_after(&self, at: Time, except: usize) -> Option<Time> {
        let others = self.hosts.iter().enumerate().filter(|(index, _)| *index != except);
        others.flat_map(|(_, host)| &host.owned).map(|span| span.start).filter(|start| *start > at).min()
    }

    /// Returns the longest an advert takes from the decision to send it to the peer that hears it.
    pub(super) fn delay(&self) -> Duration {
        self.max_delay
    }

    pub(super) fn into_trace(self) -> Vec<(Time, usize, Action)> {
        self.trace
    }

    fn states(&self) -> Vec<(u8, Process, &'static str)> {
        self.hosts.iter().map(|host| (host.priority(), host.process, host.state())).collect()
    }

    pub(super) fn push(&mut self, at: Time, host: usize, happening: Happening) {
        self.sequence += 1;
        self.queue.push(Reverse((at, self.sequence)));
        self.happenings.insert(self.sequence, (host, happening));
    }

    /// Returns a number below `limit` (SplitMix64).
    pub(super) fn random(&mut self, limit: u64) -> u64 {
        self.rng = self.rng.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.rng;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit.max(1)
    }
}

/// Returns what tells that a process went on with another one's lease.
fn resumed() -> Action {
    notify("Active", "Active", Reason::Resumed)
}

pub(super) fn address(host: usize) -> IpAddr {
    ip(u8::try_from(host).unwrap() + 1)
}
