//! Flap damping: whether a session that comes back may be counted on.

use std::time::Duration;

use crate::units::Time;

/// How many falls within [`WINDOW`] make a session untrustworthy.
const FALLS: usize = 3;
/// The span that these falls are counted in.
const WINDOW: Duration = Duration::from_secs(10);
/// How long a session must first stay Up to be counted on again; it doubles with every further fall.
const FIRST_HOLD: Duration = Duration::from_secs(1);
/// The longest of these spans; a session that stayed Up this long is forgiven everything.
const LAST_HOLD: Duration = Duration::from_secs(60);

/// The record of a session's falls.
///
/// The session itself goes Up as RFC 5880 says. What follows it counts it as down until it has been Up for the hold
/// time without a break.
#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "daemon", derive(serde::Deserialize, serde::Serialize))]
pub(super) struct Damping {
    /// The last falls, the newest last.
    falls: [Option<Time>; FALLS],
    up_since: Option<Time>,
    damped: bool,
    #[cfg_attr(feature = "daemon", serde(with = "crate::units::nanos"))]
    hold: Duration,
}

impl Damping {
    /// Notes that the session went Up.
    pub(super) fn went_up(&mut self, now: Time) {
        self.up_since = Some(now);
    }

    /// Notes that the session was taken down on purpose, which is no flap.
    pub(super) fn taken_down(&mut self, now: Time) {
        self.settle(now);
        self.up_since = None;
    }

    /// Forgets the falls: the neighbour has started anew, and knows of none. Both ends are to count on the session, or
    /// neither: where one takes over by it, the other one has to step down.
    pub(super) fn neighbor_began_anew(&mut self) {
        *self = Self { up_since: self.up_since, ..Self::default() };
    }

    /// Notes that the session fell from Up.
    pub(super) fn fell(&mut self, now: Time) {
        self.settle(now);
        if self.up_since.is_some_and(|up| now.since(up) >= LAST_HOLD) {
            *self = Self::default();
        }
        self.up_since = None;
        let [_, second, third] = self.falls;
        self.falls = [second, third, Some(now)];
        if self.damped || second.is_some_and(|first| now.since(first) <= WINDOW) {
            self.damped = true;
            self.hold = (self.hold * 2).clamp(FIRST_HOLD, LAST_HOLD);
        }
    }

    /// Ends the damping if the session has been Up long enough; tells whether it ended here.
    pub(super) fn settle(&mut self, now: Time) -> bool {
        let ends = self.released_at().is_some_and(|at| at <= now);
        if ends {
            self.damped = false;
        }
        ends
    }

    /// Tells whether the session is not to be counted on.
    pub(super) fn is_damped(&self, now: Time) -> bool {
        self.damped && self.released_at().is_none_or(|at| now < at)
    }

    /// Returns when the damping ends if the session stays Up.
    pub(super) fn released_at(&self) -> Option<Time> {
        self.up_since.filter(|_| self.damped).map(|up| up + self.hold)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(millis: u64) -> Time {
        Time::from_nanos(millis * 1_000_000)
    }

    /// Lets it fall and rise again 10 ms later.
    fn flap(damping: &mut Damping, millis: u64) {
        damping.fell(at(millis));
        damping.went_up(at(millis + 10));
    }

    #[test]
    fn the_third_fall_within_the_window_damps() {
        let mut damping = Damping::default();
        damping.went_up(at(0));
        flap(&mut damping, 1_000);
        flap(&mut damping, 6_000);
        assert!(!damping.is_damped(at(6_005)));
        flap(&mut damping, 11_000);
        assert!(damping.is_damped(at(11_010)));
        assert_eq!(damping.released_at(), Some(at(12_010)));
        assert!(damping.is_damped(at(12_009)));
        assert!(!damping.is_damped(at(12_010)));
    }

    #[test]
    fn three_falls_over_more_than_the_window_do_not_damp() {
        let mut damping = Damping::default();
        for millis in [1_000, 6_001, 11_001, 16_002] {
            flap(&mut damping, millis);
            assert!(!damping.is_damped(at(millis + 10)), "{millis}");
        }
    }

    #[test]
    fn the_hold_doubles_up_to_a_minute_and_is_forgiven() {
        let mut damping = Damping::default();
        let mut now = 0;
        let mut holds = Vec::new();
        for _ in 0..10 {
            now += 100;
            flap(&mut damping, now);
            holds.extend(damping.released_at().map(|end| end.since(at(now + 10)).as_secs()));
        }
        assert_eq!(holds, [1, 2, 4, 8, 16, 32, 60, 60]);
        // Up for a minute: the next fall counts as the first.
        assert!(damping.settle(at(now + 60_010)));
        assert!(!damping.settle(at(now + 60_010)));
        for _ in 0..2 {
            flap(&mut damping, now + 60_010);
            assert!(!damping.is_damped(at(now + 60_020)));
        }
        flap(&mut damping, now + 60_030);
        assert_eq!(damping.released_at(), Some(at(now + 61_040)));
    }

    #[test]
    fn it_stays_damped_while_down_and_after_a_stop_on_purpose() {
        let mut damping = Damping::default();
        for millis in [100, 200, 300] {
            flap(&mut damping, millis);
        }
        damping.taken_down(at(500));
        assert_eq!(damping.released_at(), None);
        assert!(damping.is_damped(at(500_000)));
        damping.went_up(at(500_000));
        assert_eq!(damping.released_at(), Some(at(501_000)));
    }

    #[test]
    fn a_stop_on_purpose_is_no_flap() {
        let mut damping = Damping::default();
        for millis in [100, 200, 300, 400] {
            damping.went_up(at(millis));
            damping.taken_down(at(millis + 50));
        }
        damping.went_up(at(500));
        flap(&mut damping, 600);
        flap(&mut damping, 700);
        assert!(!damping.is_damped(at(710)));
    }
}
