//! When a session's next packet is due.

use std::time::Duration;

use crate::{proto::bfd::Transmission, units::Time};

/// A random number from 0 to 65,535: what part of the greatest jitter an interval loses.
pub(crate) type Luck = u16;

/// The schedule of one session, in absolute times: a packet that leaves late makes the next one no later.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Pace {
    next: Option<Time>,
}

impl Pace {
    /// Returns when the next packet is due.
    pub(crate) fn next(&self) -> Option<Time> {
        self.next
    }

    /// Takes up a new transmission: the packet that was due stays due then, unless the new one wants it sooner. What was
    /// promised by the one before is thus kept, however slow the new pace is.
    pub(crate) fn change(&mut self, what: Option<&Transmission>, luck: Luck, now: Time) {
        self.next = what.map(|what| match self.next {
            Some(next) => next.min(now + interval(what, luck)),
            None => now,
        });
    }

    /// Moves on from the packet that was due; intervals that were missed are not made up for.
    pub(crate) fn advance(&mut self, what: &Transmission, luck: Luck, now: Time) {
        let interval = interval(what, luck);
        self.next = self.next.map(|next| match next + interval {
            next if next > now => next,
            _ => now + interval,
        });
    }
}

/// Returns the interval to the next packet: 75 to 100 % of what is negotiated, or to 90 % where a single lost packet ends
/// the session (RFC 5880 §6.8.7).
fn interval(what: &Transmission, luck: Luck) -> Duration {
    let every = what.every.as_nanos();
    let (least, most) = if what.control.multiplier == 1 { (75, 90) } else { (75, 100) };
    let nanos = every * least / 100 + every * (most - least) * u128::from(luck) / 100 / u128::from(Luck::MAX);
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
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
    fn rfc5880_6_8_7_jitter() {
        for (multiplier, least, most) in [(3, 750, 1000), (1, 750, 900)] {
            let what = every(1000, multiplier);
            assert_eq!(interval(&what, 0), Duration::from_micros(least));
            assert_eq!(interval(&what, Luck::MAX), Duration::from_micros(most));
        }
    }

    #[test]
    fn being_late_does_not_add_up_and_what_was_missed_is_not_made_up_for() {
        let what = every(1000, 3);
        let mut pace = Pace::default();
        pace.change(Some(&what), Luck::MAX, us(0));
        assert_eq!(pace.next(), Some(us(0)), "the first at once");
        pace.advance(&what, Luck::MAX, us(120));
        assert_eq!(pace.next(), Some(us(1000)));
        pace.advance(&what, Luck::MAX, us(7300));
        assert_eq!(pace.next(), Some(us(8300)));
    }

    #[test]
    fn a_new_pace_never_puts_a_packet_off() {
        let (fast, slow) = (every(1000, 3), every(1_000_000, 3));
        let mut pace = Pace::default();
        pace.change(Some(&fast), Luck::MAX, us(0));
        pace.advance(&fast, Luck::MAX, us(0));
        pace.change(Some(&slow), 0, us(500));
        assert_eq!(pace.next(), Some(us(1000)));
        pace.advance(&slow, Luck::MAX, us(1000));
        assert_eq!(pace.next(), Some(us(1_001_000)));
        pace.change(Some(&fast), Luck::MAX, us(2000));
        assert_eq!(pace.next(), Some(us(3000)));
        pace.change(None, 0, us(2500));
        assert_eq!(pace.next(), None);
    }
}
