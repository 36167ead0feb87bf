//! The heartbeat of a node: what `shell::heartbeat` does with the core's schedules and promises, step by step, so that it can
//! stand still between any two of them.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use hadp::{
    proto::bfd::{Promises, Schedule, SessionId, Transmission, Verdict},
    units::Time,
};
use hadp_common::{
    router::{GUARD_ENDED, GUARD_NOTED, GUARD_OPEN},
    wire::bfd::Control,
};

use super::{
    host::Host,
    host::Power,
    mutation::Mutation,
    world::{Happening, World},
};

/// How long an order takes to reach the thread.
const WAY: Duration = Duration::from_micros(5);
/// How many of a thousand steps the thread stands still at, while faults go on.
const STALLS: u64 = 2;
/// How many of those after one it stood still at.
const MORE_STALLS: u64 = 500;

/// The thread.
#[derive(Debug, Default)]
pub(super) struct Heart {
    pub(super) promises: Promises,
    beats: BTreeMap<SessionId, Beat>,
    orders: VecDeque<Order>,
    step: Option<Step>,
    /// Until when it stands still, in true time.
    stalled: Time,
    /// Whether it stood still at the last step.
    restless: bool,
    /// The wake-up that is set: setting another one cancels it.
    alarm: u32,
}

/// One session's packets.
#[derive(Debug, Default)]
struct Beat {
    what: Option<Transmission>,
    schedule: Schedule,
    beside: Option<Time>,
}

/// An order of the election's.
#[derive(Clone, Copy, Debug)]
pub(super) enum Order {
    Transmit(SessionId, Option<Transmission>),
    SendNow(SessionId, Control),
    Rearm(u32),
    Reopen(u32, Time),
    Ended(u32),
}

/// How far it has come with a packet that is due.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// The clock was read.
    Leave { id: SessionId, at: Time },
    /// The packet is gone, or was refused.
    Note { id: SessionId, at: Time, left: bool },
}

impl World {
    /// Gives the heartbeat an order.
    pub(super) fn order(&mut self, host: usize, order: Order) {
        let Some(heart) = self.hosts.get_mut(host).and_then(|host| host.heart.as_mut()) else { return };
        heart.orders.push_back(order);
        self.wake_heart(host, self.now + WAY);
    }

    /// Has what was ordered obeyed at once, by the election; where the thread stands still in the middle of a packet, a copy of
    /// this one leaves all the same. Tells whether it left.
    pub(super) fn hasten(&mut self, host: usize, (id, control): (SessionId, Control)) -> bool {
        let mute = self.hosts.get(host).is_none_or(|host| host.mute);
        (self.obey_now(host) && !mute) || self.send_bfd(host, id, control)
    }

    /// Has what was ordered obeyed at once, by the election, unless the thread stands still in the middle of a packet.
    pub(super) fn obey_now(&mut self, host: usize) -> bool {
        loop {
            let heart = self.hosts.get_mut(host).and_then(|host| host.heart.as_mut());
            let Some(heart) = heart.filter(|heart| heart.step.is_none()) else { return false };
            let Some(order) = heart.orders.pop_front() else { return true };
            self.obey(host, order);
        }
    }

    /// Lets the heartbeat run at this time, or when it is able to.
    pub(super) fn wake_heart(&mut self, host: usize, at: Time) {
        let Some(heart) = self.hosts.get_mut(host).and_then(|host| host.heart.as_mut()) else { return };
        heart.alarm += 1;
        let (alarm, at) = (heart.alarm, at.max(heart.stalled));
        self.push(at, host, Happening::Beat(alarm));
    }

    /// An alarm of the heartbeat rings, unless another one was set since.
    pub(super) fn beat(&mut self, host: usize, alarm: u32) {
        let heart = self.hosts.get(host).and_then(|host| host.heart.as_ref());
        if heart.is_some_and(|heart| heart.alarm == alarm) {
            self.run_heart(host);
        }
    }

    /// Lets the heartbeat do all that there is to do, unless it is made to stand still.
    pub(super) fn run_heart(&mut self, host: usize) {
        loop {
            let (now, local) = (self.now, self.local(host));
            let Some(this) = self.hosts.get_mut(host) else { return };
            let runs = this.power == Power::On && !this.heart_stopped;
            let Some(heart) = this.heart.as_mut().filter(|heart| runs && heart.stalled <= now) else {
                return;
            };
            match heart.step.take() {
                Some(Step::Leave { id, at }) => self.leave(host, id, at),
                Some(Step::Note { id, at, left }) => self.note_sent(host, id, at, left),
                None => match heart.due(local) {
                    Some(id) => {
                        heart.step = Some(Step::Leave { id, at: local });
                        if self.mutation == Some(Mutation::PromiseBeforePacket) {
                            self.note_sent(host, id, local, true);
                        }
                    }
                    None => match heart.orders.pop_front() {
                        Some(order) => self.obey(host, order),
                        None if heart.promises.lapsed_by(local).is_some() => self.look_at_guard(host, local),
                        None => {
                            let (clock, next) = (this.clock, heart.next());
                            if let Some(at) = next {
                                let late = Duration::from_nanos(self.rng.below(2_000));
                                self.wake_heart(host, clock.when(at).max(now) + late);
                            }
                            return;
                        }
                    },
                },
            }
            if self.stall(host) {
                return;
            }
        }
    }

    /// Tells of a guard that has lapsed.
    fn look_at_guard(&mut self, host: usize, now: Time) {
        let Some(heart) = self.hosts.get_mut(host).and_then(|host| host.heart.as_mut()) else { return };
        if let Some(guard) = heart.promises.lapsed_by(now) {
            let verdict = heart.promises.look(guard, now);
            self.carry_out(host, guard, verdict);
        }
    }

    /// Lets the thread stand still for a while, now and then in the middle of a packet.
    fn stall(&mut self, host: usize) -> bool {
        let longest = self.plan.detection().as_nanos() as u64 * 3 / 2;
        let heart = self.hosts.get_mut(host).and_then(|host| host.heart.as_mut());
        let Some(heart) = heart.filter(|heart| heart.step.is_some()) else { return false };
        let stalls = if std::mem::take(&mut heart.restless) { MORE_STALLS } else { STALLS };
        if self.now > self.plan.quiet_at || !self.rng.happens(stalls) {
            return false;
        }
        heart.restless = true;
        let until = self.now + Duration::from_nanos(self.rng.below(longest));
        heart.stalled = until;
        self.wake_heart(host, until);
        true
    }

    /// Sends the packet that is due.
    fn leave(&mut self, host: usize, id: SessionId, at: Time) {
        let luck = self.rng.below(1 << 32) as u32;
        let early = self.mutation == Some(Mutation::PromiseBeforePacket);
        let heart = self.hosts.get_mut(host).and_then(|host| host.heart.as_mut());
        let Some(beat) = heart.and_then(|heart| heart.beats.get_mut(&id)) else { return };
        let Some(what) = beat.what else { return };
        beat.schedule.advance(&what, luck, at);
        beat.beside = None;
        let left = self.send_bfd(host, id, what.control);
        let heart = self.hosts.get_mut(host).and_then(|host| host.heart.as_mut());
        if let Some(heart) = heart.filter(|_| !early) {
            heart.step = Some(Step::Note { id, at, left });
        }
    }

    /// Renews the guards by a packet, with a time read behind it.
    fn note_sent(&mut self, host: usize, id: SessionId, at: Time, left: bool) {
        let now = self.local(host);
        let at = if self.mutation == Some(Mutation::PromiseByTimeAfter) { now } else { at };
        self.change(host, id, |promises, guard, beat| match left {
            true => promises.sent(guard, id, at, beat.what.and_then(|what| what.detected_after), now),
            false => promises.look(guard, now),
        });
    }

    fn obey(&mut self, host: usize, order: Order) {
        let now = self.local(host);
        let luck = self.rng.below(1 << 32) as u32;
        match order {
            Order::Transmit(id, what) => {
                let heart = self.hosts.get_mut(host).and_then(|host| host.heart.as_mut());
                let Some(heart) = heart else { return };
                let beat = heart.beats.entry(id).or_default();
                beat.schedule.change(beat.what.as_ref(), what.as_ref(), luck, now);
                beat.what = what;
                let beside = beat.beside.take();
                self.change(host, id, |promises, guard, _| match (what, beside) {
                    (None, _) => promises.silence(guard, id, now),
                    (Some(Transmission { detected_after: Some(after), .. }), Some(at)) => {
                        promises.tighten(guard, id, at, after, now)
                    }
                    (Some(_), _) => Verdict::Keep,
                });
            }
            Order::SendNow(id, control) => {
                let left = self.send_bfd(host, id, control);
                let heart = self.hosts.get_mut(host).and_then(|host| host.heart.as_mut());
                if let Some(heart) = heart.filter(|_| left) {
                    heart.beats.entry(id).or_default().beside = Some(now);
                }
            }
            Order::Ended(guard) => {
                let ended =
                    |host: &Host| host.datapath.guards.get(&guard) == Some(&Time::from_nanos(GUARD_ENDED));
                if self.hosts.get(host).is_some_and(ended) {
                    self.end_guard(host, guard);
                }
            }
            Order::Reopen(_, by) if now > by => {}
            Order::Reopen(guard, _) => {
                let heart = self.hosts.get_mut(host).and_then(|host| host.heart.as_mut());
                if let Some(verdict) = heart.map(|heart| heart.promises.reopen(guard, now)) {
                    self.carry_out(host, guard, verdict);
                }
            }
            Order::Rearm(guard) => {
                let heart = self.hosts.get_mut(host).and_then(|host| host.heart.as_mut());
                if let Some(verdict) = heart.map(|heart| heart.promises.rearm(guard, now)) {
                    self.carry_out(host, guard, verdict);
                }
            }
        }
    }

    /// Changes what a session promises to each of its guards.
    fn change(
        &mut self,
        host: usize,
        id: SessionId,
        mut change: impl FnMut(&mut Promises, u32, &Beat) -> Verdict,
    ) {
        let Some(this) = self.hosts.get_mut(host) else { return };
        let guards = this.guards_of(id);
        for guard in guards {
            let Some(heart) = self.hosts.get_mut(host).and_then(|host| host.heart.as_mut()) else { return };
            let Heart { beats, promises, .. } = heart;
            if let Some(beat) = beats.get(&id) {
                let verdict = change(promises, guard, beat);
                self.carry_out(host, guard, verdict);
            }
        }
    }

    /// Takes note that the datapath has ended a guard, and tells it.
    fn end_guard(&mut self, host: usize, guard: u32) {
        let Some(this) = self.hosts.get_mut(host) else { return };
        this.datapath.guards.insert(guard, Time::from_nanos(GUARD_NOTED));
        if let Some(heart) = &mut this.heart {
            heart.promises.ended(guard);
        }
        self.carry_out(host, guard, Verdict::Lapsed);
    }

    fn carry_out(&mut self, host: usize, guard: u32, verdict: Verdict) {
        let (mutation, detection) = (self.mutation, self.plan.detection());
        let Some(this) = self.hosts.get_mut(host) else { return };
        match verdict {
            Verdict::Store(_) if this.datapath.guards.get(&guard) == Some(&Time::from_nanos(GUARD_ENDED)) => {
                self.end_guard(host, guard);
            }
            Verdict::Store(until) => {
                let until = match mutation {
                    Some(Mutation::GuardNeverLapses) => Time::from_nanos(GUARD_OPEN),
                    Some(Mutation::GuardMarginNegative) if until < Time::from_nanos(GUARD_OPEN) => {
                        until + detection / 8
                    }
                    _ => until,
                };
                this.datapath.guards.insert(guard, until);
                for slot in 0..self.plan.routers.len() {
                    self.note(host, slot, None);
                }
            }
            Verdict::Lapsed => {
                if mutation != Some(Mutation::GuardNeverLapses)
                    && let Some(daemon) = &mut this.daemon
                {
                    daemon.lapsed.push_back(guard);
                    self.summary.lapsed += 1;
                    self.read_lapses(host);
                }
            }
            Verdict::Keep => {}
        }
    }
}

impl Heart {
    fn next(&self) -> Option<Time> {
        let packets = self.beats.values().filter_map(|beat| beat.schedule.next());
        packets.chain(self.promises.next_lapse()).min()
    }

    fn due(&self, now: Time) -> Option<SessionId> {
        let due = |beat: &Beat| beat.schedule.next().is_some_and(|at| at <= now);
        self.beats.iter().find(|(_, beat)| due(beat)).map(|(id, _)| *id)
    }
}
