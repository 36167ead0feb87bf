//! The intervals of a session, and the Poll Sequences that change them (RFC 5880 §6.5, §6.8.3).

use std::time::Duration;

use super::Config;

/// The shortest transmit interval of a session that is not Up (RFC 5880 §6.8.3).
const IDLE_FLOOR: Duration = Duration::from_secs(1);

/// The timing fields of this end's packets.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "daemon", derive(serde::Deserialize, serde::Serialize))]
pub(super) struct Timing {
    /// Desired Min TX Interval, in microseconds, not 0.
    pub(super) tx_us: u32,
    /// Required Min RX Interval, in microseconds, not 0.
    pub(super) rx_us: u32,
    /// Detect Mult, not 0.
    pub(super) multiplier: u8,
}

impl Timing {
    /// Returns the timing of a session that is Up.
    pub(super) fn fast(config: &Config) -> Self {
        Self {
            tx_us: micros(config.min_tx),
            rx_us: micros(config.min_rx),
            multiplier: config.multiplier.max(1),
        }
    }

    /// Returns the timing of a session that is not Up.
    pub(super) fn slow(config: &Config) -> Self {
        Self { tx_us: micros(config.idle_tx.max(IDLE_FLOOR)), ..Self::fast(config) }
    }

    /// Returns what is right whichever of the two the neighbour goes by: to send as often as either says, to wait for it
    /// as long as either says, and to be given up as soon as either says.
    fn careful(self, other: Self) -> Self {
        Self {
            tx_us: self.tx_us.min(other.tx_us),
            rx_us: self.rx_us.max(other.rx_us),
            multiplier: self.multiplier.min(other.multiplier),
        }
    }
}

/// What this end announces, and what the neighbour is known to go by.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "daemon", derive(serde::Deserialize, serde::Serialize))]
pub(super) struct Pace {
    announced: Timing,
    poll: Poll,
}

/// A Poll Sequence.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "daemon", derive(serde::Deserialize, serde::Serialize))]
enum Poll {
    /// None: the neighbour goes by what is announced.
    Idle,
    /// Packets carry the Poll bit until a Final is heard; until then the neighbour may go by earlier values, the most
    /// careful of which are these.
    UnderWay(Timing),
    /// The same, and the values changed once more meanwhile, so that the next Final answers for the older ones.
    Again(Timing),
}

impl Pace {
    /// Announces this timing to a neighbour that knows no other.
    pub(super) fn new(announced: Timing) -> Self {
        Self { announced, poll: Poll::Idle }
    }

    /// Announces another timing by a Poll Sequence.
    pub(super) fn change(&mut self, timing: Timing) {
        if timing == self.announced {
            return;
        }
        self.poll = match self.poll {
            Poll::Idle => Poll::UnderWay(self.announced),
            Poll::UnderWay(known) | Poll::Again(known) => Poll::Again(known.careful(self.announced)),
        };
        self.announced = timing;
    }

    /// Takes a Final into account.
    pub(super) fn finish(&mut self) {
        self.poll = match self.poll {
            Poll::Idle | Poll::UnderWay(_) => Poll::Idle,
            Poll::Again(known) => Poll::UnderWay(known),
        };
    }

    /// Tells whether packets carry the Poll bit.
    pub(super) fn is_polling(&self) -> bool {
        self.poll != Poll::Idle
    }

    /// Returns what packets say.
    pub(super) fn announced(&self) -> Timing {
        self.announced
    }

    /// Returns what is to be gone by here: a longer transmit interval, or a shorter wait for the neighbour, counts only
    /// once the neighbour has acknowledged it.
    pub(super) fn in_force(&self) -> Timing {
        match self.poll {
            Poll::Idle => self.announced,
            Poll::UnderWay(known) | Poll::Again(known) => known.careful(self.announced),
        }
    }
}

/// Returns a span in whole microseconds as packets carry them: at least 1, since 0 is reserved or means "do not send".
fn micros(span: Duration) -> u32 {
    u32::try_from(span.as_micros()).unwrap_or(u32::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn timing(tx_us: u32, rx_us: u32, multiplier: u8) -> Timing {
        Timing { tx_us, rx_us, multiplier }
    }

    #[test]
    fn rfc5880_6_8_3_changes_wait_for_the_final_where_the_neighbour_must_know_first() {
        let old = timing(1_000, 1_000, 3);
        #[rustfmt::skip]
        let rows = [
            ("tx grows",       timing(2_000, 1_000, 3), timing(1_000, 1_000, 3)),
            ("tx shrinks",     timing(  500, 1_000, 3), timing(  500, 1_000, 3)),
            ("rx grows",       timing(1_000, 2_000, 3), timing(1_000, 2_000, 3)),
            ("rx shrinks",     timing(1_000,   500, 3), timing(1_000, 1_000, 3)),
            ("more patience",  timing(1_000, 1_000, 5), timing(1_000, 1_000, 3)),
            ("less patience",  timing(1_000, 1_000, 2), timing(1_000, 1_000, 2)),
        ];
        for (name, new, meanwhile) in rows {
            let mut pace = Pace::new(old);
            pace.change(new);
            assert_eq!(
                (pace.is_polling(), pace.announced(), pace.in_force()),
                (true, new, meanwhile),
                "{name}"
            );
            pace.finish();
            assert_eq!((pace.is_polling(), pace.in_force()), (false, new), "{name}");
        }
    }

    #[test]
    fn rfc5880_6_5_a_change_during_a_poll_takes_a_final_of_its_own() {
        let mut pace = Pace::new(timing(1_000, 1_000, 3));
        pace.change(timing(500, 1_000, 3));
        pace.change(timing(4_000, 1_000, 3));
        assert_eq!(pace.in_force(), timing(500, 1_000, 3));
        pace.finish();
        assert_eq!((pace.is_polling(), pace.in_force()), (true, timing(500, 1_000, 3)));
        pace.finish();
        assert_eq!((pace.is_polling(), pace.in_force()), (false, timing(4_000, 1_000, 3)));
    }

    #[test]
    fn nothing_changed_is_no_poll_and_a_final_unasked_for_does_nothing() {
        let mut pace = Pace::new(timing(1_000, 1_000, 3));
        pace.change(timing(1_000, 1_000, 3));
        pace.finish();
        assert_eq!((pace.is_polling(), pace.in_force()), (false, timing(1_000, 1_000, 3)));
    }

    #[test]
    fn intervals_fit_the_packet() {
        assert_eq!(micros(Duration::ZERO), 1);
        assert_eq!(micros(Duration::from_secs(5_000)), u32::MAX);
    }
}
