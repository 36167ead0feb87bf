//! The IPv4 header (RFC 791).

use super::checksum;

/// The length of a header without options.
pub const IPV4_LEN: usize = 20;
/// IP protocol number of VRRP.
pub const IPPROTO_VRRP: u8 = 112;
/// IP protocol number of UDP.
pub const IPPROTO_UDP: u8 = 17;
/// DSCP CS6 (internetwork control) as TOS octet, which routing protocols use.
pub const TOS_CONTROL: u8 = 0xc0;

/// Returns the header of a datagram with `payload` octets of protocol `protocol`, its checksum set.
///
/// `None` if the datagram would exceed 65,535 octets.
pub fn header(src: [u8; 4], dst: [u8; 4], ttl: u8, protocol: u8, payload: usize) -> Option<[u8; IPV4_LEN]> {
    let length = u16::try_from(IPV4_LEN + payload).ok()?.to_be_bytes();
    let mut header = [
        0x45,
        TOS_CONTROL,
        length[0],
        length[1],
        0,
        0,
        0,
        0,
        ttl,
        protocol,
        0,
        0,
        src[0],
        src[1],
        src[2],
        src[3],
        dst[0],
        dst[1],
        dst[2],
        dst[3],
    ];
    let sum = checksum::finish(checksum::add(0, &header)).to_be_bytes();
    header[10] = sum[0];
    header[11] = sum[1];
    Some(header)
}
