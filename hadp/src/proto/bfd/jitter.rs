//! How much earlier than its interval says a packet leaves.

use std::time::Duration;

/// Returns the wait before the next packet: `every` less 0-25 %, or less 10-25 % where one lost packet is enough to go
/// down (RFC 5880 §6.8.7); `random` is spread evenly over that range.
pub fn jitter(every: Duration, multiplier: u8, random: u32) -> Duration {
    let nanos = every.as_nanos();
    let least = if multiplier == 1 { nanos.div_ceil(10) } else { 0 };
    let span = (nanos / 4).saturating_sub(least);
    let off = least + span * u128::from(random) / u128::from(u32::MAX);
    Duration::from_nanos(u64::try_from(nanos - off).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc5880_6_8_7_jitter() {
        let rows = [
            // Microseconds, multiplier, random, nanoseconds.
            (1_000, 3, 0, 1_000_000),
            (1_000, 3, u32::MAX, 750_000),
            (1_000, 3, u32::MAX / 5, 950_000),
            (1_000, 1, 0, 900_000),
            (1_000, 1, u32::MAX, 750_000),
            (1_000, 1, u32::MAX / 3, 850_000),
            (0, 1, u32::MAX, 0),
            (u64::from(u32::MAX), 2, u32::MAX, 3_221_225_471_250),
        ];
        for (micros, multiplier, random, nanos) in rows {
            let wait = jitter(Duration::from_micros(micros), multiplier, random);
            assert_eq!(wait, Duration::from_nanos(nanos), "{micros} us x {multiplier}, {random}");
        }
    }

    #[test]
    fn rfc5880_6_8_7_jitter_stays_within_its_bounds() {
        for every in [0, 1, 2, 3, 9, 11, 999, 250_000].map(Duration::from_nanos) {
            for random in [0, 1, u32::MAX / 2, u32::MAX - 1, u32::MAX] {
                assert!(jitter(every, 2, random) <= every);
                assert!(jitter(every, 2, random) * 4 >= every * 3);
                assert!(jitter(every, 1, random) * 10 <= every * 9, "{every:?}");
            }
        }
    }
}
