//! Ethernet II and its VLAN tags.

/// The length of an Ethernet header without tags.
pub const ETH_LEN: usize = 14;
/// The length of one VLAN tag.
pub const VLAN_LEN: usize = 4;
/// EtherType IPv4.
pub const ETHERTYPE_IPV4: u16 = 0x0800;
/// EtherType ARP.
pub const ETHERTYPE_ARP: u16 = 0x0806;
/// EtherType IPv6.
pub const ETHERTYPE_IPV6: u16 = 0x86dd;
/// EtherType of a customer VLAN tag (IEEE 802.1Q).
pub const ETHERTYPE_VLAN: u16 = 0x8100;
/// EtherType of a service VLAN tag (IEEE 802.1ad).
pub const ETHERTYPE_QINQ: u16 = 0x88a8;
/// The broadcast address.
pub const BROADCAST: [u8; 6] = [0xff; 6];

/// Returns the header of an untagged frame.
pub const fn header(dst: [u8; 6], src: [u8; 6], ethertype: u16) -> [u8; ETH_LEN] {
    let [hi, lo] = ethertype.to_be_bytes();
    [dst[0], dst[1], dst[2], dst[3], dst[4], dst[5], src[0], src[1], src[2], src[3], src[4], src[5], hi, lo]
}

/// Returns the MAC address of an IPv4 multicast group (RFC 1112 §6.4).
pub const fn multicast_v4(group: [u8; 4]) -> [u8; 6] {
    [0x01, 0x00, 0x5e, group[1] & 0x7f, group[2], group[3]]
}
