//! The frames a client sends, and what it reads from those it hears.

use std::net::Ipv4Addr;

use hadp_common::wire::{
    arp::{ARP_PREFIX, ARP_REQUEST},
    checksum,
    ether::{BROADCAST, ETHERTYPE_ARP, ETHERTYPE_IPV4, header},
    ipv4,
};

use super::Mac;

const IPPROTO_ICMP: u8 = 1;
const ECHO_REQUEST: u8 = 8;
const ECHO_REPLY: u8 = 0;
/// What marks an echo as a probe's, in place of an identifier.
const COOKIE: [u8; 8] = *b"hadp-lab";

/// Returns a broadcast ARP request for `target`.
pub(super) fn arp_request(mac: Mac, from: Ipv4Addr, target: Ipv4Addr) -> Vec<u8> {
    [
        &header(BROADCAST, mac.0, ETHERTYPE_ARP)[..],
        &ARP_PREFIX,
        &ARP_REQUEST.to_be_bytes(),
        &mac.0,
        &from.octets(),
        &[0; 6],
        &target.octets(),
    ]
    .concat()
}

/// Returns an ICMP echo request that carries `number`.
pub(super) fn echo_request(
    to_mac: Mac,
    mac: Mac,
    from: Ipv4Addr,
    to: Ipv4Addr,
    number: u64,
) -> Option<Vec<u8>> {
    let mut icmp = [&[ECHO_REQUEST, 0, 0, 0, 0, 0, 0, 0][..], &COOKIE, &number.to_be_bytes()].concat();
    let sum = checksum::finish(checksum::add(0, &icmp)).to_be_bytes();
    icmp.get_mut(2..4)?.copy_from_slice(&sum);
    let ip = ipv4::header(from.octets(), to.octets(), 64, IPPROTO_ICMP, icmp.len())?;
    Some([&header(to_mac.0, mac.0, ETHERTYPE_IPV4)[..], &ip, &icmp].concat())
}

/// A frame that means something to a client.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Frame {
    /// ARP, in which `sender` claims to be at `mac`.
    Arp { operation: u16, sender: Ipv4Addr, mac: Mac },
    /// An answer to the probe `number`.
    EchoReply { from_mac: Mac, from: Ipv4Addr, number: u64 },
    /// A VRRP message over IPv4.
    Vrrp { from_mac: Mac, from: Ipv4Addr, to: Ipv4Addr, version: u8, vrid: u8, priority: u8, interval: u16 },
}

impl Frame {
    /// Reads a frame, or `None` if it is of no interest or truncated.
    pub(super) fn parse(frame: &[u8]) -> Option<Self> {
        let (&[_, _, _, _, _, _, from_mac @ .., hi, lo], rest) = frame.split_first_chunk::<14>()?;
        match u16::from_be_bytes([hi, lo]) {
            ETHERTYPE_ARP => Self::arp(rest),
            ETHERTYPE_IPV4 => Self::ipv4(Mac(from_mac), rest),
            _ => None,
        }
    }

    fn arp(packet: &[u8]) -> Option<Self> {
        let (&[prefix @ .., hi, lo], rest) = packet.split_first_chunk::<8>()?;
        let (mac, rest) = rest.split_first_chunk::<6>()?;
        let (sender, _) = rest.split_first_chunk::<4>()?;
        let operation = u16::from_be_bytes([hi, lo]);
        (prefix == ARP_PREFIX).then_some(Self::Arp {
            operation,
            sender: Ipv4Addr::from(*sender),
            mac: Mac(*mac),
        })
    }

    fn ipv4(from_mac: Mac, packet: &[u8]) -> Option<Self> {
        let header_len = 4 * usize::from(packet.first()? & 0x0f);
        let from = Ipv4Addr::from(*packet.get(12..16)?.first_chunk()?);
        let to = Ipv4Addr::from(*packet.get(16..20)?.first_chunk()?);
        let (head, rest) = packet.get(header_len..)?.split_first_chunk::<8>()?;
        match *packet.get(9)? {
            IPPROTO_ICMP if head[0] == ECHO_REPLY && rest.starts_with(&COOKIE) => {
                let number = u64::from_be_bytes(*rest.get(COOKIE.len()..)?.first_chunk()?);
                Some(Self::EchoReply { from_mac, from, number })
            }
            ipv4::IPPROTO_VRRP => {
                let [version_type, vrid, priority, _, high, low, _, _] = *head;
                let version = version_type >> 4;
                // v2: authentication type, then whole seconds; v3: 12 bits of centiseconds.
                let interval =
                    if version == 2 { u16::from(low) } else { u16::from_be_bytes([high & 0x0f, low]) };
                Some(Self::Vrrp { from_mac, from, to, version, vrid, priority, interval })
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use hadp_common::wire::arp;

    use super::*;

    const A: Mac = Mac([2, 0, 10, 77, 0, 1]);
    const B: Mac = Mac([2, 0, 10, 77, 0, 2]);
    const FROM: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 50);
    const VIP: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 100);

    #[test]
    fn a_gratuitous_arp_tells_where_the_address_is() {
        let frame = arp::gratuitous(B.0, VIP.octets());
        assert_eq!(Frame::parse(&frame), Some(Frame::Arp { operation: ARP_REQUEST, sender: VIP, mac: B }));
        assert_eq!(Frame::parse(&frame[..30]), None);
    }

    #[test]
    fn an_echo_reply_carries_the_number_of_its_probe() {
        let mut frame = echo_request(B, A, FROM, VIP, 7_000_000).unwrap();
        assert_eq!(Frame::parse(&frame), None, "a request is no answer");
        assert_eq!(checksum::finish(checksum::add(0, &frame[34..])), 0);
        frame[34] = ECHO_REPLY;
        assert_eq!(
            Frame::parse(&frame),
            Some(Frame::EchoReply { from_mac: A, from: FROM, number: 7_000_000 })
        );
    }
}
