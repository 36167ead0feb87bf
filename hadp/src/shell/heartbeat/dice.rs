//! Random numbers.

use crate::proto::bfd::Luck;

/// Random numbers (xorshift): jitter keeps nodes out of step, no more.
pub(super) struct Dice(u64);

impl Dice {
    /// Starts with a seed; 0 is as good as 1.
    pub(super) fn new(seed: u64) -> Self {
        Self(seed | 1)
    }

    /// Returns the next one.
    pub(super) fn roll(&mut self) -> Luck {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 32) as Luck
    }
}
