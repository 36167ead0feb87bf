//! What guards are worth: how long the neighbours will at least go on believing in this node.
//!
//! A neighbour that follows a session takes over when it has heard nothing for its detection time `d`. So a packet that
//! left at `t` is a promise: until `t + d - margin` nobody takes over because of this session. A guard is the least of the
//! promises of its sessions, and the datapath serves the guard's routers only before it.
//!
//! ```text
//!            packet k                        packet k+1 must have left     neighbour's deadline,
//!            at = t                          before here, or the guard     had k+1 been lost
//!              |                             has lapsed                      |
//!   this node  +---------------------------------------------|--- margin ---|-->
//!              |<------------------------- d ------------------------------->|
//!   neighbour     +--------------------------------- d ------------------------------->
//!              flight
//! ```
//!
//! # Order
//!
//! Two threads send, and a third one in haste, each in turns under one lock, from the first time read to the last value
//! stored; so whichever does, this holds (what the third one sends without the lock promises nothing):
//!
//! - `at` is read before a packet is sent, and the promise runs from it, so being stopped on the way to the kernel makes
//!   the promise shorter, never longer.
//! - Whether the guard has lapsed is decided by a time read *after* the packet left: a packet that left in time reached the
//!   neighbour in time, whenever its promise is stored. One that left late promises nothing: the neighbour may have taken
//!   over already. Then the value stays in the past until the election has stepped down and says so
//!   ([`Promises::rearm`]).
//! - A session joins with its first packet that somebody can be waiting for: before it there is nothing to keep.
//! - A session leaves when a packet has told the neighbour so (it promises nothing), or at once when it stops sending or is
//!   closed. A session that goes down keeps its last promise until then: the neighbour may not know yet.
//! - A slower pace begins with a packet that promises more, sent when the faster pace would have sent it: the promise
//!   before it is kept. The heartbeat therefore never puts a scheduled packet off.
//! - An expired promise is none once the guard is re-armed: the neighbour has given up on this node, and waits anew only
//!   from the next packet on, which makes a new one.

use std::time::Duration;

use hadp_common::router::{GUARD_OPEN, MAX_GUARDS};

use super::{SessionId, soonest::Soonest};
use crate::units::Time;

/// What a guard holds while nothing is promised.
const OPEN: Time = Time::from_nanos(GUARD_OPEN);
/// The least margin.
const LEAST_MARGIN: Duration = Duration::from_micros(20);
/// The share of the detection time that is margin, as a divisor.
const SHARE: u32 = 32;

/// Returns how much earlier than the neighbour's deadline this node stops serving.
///
/// It covers what may differ between the two: the rates of their clocks (both disciplined or within 500 ppm, so 0.1 % of the
/// detection time at worst), the flight of a packet that leaves last in time (it must not take longer than the one
/// before it did, plus the margin), and what is under way: a frame that the datapath has admitted is answered some
/// microseconds later, and an owner that counts by the exact clock may have read it just before. 20 us are several times the
/// last; a thirty-second of the detection time, 3 %, is thirty times the first and leaves the second most of it.
fn margin(detected_after: Duration) -> Duration {
    LEAST_MARGIN.max(detected_after / SHARE)
}

/// A change to `GUARDS`, or news of it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// Store this value, unless the datapath has ended the guard: then [`Promises::ended`].
    Store(Time),
    /// Store nothing: the guard has lapsed, which is told once.
    Lapsed,
    /// Store nothing.
    Keep,
}

/// What one session has promised to the guards it belongs to.
#[derive(Clone, Copy, Debug)]
struct Promise {
    session: SessionId,
    until: Option<Time>,
}

#[derive(Debug, Default)]
struct Guard {
    /// One entry a session; a guard without any is always open.
    promises: Vec<Promise>,
    /// The value in `GUARDS`, unless the datapath has ended it.
    stored: Option<Time>,
    /// Whether the guard has lapsed, and was not put in force since.
    lapsed: bool,
    /// How often that was told and not answered yet.
    unanswered: u32,
}

/// What every guard is worth, by the guard's number.
///
/// A guard that does not exist is never changed.
#[derive(Debug)]
pub struct Promises {
    guards: Vec<Guard>,
    /// Every guard's [`Guard::lapses_at`]: it is asked in each turn.
    lapses: Soonest,
}

impl Default for Promises {
    fn default() -> Self {
        Self { guards: (0..MAX_GUARDS).map(|_| Guard::default()).collect(), lapses: Soonest::new(MAX_GUARDS) }
    }
}

impl Promises {
    /// Makes a session a member of a guard. What it has promised to others it has promised to this one too; else it counts
    /// from its next promise on.
    pub fn join(&mut self, guard: u32, session: SessionId, now: Time) -> Verdict {
        let others = self.guards.iter().flat_map(|guard| &guard.promises);
        let until = others.filter(|promise| promise.session == session).find_map(|promise| promise.until);
        self.with(guard, |guard| {
            if guard.promises.iter().any(|promise| promise.session == session) {
                return Verdict::Keep;
            }
            guard.change(now, |promises| promises.push(Promise { session, until }))
        })
    }

    /// Takes a session out of a guard.
    pub fn leave(&mut self, guard: u32, session: SessionId, now: Time) -> Verdict {
        self.change(guard, now, |promises| promises.retain(|promise| promise.session != session))
    }

    /// Notes that a session's packet left, handed to the kernel at `at` or later and before `now`; the neighbour waits for
    /// `detected_after` from it on, if it waits at all.
    pub fn sent(
        &mut self,
        guard: u32,
        session: SessionId,
        at: Time,
        detected_after: Option<Duration>,
        now: Time,
    ) -> Verdict {
        let until = detected_after.map(|after| at + after - margin(after));
        self.promise(guard, session, until, now)
    }

    /// Notes that a packet left at `at`, beside those at their pace, after which the neighbour may wait for no longer than
    /// `detected_after`. It shortens what is promised, never lengthens it.
    pub fn tighten(
        &mut self,
        guard: u32,
        session: SessionId,
        at: Time,
        detected_after: Duration,
        now: Time,
    ) -> Verdict {
        let until = at + detected_after - margin(detected_after);
        self.change(guard, now, |promises| {
            if let Some(promise) = promises.iter_mut().find(|promise| promise.session == session) {
                promise.until = Some(promise.until.map_or(until, |before| before.min(until)));
            }
        })
    }

    /// Looks at a guard although nothing was sent.
    pub fn look(&mut self, guard: u32, now: Time) -> Verdict {
        self.with(guard, |guard| if guard.lapse(now) { Verdict::Lapsed } else { Verdict::Keep })
    }

    /// Returns when the next guard lapses if nothing is sent: then it is to be [looked at](Self::look). Where packets keep
    /// their pace, the next one comes before.
    pub fn next_lapse(&self) -> Option<Time> {
        self.lapses.first().map(|(at, _)| at)
    }

    /// Returns the guard that lapsed first of those that have by now and were not told, if there is one.
    pub fn lapsed_by(&self, now: Time) -> Option<u32> {
        self.lapses.first().filter(|(at, _)| *at <= now).map(|(_, guard)| guard)
    }

    /// Forgets what a session promised: it has stopped sending.
    pub fn silence(&mut self, guard: u32, session: SessionId, now: Time) -> Verdict {
        self.promise(guard, session, None, now)
    }

    /// Takes the answer to a lapse that was told: every router that it concerned has stepped down. After the last one, a lapsed
    /// guard is in force again.
    pub fn rearm(&mut self, guard: u32, now: Time) -> Verdict {
        self.with(guard, |guard| {
            guard.unanswered = guard.unanswered.saturating_sub(1);
            if !guard.lapsed || guard.unanswered > 0 {
                return Verdict::Keep;
            }
            guard.recover(now);
            Verdict::Store(guard.stored.unwrap_or(OPEN))
        })
    }

    /// Puts a lapsed guard in force again although routers have not stepped down: they have taken over from neighbours that
    /// were found dead, and nobody else waits for this node. Not, though, where the datapath has ended it. A lapse that was
    /// told is still to be answered.
    pub fn reopen(&mut self, guard: u32, now: Time) -> Verdict {
        self.with(guard, |guard| {
            guard.recover(now);
            Verdict::Store(guard.stored.unwrap_or(OPEN))
        })
    }

    /// Notes that the datapath has ended a guard, which is to be told as a lapse each time: what was told before may have been
    /// answered before the neighbour said so.
    pub fn ended(&mut self, guard: u32) {
        self.with(guard, |guard| {
            guard.fall();
            Verdict::Lapsed
        });
    }

    fn promise(&mut self, guard: u32, session: SessionId, until: Option<Time>, now: Time) -> Verdict {
        self.change(guard, now, |promises| {
            if let Some(promise) = promises.iter_mut().find(|promise| promise.session == session) {
                promise.until = until;
            }
        })
    }

    /// Changes what is promised to a guard.
    fn change(&mut self, number: u32, now: Time, change: impl FnOnce(&mut Vec<Promise>)) -> Verdict {
        self.with(number, |guard| guard.change(now, change))
    }

    /// Does something to a guard, if there is one of this number; this is the only way to.
    fn with(&mut self, number: u32, act: impl FnOnce(&mut Guard) -> Verdict) -> Verdict {
        let guard = usize::try_from(number).ok().and_then(|index| self.guards.get_mut(index));
        let Some(guard) = guard else { return Verdict::Keep };
        let before = guard.lapses_at();
        let verdict = act(guard);
        let after = guard.lapses_at();
        if before != after {
            self.lapses.set(number, after);
        }
        verdict
    }
}

impl Guard {
    /// Returns when it lapses if nothing is sent, unless it has, and that was told.
    fn lapses_at(&self) -> Option<Time> {
        self.stored.filter(|_| !self.lapsed)
    }

    /// Tells whether it has lapsed; the answer is yes once, until it is re-armed.
    fn lapse(&mut self, now: Time) -> bool {
        let lapses = self.lapses_at().is_some_and(|at| at <= now);
        if lapses {
            self.fall();
        }
        lapses
    }

    /// Notes that it has lapsed, which is told.
    fn fall(&mut self) {
        self.lapsed = true;
        self.unanswered += 1;
    }

    /// Forgets a lapse, and every promise that is over. What came after the lapse counts, as those packets left for neighbours
    /// that wait from them on.
    fn recover(&mut self, now: Time) {
        self.lapsed = false;
        for promise in &mut self.promises {
            promise.until = promise.until.filter(|until| now < *until);
        }
        self.stored = self.least();
    }

    /// Changes promises; what was promised before is judged first, and a lapse found stays one.
    fn change(&mut self, now: Time, change: impl FnOnce(&mut Vec<Promise>)) -> Verdict {
        let lapsed = self.lapse(now);
        change(&mut self.promises);
        if lapsed { Verdict::Lapsed } else { self.update() }
    }

    /// Returns what to store, if that has changed and may be.
    fn update(&mut self) -> Verdict {
        if self.lapsed {
            return Verdict::Keep;
        }
        let least = self.least();
        if least == self.stored {
            return Verdict::Keep;
        }
        self.stored = least;
        Verdict::Store(least.unwrap_or(OPEN))
    }

    fn least(&self) -> Option<Time> {
        self.promises.iter().filter_map(|promise| promise.until).min()
    }
}

#[cfg(test)]
mod tests;
