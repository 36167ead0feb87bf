//! The clock of a node: not that of another one.

use hadp::units::Time;

/// CLOCK_MONOTONIC of one node: it began at another moment, and runs a little faster or slower, as a clock does that NTP
/// slews (500 ppm at most).
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    offset_ns: u64,
    ppm: i64,
}

impl Clock {
    /// The largest error of a rate, in parts per million.
    pub(super) const MAX_PPM: u64 = 500;

    /// Builds a clock that showed `offset_ns` when time began and gains `ppm` microseconds a second.
    pub(super) fn new(offset_ns: u64, ppm: i64) -> Self {
        Self { offset_ns, ppm }
    }

    /// Returns what this clock shows at the true time `at`.
    pub(super) fn shows(&self, at: Time) -> Time {
        let true_ns = i128::from(at.as_nanos());
        let gained = true_ns * i128::from(self.ppm) / 1_000_000;
        nanos(true_ns + gained + i128::from(self.offset_ns))
    }

    /// Returns the first true time at which this clock shows `local` or later.
    pub(super) fn when(&self, local: Time) -> Time {
        let elapsed = i128::from(local.as_nanos()) - i128::from(self.offset_ns);
        let at = nanos(elapsed * 1_000_000 / (1_000_000 + i128::from(self.ppm)));
        // Rounding down twice can be two nanoseconds early.
        (0..4)
            .map(|late| Time::from_nanos(at.as_nanos().saturating_add(late)))
            .find(|at| self.shows(*at) >= local)
            .unwrap_or(at)
    }
}

fn nanos(value: i128) -> Time {
    Time::from_nanos(u64::try_from(value.max(0)).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_found_again() {
        for ppm in [-500, -3, 0, 7, 500] {
            let clock = Clock::new(987_654_321, ppm);
            for at in [0, 1, 999, 1_000_003, 123_456_789_012] {
                let local = clock.shows(Time::from_nanos(at));
                let when = clock.when(local);
                assert!(clock.shows(when) >= local, "{ppm} {at}");
                assert!(when.as_nanos().abs_diff(at) <= 2, "{ppm} {at} {when:?}");
            }
        }
    }
}
