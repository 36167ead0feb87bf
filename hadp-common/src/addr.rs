//! Addresses as the maps hold them.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::macros::map_types;

map_types! {
    /// An IPv4 or IPv6 address: 16 octets in network order, IPv4 as `::ffff:a.b.c.d`.
    ///
    /// Aligned to 4 octets, so that programs compare it by words.
    #[derive(Default, Hash, Ord, PartialOrd)]
    #[repr(align(4))]
    pub struct Address[16] {
        /// The octets, as on the wire.
        pub octets: [u8; 16],
    }
}

/// The third 32-bit word of an IPv4-mapped address, in host byte order as loaded from memory.
pub const MAPPED_WORD: u32 = u32::from_ne_bytes([0, 0, 0xff, 0xff]);

impl Address {
    /// The unspecified address, which no table entry carries.
    pub const UNSPECIFIED: Self = Self { octets: [0; 16] };

    /// Builds the address from its four words as loaded from memory.
    #[inline(always)]
    pub const fn from_words(words: [u32; 4]) -> Self {
        let ([a, b, c, d], [e, f, g, h]) = (words[0].to_ne_bytes(), words[1].to_ne_bytes());
        let ([i, j, k, l], [m, n, o, p]) = (words[2].to_ne_bytes(), words[3].to_ne_bytes());
        Self { octets: [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] }
    }

    /// Builds the IPv4-mapped address of a word as loaded from a packet.
    #[inline(always)]
    pub const fn from_v4_word(word: u32) -> Self {
        Self::from_words([0, 0, MAPPED_WORD, word])
    }

    /// Returns the four words as loaded from memory.
    #[inline(always)]
    pub const fn words(&self) -> [u32; 4] {
        let o = &self.octets;
        [
            u32::from_ne_bytes([o[0], o[1], o[2], o[3]]),
            u32::from_ne_bytes([o[4], o[5], o[6], o[7]]),
            u32::from_ne_bytes([o[8], o[9], o[10], o[11]]),
            u32::from_ne_bytes([o[12], o[13], o[14], o[15]]),
        ]
    }
}

impl From<Ipv4Addr> for Address {
    fn from(addr: Ipv4Addr) -> Self {
        Self { octets: addr.to_ipv6_mapped().octets() }
    }
}

impl From<IpAddr> for Address {
    fn from(addr: IpAddr) -> Self {
        match addr {
            IpAddr::V4(v4) => v4.into(),
            IpAddr::V6(v6) => Self { octets: v6.octets() },
        }
    }
}

impl From<Address> for IpAddr {
    fn from(addr: Address) -> Self {
        Ipv6Addr::from(addr.octets).to_canonical()
    }
}

/// The address family of a virtual router: 4 or 6, as the maps hold it.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[repr(u8)]
pub enum Family {
    /// IPv4.
    V4 = 4,
    /// IPv6.
    V6 = 6,
}

impl Family {
    /// Returns the family of an address.
    pub const fn of(addr: &IpAddr) -> Self {
        match addr {
            IpAddr::V4(_) => Self::V4,
            IpAddr::V6(_) => Self::V6,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_families_survive_the_round_trip() {
        for text in ["10.77.0.100", "255.255.255.255", "fe80::1", "2001:db8::ffff:a00:1", "::1"] {
            let addr: IpAddr = text.parse().unwrap();
            assert_eq!(IpAddr::from(Address::from(addr)), addr);
            assert_eq!(Address::from_words(Address::from(addr).words()), Address::from(addr));
        }
    }

    #[test]
    fn a_packet_word_gives_the_mapped_address() {
        let word = u32::from_ne_bytes([10, 77, 0, 100]);
        assert_eq!(Address::from_v4_word(word), Ipv4Addr::new(10, 77, 0, 100).into());
    }
}
