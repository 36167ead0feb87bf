//! Whether the machine keeps a session's pace.

use std::time::Duration;

use crate::units::Time;

/// The least time over which packets are counted.
const WINDOW: Duration = Duration::from_secs(1);
/// The least number of intervals in that time.
const INTERVALS: u32 = 16;
/// How many windows in a row must be short: a machine that stood still for a moment keeps its pace.
const WINDOWS: u32 = 3;

/// The packets of one session, counted.
///
/// Jitter makes the mean interval seven eighths of the one that was asked for (RFC 5880 §6.8.7). One that is a quarter longer
/// is therefore short of three packets in ten: no jitter, but a machine that does not get to it.
#[derive(Debug, Default)]
pub(super) struct Keeping {
    /// The interval that is asked for, since when, and the packets since then.
    window: Option<(Duration, Time, u32)>,
    short: u32,
    /// The interval of which the log has it.
    told: Option<Duration>,
}

/// What a window shows.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kept {
    /// The window is not over.
    Open,
    /// The pace is kept, or not yet missed for long.
    Well,
    /// It is not: packets are so far apart.
    Short(Duration),
    /// So it is, and that is news.
    News(Duration),
}

impl Keeping {
    /// Notes a packet of a pace.
    pub(super) fn sent(&mut self, every: Duration, now: Time) -> Kept {
        let (since, packets) = match self.window {
            Some((asked, since, packets)) if asked == every => (since, packets + 1),
            // The first packet begins the time in which others are counted.
            _ => {
                self.short = 0;
                (now, 0)
            }
        };
        self.window = Some((every, since, packets));
        let elapsed = now.since(since);
        if packets == 0 || elapsed < WINDOW.max(every * INTERVALS) {
            return Kept::Open;
        }
        self.window = Some((every, now, 0));
        let kept = elapsed / packets;
        self.short = if kept > every * 5 / 4 { self.short + 1 } else { 0 };
        if self.short < WINDOWS {
            return Kept::Well;
        }
        match self.told.replace(every) == Some(every) {
            true => Kept::Short(kept),
            false => Kept::News(kept),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn us(micros: u64) -> Duration {
        Duration::from_micros(micros)
    }

    /// Sends every `apart` for `time`, and returns what is news of it and how the last window ended.
    fn send(keeping: &mut Keeping, now: &mut Time, asked: u64, apart: u64, time: Duration) -> (usize, Kept) {
        let (end, mut news, mut last) = (*now + time, 0, Kept::Open);
        while *now < end {
            *now = *now + us(apart);
            match keeping.sent(us(asked), *now) {
                Kept::Open => {}
                kept @ (Kept::Well | Kept::Short(_) | Kept::News(_)) => {
                    news += usize::from(matches!(kept, Kept::News(_)));
                    last = kept;
                }
            }
        }
        (news, last)
    }

    #[test]
    fn a_pace_that_is_missed_for_seconds_is_told_once() {
        let (mut keeping, mut now) = (Keeping::default(), Time::from_nanos(1));
        let mut send = |asked, apart, secs: u64| {
            send(&mut keeping, &mut now, asked, apart, Duration::from_millis(secs * 1000 + 200))
        };
        assert_eq!(send(250, 219, 10), (0, Kept::Well));
        assert_eq!(send(250, 310, 10), (0, Kept::Well), "a quarter longer is not enough");
        assert_eq!(send(250, 400, 2), (0, Kept::Well), "nor are two seconds");
        assert_eq!(send(250, 219, 2), (0, Kept::Well));
        assert_eq!(send(250, 400, 60), (1, Kept::Short(us(400))));
        assert_eq!(send(250, 219, 3), (0, Kept::Well));
        assert_eq!(send(250, 400, 60), (0, Kept::Short(us(400))), "said already");
        assert_eq!(send(100, 400, 4), (1, Kept::Short(us(400))), "another pace");
    }

    #[test]
    fn a_slow_pace_is_judged_by_many_packets() {
        let (mut keeping, mut now) = (Keeping::default(), Time::from_nanos(1));
        let second = Duration::from_secs(1);
        assert_eq!(send(&mut keeping, &mut now, 1_000_000, 1_500_000, second * 40), (0, Kept::Well));
        assert_eq!(send(&mut keeping, &mut now, 1_000_000, 1_500_000, second * 20).0, 1);
    }
}
