//! When a session's next packet is due.

use std::time::Duration;

use super::{Transmission, jitter};
use crate::units::Time;

/// A random number: what part of the greatest jitter an interval loses.
pub type Luck = u32;

/// The schedule of one session, in absolute times: a packet that leaves late makes the next one no later.
#[derive(Clone, Copy, Debug, Default)]
pub struct Schedule {
    next: Option<Time>,
    /// Whether a neighbour may be waiting for the packet that is due then, however often what it says has changed since.
    awaited: bool,
}

impl Schedule {
    /// Returns when the next packet is due.
    pub fn next(&self) -> Option<Time> {
        self.next
    }

    /// Takes up a new transmission in place of `before`. A packet that a neighbour may be waiting for stays due when it
    /// was, unless the new one wants it sooner: what was promised is kept, however slow the new pace is. Where nobody was
    /// waiting, the new pace begins now.
    pub fn change(
        &mut self,
        before: Option<&Transmission>,
        what: Option<&Transmission>,
        luck: Luck,
        now: Time,
    ) {
        self.awaited |= before.is_some_and(|before| before.detected_after.is_some());
        self.awaited &= what.is_some();
        self.next = what.map(|what| match (self.next, now + interval(what, luck)) {
            (Some(next), new) if self.awaited => next.min(new),
            (Some(_), new) => new,
            (None, _) => now,
        });
    }

    /// Moves on from the packet that was due; intervals that were missed are not made up for.
    pub fn advance(&mut self, what: &Transmission, luck: Luck, now: Time) {
        let interval = interval(what, luck);
        self.awaited = false;
        self.next = self.next.map(|next| match next + interval {
            next if next > now => next,
            _ => now + interval,
        });
    }
}

fn interval(what: &Transmission, luck: Luck) -> Duration {
    jitter(what.every, what.control.multiplier, luck)
}

#[cfg(test)]
mod tests {
    use hadp_common::wire::bfd::Control;

    use super::*;

    fn every(micros: u64, multiplier: u8) -> Transmission {
        Transmission {
            control: Control { multiplier, ..Control::default() },
            every: Duration::from_micros(micros),
            detected_after: None,
        }
    }

    fn us(micros: u64) -> Time {
        Time::from_nanos(1_000_000_000 + micros * 1000)
    }

    /// A session that falls and is at Init a moment later, as the neighbour is alive, changes what it sends twice.
    #[test]
    fn a_packet_that_is_awaited_stays_so_through_all_changes() {
        let up = Transmission { detected_after: Some(Duration::from_micros(750)), ..every(250, 3) };
        let init = Transmission { detected_after: Some(Duration::from_secs(3)), ..every(1_000_000, 3) };
        let mut schedule = Schedule::default();
        schedule.change(None, Some(&up), 0, us(0));
        schedule.advance(&up, 0, us(0));
        let due = schedule.next();
        assert_eq!(due, Some(us(250)));
        schedule.change(Some(&up), Some(&every(1_000_000, 3)), 0, us(100));
        schedule.change(Some(&every(1_000_000, 3)), Some(&init), 0, us(150));
        assert_eq!(schedule.next(), due, "what was promised with the last packet is kept");
        schedule.advance(&init, 0, us(250));
        assert_eq!(schedule.next(), Some(us(1_000_250)));
        schedule.change(Some(&every(1_000_000, 3)), Some(&every(500_000, 3)), 0, us(300));
        assert_eq!(schedule.next(), Some(us(500_300)), "nobody waits");
        schedule.change(Some(&up), None, 0, us(400));
        schedule.change(None, Some(&every(9_000, 3)), 0, us(500));
        schedule.change(Some(&every(9_000, 3)), Some(&every(1_000, 3)), 0, us(600));
        assert_eq!(schedule.next(), Some(us(1_600)), "who fell silent is awaited no more");
    }

    #[test]
    fn being_late_does_not_add_up_and_what_was_missed_is_not_made_up_for() {
        let what = every(1000, 3);
        let mut pace = Schedule::default();
        pace.change(None, Some(&what), 0, us(0));
        assert_eq!(pace.next(), Some(us(0)), "the first at once");
        pace.advance(&what, 0, us(120));
        assert_eq!(pace.next(), Some(us(1000)));
        pace.advance(&what, 0, us(7300));
        assert_eq!(pace.next(), Some(us(8300)));
    }

    #[test]
    fn a_new_pace_puts_no_packet_off_that_a_neighbour_may_wait_for() {
        let waited = |what: Transmission| Transmission { detected_after: Some(what.every * 3), ..what };
        let (fast, slow) = (waited(every(1000, 3)), waited(every(1_000_000, 3)));
        let mut pace = Schedule::default();
        pace.change(None, Some(&fast), 0, us(0));
        pace.advance(&fast, 0, us(0));
        pace.change(Some(&fast), Some(&slow), 0, us(500));
        assert_eq!(pace.next(), Some(us(1000)));
        pace.advance(&slow, 0, us(1000));
        assert_eq!(pace.next(), Some(us(1_001_000)));
        pace.change(Some(&slow), Some(&fast), 0, us(2000));
        assert_eq!(pace.next(), Some(us(3000)));
        pace.change(Some(&fast), None, 0, us(2500));
        assert_eq!(pace.next(), None);
    }

    #[test]
    fn where_nobody_waits_the_new_pace_begins_at_once() {
        let (fast, slow) = (every(1000, 3), every(1_000_000, 3));
        let mut pace = Schedule::default();
        pace.change(None, Some(&fast), 0, us(0));
        pace.advance(&fast, 0, us(0));
        pace.change(Some(&fast), Some(&slow), 0, us(500));
        assert_eq!(pace.next(), Some(us(1_000_500)));
        pace.change(Some(&slow), Some(&fast), 0, us(600));
        assert_eq!(pace.next(), Some(us(1600)));
    }
}
