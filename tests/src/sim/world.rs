//! The virtual clock, and what happens on it.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap},
    time::Duration,
};

use hadp::{
    model::OnDaemonDeath,
    proto::{AddressList, Heard},
    units::Time,
};
use hadp_common::wire::bfd::Control;

use super::{
    audit::{Span, Summary},
    faults::Planned,
    host::{Host, Power},
    mutation::Mutation,
    network::Network,
    plan::{Plan, address},
    rng::Rng,
    sessions::SessionChange,
};

/// Something that happens at a point of true time.
#[derive(Clone, Copy, Debug)]
pub(super) enum Happening {
    /// A host's alarm of this number rings.
    Wake(u32),
    /// An advert arrives.
    Arrival { slot: usize, from: usize, priority: u8 },
    /// A fault comes.
    Fault(usize),
    /// A fault passes.
    Passed(usize),
    /// The companion of this life keeps a lease alive.
    Caretake { slot: usize, life: u32 },
    /// A daemon is started again by the companion of this life.
    Respawn { life: u32 },
    /// An alarm of a host's heartbeat rings.
    Beat(u32),
    /// A BFD packet arrives.
    Bfd { from: usize, control: Control },
}

/// For how long a guard that was put in force again counts as part of the takeover before it.
const REARM: Duration = Duration::from_micros(50);

/// A run.
#[derive(Debug)]
pub struct World {
    pub(super) plan: Plan,
    pub(super) mutation: Option<Mutation>,
    /// The true time.
    pub(super) now: Time,
    pub(super) rng: Rng,
    pub(super) hosts: Vec<Host>,
    pub(super) network: Network,
    queue: BinaryHeap<Reverse<(Time, u64)>>,
    happenings: BTreeMap<u64, (usize, Happening)>,
    sequence: u64,
    /// For each router and host: when it answered.
    pub(super) spans: Vec<Vec<Vec<Span>>>,
    /// Takeovers whose guard was not in force, by host and slot: why, and when it first was.
    pub(super) taking_over: BTreeMap<(usize, usize), (hadp::proto::Reason, Option<Time>)>,
    /// Whether a router is told that its lease is gone: what it announces meanwhile is hushed behind that.
    pub(super) hushed: bool,
    /// What was found wrong on the way.
    pub(super) broken: Vec<String>,
    pub(super) transitions: Vec<(Time, usize, String)>,
    /// Changes of sessions, for the history.
    pub(super) session_changes: Vec<SessionChange>,
    /// When which router was resigned by whom.
    pub(super) handovers: Vec<(Time, usize, usize)>,
    /// From when on nothing may change any more.
    pub(super) settled_at: Time,
    /// Whether somebody was told to resign: who is Active then is not only a matter of rank.
    pub(super) resigned: bool,
    pub(super) summary: Summary,
}

impl World {
    /// Builds the cluster, with every daemon started.
    pub fn new(plan: Plan, mutation: Option<Mutation>) -> Self {
        let hosts = (0..plan.hosts())
            .zip(&plan.clocks)
            .map(|(index, clock)| {
                let configs = plan.routers.iter().filter_map(|hosts| hosts.get(index).cloned()).collect();
                Host::new(index, *clock, configs)
            })
            .collect::<Vec<_>>();
        let mut world = Self {
            mutation,
            now: Time::ZERO,
            rng: plan.rng.clone(),
            network: Network::new(plan.max_delay, plan.loss, plan.duplicates),
            queue: BinaryHeap::new(),
            happenings: BTreeMap::new(),
            sequence: 0,
            spans: vec![vec![Vec::new(); hosts.len()]; plan.routers.len()],
            taking_over: BTreeMap::new(),
            hushed: false,
            broken: Vec::new(),
            transitions: Vec::new(),
            session_changes: Vec::new(),
            handovers: Vec::new(),
            settled_at: Time::from_nanos(u64::MAX),
            resigned: false,
            summary: Summary::default(),
            hosts,
            plan,
        };
        for host in 0..world.hosts.len() {
            world.spawn(host);
        }
        for (index, fault) in world.plan.faults.clone().into_iter().enumerate() {
            world.push(fault.at, fault.host, Happening::Fault(index));
            world.push(fault.until, fault.host, Happening::Passed(index));
        }
        world
    }

    /// Runs to the last fault, until everything has settled, and a while longer.
    pub fn run(&mut self) {
        self.run_until(self.plan.quiet_at);
        self.network.loss = 0;
        // A resignation, a wait to preempt, and two Active_Down_Intervals; a drain.
        let interval = self.plan.interval();
        let settle = interval * 8 + self.plan.longest_down() * 3 + Duration::from_secs(2);
        self.settled_at = self.now + settle;
        self.run_until(self.settled_at + interval * 20);
    }

    fn run_until(&mut self, end: Time) {
        while let Some(Reverse((at, sequence))) =
            self.queue.peek().copied().filter(|Reverse((at, _))| *at <= end)
        {
            self.queue.pop();
            self.now = at;
            if let Some((host, happening)) = self.happenings.remove(&sequence) {
                self.happen(host, happening);
            }
        }
        self.now = end;
    }

    fn happen(&mut self, host: usize, happening: Happening) {
        match happening {
            Happening::Wake(alarm) => self.alarm(host, alarm),
            Happening::Arrival { slot, from, priority } => self.arrive(host, slot, from, priority),
            Happening::Fault(index) => self.befall(index),
            Happening::Passed(index) => self.pass(index),
            Happening::Beat(alarm) => self.beat(host, alarm),
            Happening::Bfd { from, control } => self.arrive_bfd(host, from, control),
            Happening::Caretake { slot, life } => self.caretake(host, slot, life),
            Happening::Respawn { life } => {
                if self.hosts.get(host).is_some_and(|host| host.life == life && host.power != Power::Off) {
                    self.spawn(host);
                }
            }
        }
    }

    /// An advert arrives at a machine, which hears it unless it stands still.
    fn arrive(&mut self, host: usize, slot: usize, from: usize, priority: u8) {
        let interval =
            self.plan.routers.get(slot).and_then(|hosts| hosts.get(from)).map(|config| config.interval);
        let (Some(this), Some(interval)) = (self.hosts.get_mut(host), interval) else { return };
        let at = this.clock.shows(self.now);
        let heard = Heard { at, from: address(from), priority, interval, addresses: AddressList::Same };
        if !this.link {
            return;
        }
        match this.power {
            Power::Off => {}
            Power::Frozen => this.backlog.push((slot, heard)),
            Power::On => self.hear(host, slot, heard),
        }
    }

    /// The datapath hears an advert.
    pub(super) fn hear(&mut self, host: usize, slot: usize, heard: Heard) {
        let mutation = self.mutation;
        let Some(this) = self.hosts.get_mut(host) else { return };
        let now = this.clock.shows(self.now);
        let own = this.configs.get(slot).map_or(0, |config| config.priority.get());
        let unheard = match mutation {
            Some(Mutation::HigherRankUnheard) => (heard.priority, heard.from) > (own, address(host)),
            Some(Mutation::ResignationUnheard) => heard.priority == 0,
            _ => false,
        };
        if unheard {
            return;
        }
        let outcome = this.datapath.hear(now, slot, heard, mutation);
        if outcome.revoked {
            self.summary.revoked += 1;
            self.note(host, slot, None);
        }
        if outcome.event {
            self.read_events(host);
        }
    }

    /// Sends an advert to every other host; false if it did not leave.
    pub(super) fn send(&mut self, host: usize, slot: usize, priority: u8) -> bool {
        let Some(this) = self.hosts.get(host) else { return false };
        if this.mute {
            return false;
        }
        let link = this.link;
        if self.keep(host, slot, priority) {
            return true;
        }
        for other in (0..self.hosts.len()).filter(|other| *other != host) {
            if !link || self.hosts.get(other).is_some_and(|other| !other.link) {
                self.network.take(self.now, host, other);
                continue;
            }
            for at in self.network.carry(self.now, host, other, &mut self.rng) {
                self.push(at, other, Happening::Arrival { slot, from: host, priority });
            }
        }
        true
    }

    /// Notes whether a host answers for a router, after something that may have changed it.
    pub(super) fn note(&mut self, host: usize, slot: usize, reason: Option<hadp::proto::Reason>) {
        let Some(this) = self.hosts.get(host) else { return };
        let lease = this.datapath.slots.get(slot).map_or(Time::ZERO, |entry| entry.lease);
        // Ownership lasts as long as the lease and the guard.
        let until = this.datapath.guard(slot).map_or(lease, |guard| guard.min(lease));
        let owns = this.power == Power::On && until > this.clock.shows(self.now);
        let end = if owns { this.clock.when(until) } else { self.now };
        // A lease that comes while the guard is still to be put in force again counts a moment later.
        if !owns && let Some(reason) = reason {
            self.taking_over.insert((host, slot), (reason, None));
        }
        let pending = self.taking_over.get_mut(&(host, slot)).and_then(|(reason, in_force)| {
            *in_force = in_force.or(owns.then_some(self.now));
            in_force.is_none_or(|since| self.now.since(since) <= REARM).then_some(*reason)
        });
        let reason = reason.or(pending);
        let Some(spans) = self.spans.get_mut(slot).and_then(|hosts| hosts.get_mut(host)) else { return };
        match spans.last_mut() {
            Some(span) if span.end > self.now => {
                span.end = end;
                span.reason = span.reason.or(reason);
            }
            Some(_) | None if owns => spans.push(Span { start: self.now, end, reason, reopened: false }),
            Some(_) | None => {}
        }
    }

    /// Returns a fault of the plan.
    pub(super) fn planned(&self, index: usize) -> Option<Planned> {
        self.plan.faults.get(index).copied()
    }

    /// Starts a host's daemon, which adopts what an earlier one left.
    pub(super) fn spawn(&mut self, host: usize) {
        let revive = self.mutation == Some(Mutation::ResumeExpired);
        let again = self.now + self.plan.interval();
        let Some(this) = self.hosts.get_mut(host) else { return };
        if this.power == Power::Off {
            return;
        }
        if this.power == Power::Frozen {
            let life = this.life;
            return self.push(again, host, Happening::Respawn { life });
        }
        if self.give_up(host) {
            return;
        }
        self.resign_given_up(host);
        let Some(this) = self.hosts.get_mut(host) else { return };
        let now = this.clock.shows(self.now);
        let events = this.spawn(now, revive);
        let link = this.link;
        for (slot, event) in events.into_iter().enumerate() {
            self.note(host, slot, None);
            if link {
                self.tell(host, slot, event);
            }
        }
        self.reload(host);
        self.start_sessions(host);
        self.read_events(host);
        self.set_alarm(host);
    }

    /// The daemon of a host dies; its companion sees that at once.
    pub(super) fn kill(&mut self, host: usize) {
        let policy = self.plan.on_daemon_death;
        let respawn = self.plan.interval() / 4 + Duration::from_nanos(self.rng.below(20_000_000));
        let Some(this) = self.hosts.get_mut(host) else { return };
        if this.daemon.take().is_none() {
            return;
        }
        this.stopped = None;
        this.heart = None;
        this.life += 1;
        let life = this.life;
        if !this.companion {
            return;
        }
        for slot in 0..self.plan.routers.len() {
            match policy {
                OnDaemonDeath::Restart => self.push(self.now, host, Happening::Caretake { slot, life }),
                OnDaemonDeath::Failover => self.revoke(host, slot),
            }
        }
        self.push(self.now + respawn, host, Happening::Respawn { life });
    }

    /// The companion gives a router up at once.
    fn revoke(&mut self, host: usize, slot: usize) {
        let now = self.hosts.get(host).map_or(Time::ZERO, |host| host.clock.shows(self.now));
        let entry = self.hosts.get_mut(host).and_then(|host| host.datapath.slots.get_mut(slot));
        let Some(entry) = entry else { return };
        if entry.is_leased(now) {
            entry.lease = Time::ZERO;
            self.note(host, slot, None);
            self.send(host, slot, 0);
        }
    }

    /// The companion advertises in the dead daemon's place, and renews what is still there.
    fn caretake(&mut self, host: usize, slot: usize, life: u32) {
        let mutation = self.mutation;
        let Some(this) = self.hosts.get(host) else { return };
        let Some(config) = this.configs.get(slot).cloned() else { return };
        if this.life != life || this.power == Power::Off || !this.companion {
            return;
        }
        let every = config.advert_every();
        if this.power == Power::On {
            let now = this.clock.shows(self.now);
            let leased =
                this.datapath.slots.get(slot).is_some_and(|entry| entry.is_leased(now) && !entry.resigned);
            if leased && !this.datapath.is_guarded(slot, now) {
                return self.revoke(host, slot);
            }
            let revives = mutation == Some(Mutation::CompanionRevives);
            // What the daemon left, whatever the configuration says by now.
            let priority = this.datapath.slots.get(slot).map_or(0, |entry| entry.priority);
            if (leased || revives) && self.send(host, slot, priority) {
                if let Some(this) = self.hosts.get_mut(host) {
                    this.datapath.renew(slot, now + config.lease_span(), revives);
                }
                self.note(host, slot, None);
            }
        }
        self.push(self.now + every, host, Happening::Caretake { slot, life });
    }

    pub(super) fn push(&mut self, at: Time, host: usize, happening: Happening) {
        self.sequence += 1;
        self.queue.push(Reverse((at, self.sequence)));
        self.happenings.insert(self.sequence, (host, happening));
    }
}
