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
        let awaited = before.is_some_and(|before| before.detected_after.is_some());
        self.next = what.map(|what| match (self.next, now + interval(what, luck)) {
            (Some(next), new) if awaited => next.min(new),
            (Some(_), new) => new,
            (None, _) => now,
        });
    }

    /// Moves on from the packet that was due; intervals that were missed are not made up for.
    pub fn advance(&mut self, what: &Transmission, luck: Luck, now: Time) {
        let interval = interval(what, luck);
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
