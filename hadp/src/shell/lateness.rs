//! How late a thread wakes up, in a histogram that others may read meanwhile.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

/// How many buckets there are: the last one is for half a second and more.
pub(crate) const BUCKETS: usize = 20;

/// Counts by powers of two of a microsecond: bucket 0 is below 1 us, bucket `n` from 2^(n-1) us to below 2^n us.
///
/// One thread writes at a time, others read: without a lock, and without a sum that would have to agree with the counts.
#[derive(Debug, Default)]
pub(crate) struct Lateness {
    counts: [AtomicU64; BUCKETS],
    longest_us: AtomicU64,
}

impl Lateness {
    /// Counts one wake-up.
    pub(crate) fn record(&self, late: Duration) {
        let micros = u64::try_from(late.as_micros()).unwrap_or(u64::MAX);
        let bucket = (u64::BITS - micros.leading_zeros()) as usize;
        if let Some(count) = self.counts.get(bucket.min(BUCKETS - 1)) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        self.longest_us.fetch_max(micros, Ordering::Relaxed);
    }

    /// Returns the counts, from the shortest on.
    pub(crate) fn counts(&self) -> [u64; BUCKETS] {
        let mut counts = [0; BUCKETS];
        for (to, from) in counts.iter_mut().zip(&self.counts) {
            *to = from.load(Ordering::Relaxed);
        }
        counts
    }

    /// Returns the longest, in microseconds.
    pub(crate) fn longest_us(&self) -> u64 {
        self.longest_us.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_span_has_its_bucket() {
        for (micros, bucket) in
            [(0, 0), (1, 1), (2, 2), (3, 2), (4, 3), (262_143, 18), (262_144, 19), (u64::MAX, 19)]
        {
            let lateness = Lateness::default();
            lateness.record(Duration::from_micros(micros));
            let found = lateness.counts().iter().position(|count| *count == 1);
            assert_eq!(found, Some(bucket), "{micros} us");
            assert_eq!(lateness.longest_us(), micros);
        }
    }
}
