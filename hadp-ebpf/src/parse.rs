//! Ethernet with up to two VLAN tags, and the IPv4 header.

use hadp_common::wire::{
    checksum::fold,
    ether::{ETH_LEN, ETHERTYPE_QINQ, ETHERTYPE_VLAN, VLAN_LEN},
};

use crate::ctx::{Packet, Window};

/// An Ethernet frame.
#[derive(Clone, Copy)]
pub(crate) struct Frame {
    pub(crate) packet: Packet,
    /// Destination MAC, source MAC, first EtherType.
    pub(crate) header: Window<ETH_LEN>,
    /// The interface it came in on.
    pub(crate) ifindex: u32,
    /// The VLAN identifiers, the outer one in the upper half; 0 for an absent tag.
    pub(crate) vlans: u32,
    /// The EtherType behind the tags, as loaded.
    pub(crate) ethertype: u16,
    /// Where the payload begins.
    pub(crate) payload: usize,
}

impl Frame {
    /// Parses the headers, or returns `None` if the frame ends inside them.
    ///
    /// A priority tag (identifier 0) counts as no tag (IEEE 802.1Q §6.9). Behind a third tag the EtherType is that
    /// tag's, which no verdict knows.
    #[inline(always)]
    pub(crate) fn parse(packet: Packet) -> Option<Self> {
        let header = packet.window::<ETH_LEN>(0)?;
        let ifindex = packet.ifindex;
        let ethertype = header.u16::<12>();
        if !is_tag(ethertype) {
            return Some(Self { packet, header, ifindex, vlans: 0, ethertype, payload: ETH_LEN });
        }
        let outer = packet.window::<VLAN_LEN>(ETH_LEN)?;
        let (vlans, ethertype) = (identifier(outer), outer.u16::<2>());
        if !is_tag(ethertype) {
            let vlans = vlans << 16;
            return Some(Self { packet, header, ifindex, vlans, ethertype, payload: ETH_LEN + VLAN_LEN });
        }
        let inner = packet.window::<VLAN_LEN>(ETH_LEN + VLAN_LEN)?;
        let vlans = if vlans == 0 { identifier(inner) << 16 } else { (vlans << 16) | identifier(inner) };
        let ethertype = inner.u16::<2>();
        Some(Self { packet, header, ifindex, vlans, ethertype, payload: ETH_LEN + 2 * VLAN_LEN })
    }
}

/// Returns whether a VLAN tag follows this EtherType.
#[inline(always)]
fn is_tag(ethertype: u16) -> bool {
    ethertype == ETHERTYPE_VLAN.to_be() || ethertype == ETHERTYPE_QINQ.to_be()
}

/// Returns a tag's VLAN identifier.
#[inline(always)]
fn identifier(tag: Window<VLAN_LEN>) -> u32 {
    u32::from(u16::from_be(tag.u16::<0>()) & 0x0fff)
}

/// An IPv4 header.
#[derive(Clone, Copy)]
pub(crate) struct Ipv4 {
    /// The header without its options.
    pub(crate) header: Window<20>,
    /// The length of the header with its options, 20..=60.
    pub(crate) len: usize,
}

impl Ipv4 {
    /// Parses the header, or returns `None` if it is not one.
    #[inline(always)]
    pub(crate) fn parse(frame: &Frame) -> Option<Self> {
        let header = frame.packet.window::<20>(frame.payload)?;
        let version_len = header.u8::<0>();
        if version_len >> 4 != 4 || version_len & 0x0f < 5 {
            return None;
        }
        Some(Self { header, len: usize::from(version_len & 0x0f) * 4 })
    }

    /// Returns the protocol number.
    #[inline(always)]
    pub(crate) fn protocol(self) -> u8 {
        self.header.u8::<9>()
    }

    /// Returns the time to live.
    #[inline(always)]
    pub(crate) fn ttl(self) -> u8 {
        self.header.u8::<8>()
    }

    /// Returns the source address, as loaded.
    #[inline(always)]
    pub(crate) fn source(self) -> u32 {
        self.header.u32::<12>()
    }

    /// Returns the destination address, as loaded.
    #[inline(always)]
    pub(crate) fn destination(self) -> u32 {
        self.header.u32::<16>()
    }

    /// Returns the length of the payload as the header has it, 0 if it is shorter than the header.
    #[inline(always)]
    pub(crate) fn payload_len(self) -> usize {
        usize::from(u16::from_be(self.header.u16::<2>())).saturating_sub(self.len)
    }

    /// Returns whether the header matches its checksum; the kernel has not looked at it yet.
    ///
    /// `None` if the packet ends inside the options.
    #[inline(always)]
    pub(crate) fn is_intact(self, frame: &Frame) -> Option<bool> {
        let mut sum = u64::from(self.header.u32::<0>()) + u64::from(self.header.u32::<4>());
        sum += u64::from(self.header.u32::<8>()) + u64::from(self.header.u32::<12>());
        sum += u64::from(self.header.u32::<16>());
        if self.len > 20 {
            let options = usize::from(self.header.u8_anew::<0>() & 0x0f).saturating_sub(5);
            // Always 0, but not to the verifier: see `Packet::walk`.
            let unknown = usize::from(self.header.u8_anew::<0>() & !self.header.u8_anew::<0>());
            frame.packet.walk::<10>(frame.payload + 20 + unknown, options, |word| sum += u64::from(word))?;
        }
        Some(fold(sum) == VALID)
    }

    /// Returns which part of a datagram this is.
    #[inline(always)]
    pub(crate) fn fragment(self) -> Fragment {
        match u16::from_be(self.header.u16::<6>()) & 0x3fff {
            0 => Fragment::Whole,
            0x2000 => Fragment::First,
            _ => Fragment::Later,
        }
    }
}

/// What data that includes its own checksum sums to (RFC 1071).
pub(crate) const VALID: u16 = 0xffff;

/// Which part of a datagram a packet carries (RFC 791 §3.2).
#[derive(Clone, Copy, Eq, PartialEq)]
pub(crate) enum Fragment {
    /// All of it.
    Whole,
    /// The first fragment, with the header of the protocol above.
    First,
    /// Another fragment.
    Later,
}
