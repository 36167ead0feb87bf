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

    /// Takes up a new transmission: the packet that was due stays due then, unless the new one wants it sooner. What was
    /// promised by the one before is thus kept, however slow the new pace is.
    pub fn change(&mut self, what: Option<&Transmission>, luck: Luck, now: Time) {
        self.next = what.map(|what| match self.next {
            Some(next) => next.min(now + interval(what, luck)),
            None => now,
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
        pace.change(Some(&what), 0, us(0));
        assert_eq!(pace.next(), Some(us(0)), "the first at once");
        pace.advance(&what, 0, us(120));
        assert_eq!(pace.next(), Some(us(1000)));
        pace.advance(&what, 0, us(7300));
        assert_eq!(pace.next(), Some(us(8300)));
    }

    #[test]
    fn a_new_pace_never_puts_a_packet_off() {
        let (fast, slow) = (every(1000, 3), every(1_000_000, 3));
        let mut pace = Schedule::default();
        pace.change(Some(&fast), 0, us(0));
        pace.advance(&fast, 0, us(0));
        pace.change(Some(&slow), 0, us(500));
        assert_eq!(pace.next(), Some(us(1000)));
        pace.advance(&slow, 0, us(1000));
        assert_eq!(pace.next(), Some(us(1_001_000)));
        pace.change(Some(&fast), 0, us(2000));
        assert_eq!(pace.next(), Some(us(3000)));
        pace.change(None, 0, us(2500));
        assert_eq!(pace.next(), None);
    }
}
