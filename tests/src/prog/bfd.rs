//! Building BFD packets.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use hadp::{datapath::PlannedSession, proto::bfd::SessionId};
use hadp_common::wire::{
    bfd::{BFD_LEN, Control, PORT, SessionState},
    ether::{ETHERTYPE_IPV4, ETHERTYPE_IPV6},
};

use super::{Frame, IFINDEX, Ip, PEER_MAC, plans::OWN_MAC};

/// A BFD packet to build, with the headers it comes in.
#[derive(Clone, Debug)]
pub struct Bfd {
    /// Source address.
    pub src: IpAddr,
    /// Destination address, of the same family.
    pub dst: IpAddr,
    /// TTL or hop limit.
    pub ttl: u8,
    /// UDP destination port.
    pub port: u16,
    /// The length in the UDP header, if it is not the true one.
    pub udp_len: Option<u16>,
    /// What the UDP datagram carries.
    pub packet: Vec<u8>,
}

impl Bfd {
    /// Returns a single-hop packet.
    pub fn new(src: IpAddr, dst: IpAddr, control: &Control) -> Self {
        let length = u8::try_from(BFD_LEN).expect("the packet is short");
        Self { src, dst, ttl: 255, port: PORT, udp_len: None, packet: control.encode(length).to_vec() }
    }

    /// Changes the packet's octets.
    pub fn edited(mut self, edit: impl FnOnce(&mut Vec<u8>)) -> Self {
        edit(&mut self.packet);
        self
    }

    /// Returns the UDP datagram. Its checksum is wrong, as the pseudo-header's sum in a packet that is yet to be completed.
    pub fn udp(&self) -> Vec<u8> {
        let len = u16::try_from(8 + self.packet.len()).expect("the datagram fits its length field");
        let fields = [0xc000, self.port, self.udp_len.unwrap_or(len), 0xdead];
        fields.iter().flat_map(|field| field.to_be_bytes()).chain(self.packet.iter().copied()).collect()
    }

    /// Returns the datagram over IPv4; addresses of the other family become unspecified.
    pub fn ip(&self) -> Ip {
        let v4 = |addr| match addr {
            IpAddr::V4(addr) => addr,
            IpAddr::V6(_) => Ipv4Addr::UNSPECIFIED,
        };
        Ip { ttl: self.ttl, fragment: 0, payload: self.udp(), ..Ip::udp(v4(self.src), v4(self.dst)) }
    }

    /// Returns the frame.
    pub fn frame(&self) -> Frame {
        let (ethertype, payload) = match (self.src, self.dst) {
            (IpAddr::V6(src), IpAddr::V6(dst)) => {
                (ETHERTYPE_IPV6, ipv6(src, dst, self.ttl, IPPROTO_UDP, &self.udp()))
            }
            (IpAddr::V4(_), _) | (_, IpAddr::V4(_)) => (ETHERTYPE_IPV4, self.ip().octets()),
        };
        Frame { dst: OWN_MAC, src: PEER_MAC, vlans: Vec::new(), ethertype, payload }
    }
}

const IPPROTO_UDP: u8 = 17;

/// Returns an IPv6 datagram.
pub fn ipv6(src: Ipv6Addr, dst: Ipv6Addr, hop_limit: u8, next_header: u8, payload: &[u8]) -> Vec<u8> {
    let len = u16::try_from(payload.len()).expect("the datagram fits its length field").to_be_bytes();
    let mut octets = vec![0x6c, 0, 0, 0, len[0], len[1], next_header, hop_limit];
    octets.extend(src.octets());
    octets.extend(dst.octets());
    octets.extend(payload);
    octets
}

/// Returns a single-hop session, on the interface that packets come in on, with a neighbour that sends to any address of
/// this node.
pub fn session(index: u32, remote: IpAddr) -> PlannedSession {
    PlannedSession {
        id: SessionId::new(index).expect("the session exists"),
        discriminator: 0x5eed_0000 | index,
        remote,
        local: None,
        ifindex: IFINDEX,
        min_ttl: 255,
        multihop: false,
        authenticated: false,
    }
}

/// Returns what the neighbour of a session says while it is Up.
pub fn up(session: &PlannedSession) -> Control {
    Control {
        state: SessionState::Up,
        multiplier: 3,
        my_discriminator: 0x0102_0304,
        your_discriminator: session.discriminator,
        desired_min_tx_us: 250,
        required_min_rx_us: 300,
        ..Control::default()
    }
}
