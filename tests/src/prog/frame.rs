//! Building frames.

use std::net::Ipv4Addr;

use hadp_common::wire::{
    arp::{ARP_PREFIX, ARP_REQUEST},
    checksum,
    ether::{ETHERTYPE_ARP, ETHERTYPE_IPV4, ETHERTYPE_QINQ, ETHERTYPE_VLAN, multicast_v4},
    ipv4::IPPROTO_VRRP,
    vrrp::{Advert, Body, ChecksumMode, GROUP_V4, MAX_LEN},
};

/// An Ethernet frame to build.
#[derive(Clone, Debug)]
pub struct Frame {
    /// Destination MAC.
    pub dst: [u8; 6],
    /// Source MAC.
    pub src: [u8; 6],
    /// The VLAN identifiers of its tags, outer first.
    pub vlans: Vec<u16>,
    /// The EtherType of its payload.
    pub ethertype: u16,
    /// What it carries.
    pub payload: Vec<u8>,
}

impl Frame {
    /// Returns an IPv4 frame between two unicast MACs.
    pub fn ip(ip: &Ip) -> Self {
        let dst = if ip.dst.is_multicast() { multicast_v4(ip.dst.octets()) } else { [2, 0, 0, 0, 0, 1] };
        let payload = ip.octets();
        Self { dst, src: PEER_MAC, vlans: Vec::new(), ethertype: ETHERTYPE_IPV4, payload }
    }

    /// Returns an ARP frame: requests are broadcast.
    pub fn arp(arp: &Arp) -> Self {
        let dst = if arp.operation == ARP_REQUEST { [0xff; 6] } else { arp.target_mac };
        Self { dst, src: arp.sender_mac, vlans: Vec::new(), ethertype: ETHERTYPE_ARP, payload: arp.octets() }
    }

    /// Adds tags: 802.1ad outside, 802.1Q inside where there are two.
    pub fn tagged(mut self, vlans: &[u16]) -> Self {
        self.vlans = vlans.to_vec();
        self
    }

    /// Replaces the destination MAC.
    pub fn to(mut self, mac: [u8; 6]) -> Self {
        self.dst = mac;
        self
    }

    /// Returns the frame's octets.
    pub fn octets(&self) -> Vec<u8> {
        let mut octets = [self.dst, self.src].concat();
        for (index, vlan) in self.vlans.iter().enumerate() {
            let outermost_of_two = index + 1 < self.vlans.len();
            let tag = if outermost_of_two { ETHERTYPE_QINQ } else { ETHERTYPE_VLAN };
            octets.extend(tag.to_be_bytes());
            octets.extend((vlan | 0xe000).to_be_bytes()); // priority 7
        }
        octets.extend(self.ethertype.to_be_bytes());
        octets.extend(&self.payload);
        octets
    }
}

/// The source MAC of frames built here.
pub const PEER_MAC: [u8; 6] = [0x52, 0x54, 0, 0, 0, 7];

/// An IPv4 datagram to build.
#[derive(Clone, Debug)]
pub struct Ip {
    /// Source address.
    pub src: Ipv4Addr,
    /// Destination address.
    pub dst: Ipv4Addr,
    /// Time to live.
    pub ttl: u8,
    /// Protocol number.
    pub protocol: u8,
    /// Options, a multiple of 4 octets.
    pub options: Vec<u8>,
    /// Flags and fragment offset.
    pub fragment: u16,
    /// What it carries.
    pub payload: Vec<u8>,
}

impl Ip {
    /// Returns a UDP datagram with nothing in it.
    pub fn udp(src: Ipv4Addr, dst: Ipv4Addr) -> Self {
        let payload = [&[0x30, 0x39, 0, 80, 0, 30, 0, 0][..], &[0; 22]].concat();
        Self { src, dst, ttl: 64, protocol: 17, options: Vec::new(), fragment: 0x4000, payload }
    }

    /// Returns a datagram with a VRRP message to the group.
    pub fn vrrp(src: Ipv4Addr, payload: Vec<u8>) -> Self {
        let (ttl, protocol) = (255, IPPROTO_VRRP);
        Self { src, dst: GROUP_V4, ttl, protocol, options: Vec::new(), fragment: 0, payload }
    }

    /// Returns the datagram's octets, its header checksum set.
    pub fn octets(&self) -> Vec<u8> {
        let header_len = 20 + self.options.len();
        let words = u8::try_from(header_len / 4).expect("options fit a header");
        let total =
            u16::try_from(header_len + self.payload.len()).expect("the datagram fits its length field");
        let mut octets = vec![0x40 | words, 0xc0];
        octets.extend(total.to_be_bytes());
        octets.extend([0, 0]);
        octets.extend(self.fragment.to_be_bytes());
        octets.extend([self.ttl, self.protocol, 0, 0]);
        octets.extend(self.src.octets());
        octets.extend(self.dst.octets());
        octets.extend(&self.options);
        let sum = checksum::finish(checksum::add(0, &octets)).to_be_bytes();
        octets.splice(10..12, sum);
        octets.extend(&self.payload);
        octets
    }
}

/// An ARP message to build.
#[derive(Clone, Copy, Debug)]
pub struct Arp {
    /// Request or reply.
    pub operation: u16,
    /// Sender hardware address.
    pub sender_mac: [u8; 6],
    /// Sender protocol address.
    pub sender: Ipv4Addr,
    /// Target hardware address.
    pub target_mac: [u8; 6],
    /// Target protocol address.
    pub target: Ipv4Addr,
}

impl Arp {
    /// Returns a request of the peer for `target`.
    pub fn request(sender: Ipv4Addr, target: Ipv4Addr) -> Self {
        Self { operation: ARP_REQUEST, sender_mac: PEER_MAC, sender, target_mac: [0; 6], target }
    }

    fn octets(&self) -> Vec<u8> {
        let mut octets = ARP_PREFIX.to_vec();
        octets.extend(self.operation.to_be_bytes());
        octets.extend(self.sender_mac);
        octets.extend(self.sender.octets());
        octets.extend(self.target_mac);
        octets.extend(self.target.octets());
        octets
    }
}

/// Returns a v3 advert with the pseudo-header in its checksum.
pub fn v3(src: Ipv4Addr, vrid: u8, priority: u8, centis: u16, addresses: &[Ipv4Addr]) -> Vec<u8> {
    let body = Body::V3 { centis, checksum: ChecksumMode::WithPseudoHeader };
    encode(&Advert { vrid, priority, body, addresses, src, dst: GROUP_V4 })
}

/// Returns a v2 advert.
pub fn v2(vrid: u8, priority: u8, seconds: u8, auth: Option<[u8; 8]>, addresses: &[Ipv4Addr]) -> Vec<u8> {
    let (src, dst) = (Ipv4Addr::UNSPECIFIED, GROUP_V4);
    encode(&Advert { vrid, priority, body: Body::V2 { seconds, auth }, addresses, src, dst })
}

fn encode(advert: &Advert<'_>) -> Vec<u8> {
    let mut octets = vec![0; MAX_LEN];
    let len = advert.encode(&mut octets).expect("the advert fits its longest form");
    octets.truncate(len);
    octets
}
