//! An Ethernet address.

use std::fmt::{self, Debug, Display};

/// An Ethernet address, printed as `02:00:0a:4d:00:01`.
#[derive(Clone, Copy, Eq, Ord, PartialEq, PartialOrd)]
pub struct Mac(pub [u8; 6]);

impl Mac {
    /// Returns the address as a number, for an atomic.
    pub(super) fn to_u64(self) -> u64 {
        self.0.iter().fold(0, |number, octet| number << 8 | u64::from(*octet))
    }

    /// Undoes [`Self::to_u64`].
    pub(super) fn from_u64(number: u64) -> Self {
        let [_, _, mac @ ..] = number.to_be_bytes();
        Self(mac)
    }
}

impl Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl Debug for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Display::fmt(self, f)
    }
}
