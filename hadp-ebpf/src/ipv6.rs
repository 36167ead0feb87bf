//! The IPv6 header (RFC 8200 §3).

use crate::{ctx::Window, parse::Frame};

/// The length of the header; extension headers follow it.
pub(crate) const IPV6_LEN: usize = 40;

/// An IPv6 header.
#[derive(Clone, Copy)]
pub(crate) struct Ipv6(Window<IPV6_LEN>);

impl Ipv6 {
    /// Parses the header, or returns `None` if it is not one.
    #[inline(always)]
    pub(crate) fn parse(frame: &Frame) -> Option<Self> {
        let header = frame.packet.window::<IPV6_LEN>(frame.payload)?;
        (header.u8::<0>() >> 4 == 6).then_some(Self(header))
    }

    /// Returns what follows the header: a protocol, or an extension header.
    #[inline(always)]
    pub(crate) fn next_header(self) -> u8 {
        self.0.u8::<6>()
    }

    /// Returns the hop limit.
    #[inline(always)]
    pub(crate) fn hop_limit(self) -> u8 {
        self.0.u8::<7>()
    }

    /// Returns the length of what follows the header.
    #[inline(always)]
    pub(crate) fn payload_len(self) -> usize {
        usize::from(u16::from_be(self.0.u16::<4>()))
    }

    /// Returns the words of the source address, as loaded.
    #[inline(always)]
    pub(crate) fn source(self) -> [u32; 4] {
        let header = self.0;
        [header.u32::<8>(), header.u32::<12>(), header.u32::<16>(), header.u32::<20>()]
    }

    /// Returns the words of the destination address, as loaded.
    #[inline(always)]
    pub(crate) fn destination(self) -> [u32; 4] {
        let header = self.0;
        [header.u32::<24>(), header.u32::<28>(), header.u32::<32>(), header.u32::<36>()]
    }
}
