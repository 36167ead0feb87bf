//! The one place where time enters.

use nix::time::{ClockId, clock_gettime};

use crate::units::Time;

/// Returns the current time of CLOCK_MONOTONIC.
///
/// The clock cannot fail on Linux; should it, the answer is [`Time::ZERO`], before every deadline.
pub fn now() -> Time {
    clock_gettime(ClockId::CLOCK_MONOTONIC).map_or(Time::ZERO, |spec| {
        let (seconds, nanos) = (spec.tv_sec().unsigned_abs(), spec.tv_nsec().unsigned_abs());
        Time::from_nanos(seconds.saturating_mul(1_000_000_000).saturating_add(nanos))
    })
}

/// Stays awake until then: for times shorter than it takes to wake up.
pub(super) fn wait_until(then: Time) {
    while now() < then {
        std::hint::spin_loop();
    }
}

/// Returns the wall clock's nanoseconds since 1970, for people to read; it may be set at any time. 0 if it is unknown.
pub(super) fn wall_nanos() -> u64 {
    clock_gettime(ClockId::CLOCK_REALTIME).map_or(0, |spec| {
        let (seconds, nanos) = (spec.tv_sec().unsigned_abs(), spec.tv_nsec().unsigned_abs());
        seconds.saturating_mul(1_000_000_000).saturating_add(nanos)
    })
}
