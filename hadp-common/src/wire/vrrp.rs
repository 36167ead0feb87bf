//! VRRP advertisements over IPv4 (RFC 9568 §5.2, RFC 3768 §5.3).
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! +-------+-------+---------------+---------------+---------------+
//! |Version| Type  |     VRID      |   Priority    |  Addr. count  |
//! +-------+-------+---------------+---------------+---------------+
//! | v3: Reserve(4) | Interval(12) cs |          Checksum          |
//! | v2: Auth type(8) | Interval(8) s |          Checksum          |
//! +-------------------------------+-------------------------------+
//! |                     IPv4 addresses, count x 4                 |
//! +---------------------------------------------------------------+
//! |                 v2: authentication data, 8 octets             |
//! +---------------------------------------------------------------+
//! ```

use core::net::Ipv4Addr;

use super::{checksum, ipv4};

/// The length of the fixed header, of both versions.
pub const VRRP_LEN: usize = 8;
/// The length of v2's authentication data.
pub const AUTH_LEN: usize = 8;
/// The most addresses an advertisement lists.
pub const MAX_ADDRESSES: usize = 255;
/// The longest message over IPv4.
pub const MAX_LEN: usize = VRRP_LEN + 4 * MAX_ADDRESSES + AUTH_LEN;
/// Version and type octet of a v2 advertisement.
pub const V2_ADVERT: u8 = 0x21;
/// Version and type octet of a v3 advertisement.
pub const V3_ADVERT: u8 = 0x31;
/// v2 authentication type: none.
pub const AUTH_NONE: u8 = 0;
/// v2 authentication type: simple text password (RFC 2338 §5.3.6).
pub const AUTH_PASS: u8 = 1;
/// The group of VRRP over IPv4.
pub const GROUP_V4: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 18);

/// What the v3 checksum over IPv4 covers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ChecksumMode {
    /// The VRRP message alone (RFC 9568 §5.2.8).
    Message,
    /// The message and the IPv4 pseudo-header, as RFC 5798 was implemented everywhere.
    WithPseudoHeader,
}

/// What distinguishes the two versions in an advertisement.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Body {
    /// VRRPv2: the interval in whole seconds and the authentication data.
    V2 {
        /// 1..=255 seconds.
        seconds: u8,
        /// The type and data of the authentication.
        auth: Option<[u8; AUTH_LEN]>,
    },
    /// VRRPv3: the interval in centiseconds.
    V3 {
        /// 1..=4095 centiseconds.
        centis: u16,
        /// What the checksum covers.
        checksum: ChecksumMode,
    },
}

/// An advertisement to send.
#[derive(Clone, Copy, Debug)]
pub struct Advert<'a> {
    /// The virtual router identifier.
    pub vrid: u8,
    /// The priority; 0 resigns.
    pub priority: u8,
    /// Version, interval and authentication.
    pub body: Body,
    /// The virtual addresses, 1..=255 of them.
    pub addresses: &'a [Ipv4Addr],
    /// The source of the datagram.
    pub src: Ipv4Addr,
    /// The destination of the datagram.
    pub dst: Ipv4Addr,
}

impl Advert<'_> {
    /// Writes the message into `buf` and returns its length.
    ///
    /// `None` if there are more than 255 addresses or `buf` is too short ([`MAX_LEN`] always suffices).
    pub fn encode(&self, buf: &mut [u8]) -> Option<usize> {
        let count = u8::try_from(self.addresses.len()).ok()?;
        let (version_type, interval, auth) = match self.body {
            Body::V2 { seconds, auth } => {
                let kind = if auth.is_some() { AUTH_PASS } else { AUTH_NONE };
                (V2_ADVERT, [kind, seconds], Some(auth.unwrap_or_default()))
            }
            Body::V3 { centis, .. } => (V3_ADVERT, (centis & 0x0fff).to_be_bytes(), None),
        };
        let len = VRRP_LEN + 4 * self.addresses.len() + auth.map_or(0, |data| data.len());
        let message = buf.get_mut(..len)?;
        let (header, rest) = message.split_first_chunk_mut::<VRRP_LEN>()?;
        *header = [version_type, self.vrid, self.priority, count, interval[0], interval[1], 0, 0];
        let (addresses, tail) = rest.split_at_mut_checked(4 * self.addresses.len())?;
        for (to, from) in addresses.as_chunks_mut::<4>().0.iter_mut().zip(self.addresses) {
            *to = from.octets();
        }
        if let Some(data) = auth {
            tail.copy_from_slice(&data);
        }
        let sum = checksum::finish(checksum::add(self.pseudo_header(len)?, message)).to_be_bytes();
        message.get_mut(6..8)?.copy_from_slice(&sum);
        Some(len)
    }

    /// Returns the sum of the pseudo-header where the checksum covers it, else 0.
    fn pseudo_header(&self, len: usize) -> Option<u32> {
        match self.body {
            Body::V3 { checksum: ChecksumMode::WithPseudoHeader, .. } => {
                let sum = checksum::add(checksum::add(0, &self.src.octets()), &self.dst.octets());
                Some(sum + u32::from(ipv4::IPPROTO_VRRP) + u32::try_from(len).ok()?)
            }
            Body::V3 { checksum: ChecksumMode::Message, .. } | Body::V2 { .. } => Some(0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VIPS: [Ipv4Addr; 2] = [Ipv4Addr::new(192, 0, 2, 1), Ipv4Addr::new(192, 0, 2, 2)];
    const SRC: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 251);

    fn encode(body: Body) -> ([u8; MAX_LEN], usize) {
        let mut buf = [0xaa; MAX_LEN];
        let advert = Advert { vrid: 10, priority: 200, body, addresses: &VIPS, src: SRC, dst: GROUP_V4 };
        let len = advert.encode(&mut buf).unwrap();
        (buf, len)
    }

    #[test]
    fn rfc9568_5_2_8_v3_checksums() {
        let (buf, len) = encode(Body::V3 { centis: 100, checksum: ChecksumMode::Message });
        assert_eq!(&buf[..len], [0x31, 10, 200, 2, 0, 100, 0x82, 0x8a, 192, 0, 2, 1, 192, 0, 2, 2]);
        let (buf, len) = encode(Body::V3 { centis: 100, checksum: ChecksumMode::WithPseudoHeader });
        let pseudo = checksum::add(checksum::add(112 + 16, &SRC.octets()), &GROUP_V4.octets());
        assert_eq!(checksum::fold(u64::from(checksum::add(pseudo, &buf[..len]))), 0xffff);
    }

    #[test]
    fn rfc3768_5_3_v2_carries_the_password() {
        let (buf, len) = encode(Body::V2 { seconds: 1, auth: Some(*b"1111\0\0\0\0") });
        assert_eq!(len, 24);
        assert_eq!(&buf[..6], [0x21, 10, 200, 2, 1, 1]);
        assert_eq!(&buf[16..24], b"1111\0\0\0\0");
        assert_eq!(checksum::fold(u64::from(checksum::add(0, &buf[..len]))), 0xffff);
    }

    #[test]
    fn too_many_addresses_are_refused() {
        let addresses = [SRC; 256];
        let body = Body::V3 { centis: 1, checksum: ChecksumMode::Message };
        let advert = Advert { vrid: 1, priority: 1, body, addresses: &addresses, src: SRC, dst: GROUP_V4 };
        assert_eq!(advert.encode(&mut [0; 2048]), None);
    }
}
