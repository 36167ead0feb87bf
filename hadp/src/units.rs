//! Quantities with a unit or a range.

#[cfg(feature = "daemon")]
pub(crate) mod nanos;

use std::{
    fmt,
    num::NonZeroU8,
    ops::{Add, Sub},
    time::Duration,
};

/// A number is not a value of its quantity.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{value} is not {what}")]
pub struct OutOfRange {
    what: &'static str,
    value: u32,
}

impl OutOfRange {
    pub(crate) fn new(what: &'static str, value: impl Into<u32>) -> Self {
        Self { what, value: value.into() }
    }
}

/// A point in time: nanoseconds of CLOCK_MONOTONIC, the clock of `bpf_ktime_get_ns` and of every lease.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[cfg_attr(feature = "daemon", derive(serde::Deserialize, serde::Serialize))]
pub struct Time(u64);

impl Time {
    /// Before everything; as a lease, ownership that has ended.
    pub const ZERO: Self = Self(0);

    /// Builds the time of this many nanoseconds.
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Returns the time as nanoseconds.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// Returns how long after `earlier` this is, zero if it is not.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Time {
    type Output = Self;

    fn add(self, span: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)))
    }
}

impl Sub<Duration> for Time {
    type Output = Self;

    fn sub(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)))
    }
}

/// A virtual router identifier, 1..=255 (RFC 9568 §5.2.3).
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Vrid(NonZeroU8);

impl Vrid {
    /// Builds an identifier, or `None` for 0.
    pub const fn new(value: u8) -> Option<Self> {
        match NonZeroU8::new(value) {
            Some(value) => Some(Self(value)),
            None => None,
        }
    }

    /// Returns the identifier as on the wire.
    pub const fn get(self) -> u8 {
        self.0.get()
    }
}

impl fmt::Display for Vrid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A configured priority, 1..=255; 255 is the address owner's (RFC 9568 §5.2.4). 0 exists on the wire only.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[cfg_attr(
    feature = "daemon",
    derive(serde::Deserialize, serde::Serialize),
    serde(try_from = "u8", into = "u8")
)]
pub struct Priority(NonZeroU8);

impl Priority {
    /// The priority of the router that owns the addresses.
    pub const OWNER: Self = Self(NonZeroU8::MAX);

    /// Builds a priority, or `None` for 0.
    pub const fn new(value: u8) -> Option<Self> {
        match NonZeroU8::new(value) {
            Some(value) => Some(Self(value)),
            None => None,
        }
    }

    /// Returns the priority as on the wire.
    pub const fn get(self) -> u8 {
        self.0.get()
    }
}

impl TryFrom<u8> for Priority {
    type Error = OutOfRange;

    fn try_from(value: u8) -> Result<Self, OutOfRange> {
        Self::new(value).ok_or(OutOfRange::new("a priority", value))
    }
}

impl From<Priority> for u8 {
    fn from(priority: Priority) -> Self {
        priority.get()
    }
}

impl fmt::Display for Priority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A VRRP advertisement interval.
///
/// # Units
///
/// Centiseconds, 1..=25_500. VRRPv3 carries 1..=4095 of them in 12 bits (RFC 9568 §5.2.7); VRRPv2 carries 1..=255 whole
/// seconds, converted when decoded, so no caller ever sees seconds.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[cfg_attr(
    feature = "daemon",
    derive(serde::Deserialize, serde::Serialize),
    serde(try_from = "u16", into = "u16")
)]
pub struct Centis(u16);

impl Centis {
    /// One second, the protocol's default.
    pub const SECOND: Self = Self(100);

    /// Builds an interval, or `None` if `value` is out of range.
    pub const fn new(value: u16) -> Option<Self> {
        if value == 0 || value > 25_500 { None } else { Some(Self(value)) }
    }

    /// Returns the interval in centiseconds.
    pub const fn get(self) -> u16 {
        self.0
    }

    /// Returns the interval as a span of time.
    pub const fn duration(self) -> Duration {
        Duration::from_millis(self.0 as u64 * 10)
    }

    /// Returns `(256 - priority) / 256` of this interval, which is v3's Skew_Time (RFC 9568 §6.1).
    ///
    /// Nanoseconds throughout, so that short intervals do not round to zero.
    pub const fn skew(self, priority: u8) -> Duration {
        Duration::from_nanos((256 - priority as u64) * (self.0 as u64 * 10_000_000) / 256)
    }
}

impl TryFrom<u16> for Centis {
    type Error = OutOfRange;

    fn try_from(value: u16) -> Result<Self, OutOfRange> {
        Self::new(value).ok_or(OutOfRange::new("an interval in centiseconds", value))
    }
}

impl From<Centis> for u16 {
    fn from(interval: Centis) -> Self {
        interval.get()
    }
}

impl fmt::Display for Centis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:02} s", self.0 / 100, self.0 % 100)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_outside_the_wire_format_cannot_be_built() {
        assert_eq!(Centis::new(0), None);
        assert_eq!(Centis::new(25_501), None);
        assert_eq!(Centis::new(1).map(Centis::duration), Some(Duration::from_millis(10)));
    }

    #[test]
    fn rfc9568_6_1_skew_does_not_round() {
        let centis = Centis::new(1).unwrap();
        assert_eq!(centis.skew(254), Duration::from_nanos(78_125));
        assert_eq!(Centis::SECOND.skew(100), Duration::from_nanos(609_375_000));
    }

    #[test]
    fn time_does_not_wrap() {
        assert_eq!(Time::from_nanos(u64::MAX) + Duration::from_secs(1), Time::from_nanos(u64::MAX));
        assert_eq!(Time::ZERO - Duration::from_secs(1), Time::ZERO);
    }
}
