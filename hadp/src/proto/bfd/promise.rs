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

use super::SessionId;
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
    /// Store this value, whatever is there: the guard is in force again.
    Rearm(Time),
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
    /// Whether it was told that the guard lapsed, and the answer has not come yet.
    lapsed: bool,
}

/// What every guard is worth, by the guard's number.
///
/// A guard that does not exist is never changed.
#[derive(Debug)]
pub struct Promises {
    guards: Vec<Guard>,
}

impl Default for Promises {
    fn default() -> Self {
        Self { guards: (0..MAX_GUARDS).map(|_| Guard::default()).collect() }
    }
}

impl Promises {
    /// Makes a session a member of a guard. What it has promised to others it has promised to this one too; else it counts
    /// from its next promise on.
    pub fn join(&mut self, guard: u32, session: SessionId, now: Time) -> Verdict {
        let others = self.guards.iter().flat_map(|guard| &guard.promises);
        let until = others.filter(|promise| promise.session == session).find_map(|promise| promise.until);
        let Some(guard) = self.guard(guard) else { return Verdict::Keep };
        if guard.promises.iter().any(|promise| promise.session == session) {
            return Verdict::Keep;
        }
        guard.change(now, |promises| promises.push(Promise { session, until }))
    }

    /// Takes a session out of a guard.
    pub fn leave(&mut self, guard: u32, session: SessionId, now: Time) -> Verdict {
        let Some(guard) = self.guard(guard) else { return Verdict::Keep };
        guard.change(now, |promises| promises.retain(|promise| promise.session != session))
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
        let Some(guard) = self.guard(guard) else { return Verdict::Keep };
        guard.change(now, |promises| {
            if let Some(promise) = promises.iter_mut().find(|promise| promise.session == session) {
                promise.until = Some(promise.until.map_or(until, |before| before.min(until)));
            }
        })
    }

    /// Looks at a guard although nothing was sent.
    pub fn look(&mut self, guard: u32, now: Time) -> Verdict {
        let lapsed = self.guard(guard).is_some_and(|guard| guard.lapse(now));
        if lapsed { Verdict::Lapsed } else { Verdict::Keep }
    }

    /// Returns when the next guard lapses if nothing is sent: then it is to be [looked at](Self::look). Where packets keep
    /// their pace, the next one comes before.
    pub fn next_lapse(&self) -> Option<Time> {
        self.guards.iter().filter(|guard| !guard.lapsed).filter_map(|guard| guard.stored).min()
    }

    /// Returns a guard that has lapsed by now and was not told, if there is one.
    pub fn lapsed_by(&self, now: Time) -> Option<u32> {
        let due = |guard: &Guard| !guard.lapsed && guard.stored.is_some_and(|until| until <= now);
        (0..).zip(&self.guards).find(|(_, guard)| due(guard)).map(|(number, _)| number)
    }

    /// Forgets what a session promised: it has stopped sending.
    pub fn silence(&mut self, guard: u32, session: SessionId, now: Time) -> Verdict {
        self.promise(guard, session, None, now)
    }

    /// Puts a lapsed guard in force again: every router that it guards has stepped down.
    pub fn rearm(&mut self, guard: u32, now: Time) -> Verdict {
        let Some(guard) = self.guard(guard) else { return Verdict::Keep };
        if !guard.lapsed {
            return Verdict::Keep;
        }
        guard.lapsed = false;
        // What came after the lapse counts, as those packets left for neighbours that wait from them on.
        for promise in &mut guard.promises {
            promise.until = promise.until.filter(|until| now < *until);
        }
        guard.stored = guard.least();
        Verdict::Rearm(guard.stored.unwrap_or(OPEN))
    }

    /// Notes that the datapath has ended a guard: it has lapsed, if that is news.
    pub fn ended(&mut self, guard: u32) -> Verdict {
        let news = self.guard(guard).is_some_and(|guard| !std::mem::replace(&mut guard.lapsed, true));
        if news { Verdict::Lapsed } else { Verdict::Keep }
    }

    fn promise(&mut self, guard: u32, session: SessionId, until: Option<Time>, now: Time) -> Verdict {
        let Some(guard) = self.guard(guard) else { return Verdict::Keep };
        guard.change(now, |promises| {
            if let Some(promise) = promises.iter_mut().find(|promise| promise.session == session) {
                promise.until = until;
            }
        })
    }

    fn guard(&mut self, number: u32) -> Option<&mut Guard> {
        self.guards.get_mut(usize::try_from(number).ok()?)
    }
}

impl Guard {
    /// Tells whether it has lapsed; the answer is yes once, until it is re-armed.
    fn lapse(&mut self, now: Time) -> bool {
        if self.lapsed || self.stored.is_none_or(|until| now < until) {
            return false;
        }
        self.lapsed = true;
        true
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
mod tests {
    use super::*;

    const GUARD: u32 = 3;
    const D: Duration = Duration::from_micros(750);
    const SLOW: Duration = Duration::from_secs(3);

    fn us(micros: u64) -> Time {
        Time::from_nanos(1_000_000_000 + micros * 1000)
    }

    fn id(index: u32) -> SessionId {
        SessionId::new(index).unwrap()
    }

    fn stored(until: Time) -> Verdict {
        Verdict::Store(until)
    }

    fn with(sessions: &[u32]) -> Promises {
        let mut guards = Promises::default();
        for &session in sessions {
            guards.join(GUARD, id(session), us(0));
        }
        guards
    }

    /// A packet sent at `at`, the time read behind it a microsecond later.
    fn send(guards: &mut Promises, session: u32, at: u64, after: Option<Duration>) -> Verdict {
        guards.sent(GUARD, id(session), us(at), after, us(at + 1))
    }

    #[test]
    fn the_margin_is_never_below_twenty_microseconds_nor_three_percent() {
        assert_eq!(margin(Duration::from_micros(300)), Duration::from_micros(20));
        assert_eq!(margin(D), Duration::from_nanos(23_437));
        assert_eq!(margin(SLOW), SLOW / 32);
    }

    #[test]
    fn a_guard_is_the_least_promise() {
        let mut guards = with(&[1, 2]);
        assert_eq!(send(&mut guards, 1, 0, Some(SLOW)), stored(us(0) + SLOW - SLOW / 32));
        assert_eq!(send(&mut guards, 2, 10, Some(D)), stored(us(10) + D - margin(D)));
        assert_eq!(send(&mut guards, 1, 20, Some(SLOW)), Verdict::Keep, "the other one is nearer");
        assert_eq!(send(&mut guards, 2, 260, Some(D)), stored(us(260) + D - margin(D)));
    }

    #[test]
    fn sessions_come_and_go_without_a_lapse() {
        let mut guards = with(&[1]);
        assert_eq!(send(&mut guards, 1, 0, None), Verdict::Keep, "not up yet: open");
        assert_eq!(guards.look(GUARD, us(5_000_000)), Verdict::Keep);
        assert_eq!(send(&mut guards, 1, 5_000_000, Some(D)), stored(us(5_000_000) + D - margin(D)));
        // A second one joins while the first runs, and its first packet is far off.
        assert_eq!(guards.join(GUARD, id(2), us(5_000_250)), Verdict::Keep);
        assert_eq!(send(&mut guards, 1, 5_000_250, Some(D)), stored(us(5_000_250) + D - margin(D)));
        assert_eq!(send(&mut guards, 2, 5_000_260, Some(SLOW)), Verdict::Keep);
        // The first goes down: its next packet, at its old pace, says so.
        assert_eq!(send(&mut guards, 1, 5_000_500, None), stored(us(5_000_260) + SLOW - margin(SLOW)));
        assert_eq!(guards.look(GUARD, us(5_900_000)), Verdict::Keep);
        assert_eq!(guards.leave(GUARD, id(2), us(6_000_000)), stored(OPEN));
        assert_eq!(guards.look(GUARD, us(60_000_000)), Verdict::Keep);
    }

    #[test]
    fn a_guard_that_a_session_joins_later_has_its_promise_at_once() {
        const OTHER: u32 = 4;
        let mut guards = with(&[1]);
        send(&mut guards, 1, 0, Some(D));
        assert_eq!(guards.join(OTHER, id(1), us(10)), stored(us(0) + D - margin(D)));
        assert_eq!(guards.join(OTHER, id(1), us(10)), Verdict::Keep, "it is in it");
        assert_eq!(guards.leave(GUARD, id(1), us(20)), stored(OPEN));
        assert_eq!(guards.look(OTHER, us(800)), Verdict::Lapsed);
    }

    #[test]
    fn a_slower_pace_begins_with_the_packet_that_promises_more() {
        let mut guards = with(&[1]);
        send(&mut guards, 1, 0, Some(D));
        assert_eq!(send(&mut guards, 1, 250, Some(SLOW)), stored(us(250) + SLOW - margin(SLOW)));
        assert_eq!(guards.look(GUARD, us(1_000_000)), Verdict::Keep);
        assert_eq!(send(&mut guards, 1, 1_000_000, Some(D)), stored(us(1_000_000) + D - margin(D)));
    }

    #[test]
    fn a_change_that_is_told_beside_the_pace_shortens_the_promise_at_once() {
        let mut guards = with(&[1]);
        send(&mut guards, 1, 0, Some(SLOW));
        let tighten = |guards: &mut Promises, at| guards.tighten(GUARD, id(1), us(at), D, us(at + 1));
        assert_eq!(tighten(&mut guards, 900_000), stored(us(900_000) + D - margin(D)));
        assert_eq!(tighten(&mut guards, 900_100), Verdict::Keep, "it does not lengthen it");
        assert_eq!(send(&mut guards, 1, 900_250, Some(D)), stored(us(900_250) + D - margin(D)));
    }

    #[test]
    fn a_packet_that_leaves_late_does_not_bring_a_guard_back() {
        let mut guards = with(&[1]);
        send(&mut guards, 1, 0, Some(D));
        // Read in time, stopped, sent after the promise ran out.
        assert_eq!(guards.sent(GUARD, id(1), us(700), Some(D), us(727)), Verdict::Lapsed);
        assert_eq!(send(&mut guards, 1, 950, Some(D)), Verdict::Keep, "until the election has stepped down");
        assert_eq!(guards.look(GUARD, us(1000)), Verdict::Keep, "told once");
        assert_eq!(guards.rearm(GUARD, us(1010)), Verdict::Rearm(us(950) + D - margin(D)));
        assert_eq!(send(&mut guards, 1, 1200, Some(D)), stored(us(1200) + D - margin(D)));
        assert_eq!(guards.rearm(GUARD, us(1210)), Verdict::Keep, "nothing to acknowledge");
    }

    #[test]
    fn a_packet_that_left_in_time_counts_whenever_that_is_noted() {
        let mut guards = with(&[1]);
        send(&mut guards, 1, 0, Some(D));
        assert_eq!(guards.sent(GUARD, id(1), us(720), Some(D), us(726)), stored(us(720) + D - margin(D)));
    }

    #[test]
    fn a_silent_session_lapses_the_guard_that_others_keep_renewing() {
        let mut guards = with(&[1, 2]);
        send(&mut guards, 1, 0, Some(D));
        send(&mut guards, 2, 0, Some(D));
        // The packets of session 2 do not leave any more.
        assert_eq!(send(&mut guards, 1, 250, Some(D)), Verdict::Keep);
        assert_eq!(send(&mut guards, 1, 500, Some(D)), Verdict::Keep);
        assert_eq!(send(&mut guards, 1, 750, Some(D)), Verdict::Lapsed);
        // Its neighbour has given up on this node: the promise is no more, until a packet leaves again.
        assert_eq!(guards.rearm(GUARD, us(800)), Verdict::Rearm(us(750) + D - margin(D)));
    }

    #[test]
    fn a_session_that_stops_within_its_promise_opens_the_guard_and_one_beyond_does_not() {
        for (at, verdict) in [(700, stored(OPEN)), (727, Verdict::Lapsed)] {
            let mut guards = with(&[1]);
            send(&mut guards, 1, 0, Some(D));
            assert_eq!(guards.silence(GUARD, id(1), us(at)), verdict);
        }
        let mut guards = with(&[1]);
        send(&mut guards, 1, 0, Some(D));
        assert_eq!(guards.leave(GUARD, id(1), us(727)), Verdict::Lapsed);
        assert_eq!(guards.rearm(GUARD, us(800)), Verdict::Rearm(OPEN));
    }

    #[test]
    fn a_guard_that_the_datapath_has_ended_is_in_force_again_only_when_it_is_re_armed() {
        let mut guards = with(&[1]);
        send(&mut guards, 1, 0, Some(D));
        assert_eq!(send(&mut guards, 1, 250, Some(D)), stored(us(250) + D - margin(D)));
        // That store finds it ended.
        assert_eq!(guards.ended(GUARD), Verdict::Lapsed);
        assert_eq!(guards.ended(GUARD), Verdict::Keep, "told once");
        assert_eq!(send(&mut guards, 1, 500, Some(D)), Verdict::Keep);
        assert_eq!(guards.rearm(GUARD, us(510)), Verdict::Rearm(us(500) + D - margin(D)));
        assert_eq!(guards.ended(MAX_GUARDS), Verdict::Keep);
    }

    #[test]
    fn guards_beyond_the_map_are_nothing() {
        let mut guards = with(&[1]);
        assert_eq!(guards.join(MAX_GUARDS, id(1), us(0)), Verdict::Keep);
        assert_eq!(guards.sent(MAX_GUARDS, id(1), us(0), Some(D), us(0)), Verdict::Keep);
    }
}
