//! BFD control packets (RFC 5880) in UDP (RFC 5881, RFC 5883): which are ours, and which of those are valid.

use core::ptr::read_volatile;

use hadp_common::{
    addr::Address,
    bfd::{BFD_AUTHENTICATED, BFD_MULTIHOP, BfdKey, MAX_BFD_SESSIONS, bfd_entry},
    stats::{Counter, DropReason},
    wire::{
        bfd::{AUTHENTICATED, BFD_LEN, MULTIPOINT, PORT, PORT_MULTIHOP, SessionState, VERSION},
        ipv4::IPPROTO_UDP,
    },
};

use crate::{
    ctx::Window,
    ipv6::{IPV6_LEN, Ipv6},
    maps::{BFD_INDEX, BFD_KEYS},
    neighbor::{self, Packet},
    parse::{Fragment, Frame, Ipv4},
    stats::count,
};

/// What a packet turned out to be.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(crate) enum Reception {
    /// A valid packet of a session.
    Ours,
    /// Not ours to judge: no BFD, or that of another daemon on this machine.
    NotOurs,
}

/// Receives a datagram over IPv4.
#[inline(always)]
pub(crate) fn over_ipv4(frame: &Frame, ip: Ipv4) -> Result<Reception, DropReason> {
    if ip.protocol() != IPPROTO_UDP {
        return Ok(Reception::NotOurs);
    }
    let start = frame.payload + ip.len;
    let Some((udp, flags)) = control_packet(frame, start) else { return Ok(Reception::NotOurs) };
    if ip.fragment() != Fragment::Whole {
        return Ok(Reception::NotOurs);
    }
    let words = |addr| Address::from_v4_word(addr).words();
    let (source, destination) = (words(ip.source()), words(ip.destination()));
    let (ttl, len) = (ip.ttl(), ip.payload_len());
    Datagram { frame, source, destination, ttl, flags, udp, start, len }.receive()
}

/// Receives a datagram over IPv6; one behind extension headers is not ours, since no BFD packet has any.
#[inline(always)]
pub(crate) fn over_ipv6(frame: &Frame) -> Result<Reception, DropReason> {
    let Some(ip) = Ipv6::parse(frame) else { return Ok(Reception::NotOurs) };
    if ip.next_header() != IPPROTO_UDP {
        return Ok(Reception::NotOurs);
    }
    let start = frame.payload + IPV6_LEN;
    let Some((udp, flags)) = control_packet(frame, start) else { return Ok(Reception::NotOurs) };
    let (source, destination) = (ip.source(), ip.destination());
    let (ttl, len) = (ip.hop_limit(), ip.payload_len());
    Datagram { frame, source, destination, ttl, flags, udp, start, len }.receive()
}

/// The length of a UDP header (RFC 768).
const UDP_LEN: usize = 8;

/// Returns the UDP header at `start` and which hops its destination port stands for; `None` if it is no port of BFD's, or
/// the frame is tagged, and so belongs to the VLAN's interface.
#[inline(always)]
fn control_packet(frame: &Frame, start: usize) -> Option<(Window<UDP_LEN>, u8)> {
    const SINGLE: u16 = PORT.to_be();
    const MULTI: u16 = PORT_MULTIHOP.to_be();
    let udp = frame.packet.window::<UDP_LEN>(start)?;
    let flags = match udp.u16::<2>() {
        SINGLE => 0,
        MULTI => BFD_MULTIHOP,
        _ => return None,
    };
    (frame.vlans == 0).then_some((udp, flags))
}

/// A datagram to one of BFD's ports.
struct Datagram<'a> {
    frame: &'a Frame,
    /// The words of the source address, as loaded.
    source: [u32; 4],
    /// The words of the destination address, as loaded.
    destination: [u32; 4],
    /// TTL or hop limit.
    ttl: u8,
    /// [`BFD_MULTIHOP`], by the port.
    flags: u8,
    udp: Window<UDP_LEN>,
    /// Where the UDP header begins in the frame.
    start: usize,
    /// The length from there on, as the IP header has it: the frame may be padded.
    len: usize,
}

impl Datagram<'_> {
    /// Records a valid packet of a session.
    ///
    /// The UDP checksum is not looked at: on a packet that never left this machine, as over veth, it is yet to be completed
    /// and holds the pseudo-header's sum alone, and nothing here tells such a packet from another.
    #[inline(always)]
    fn receive(&self) -> Result<Reception, DropReason> {
        let Some(header) = self.frame.packet.window::<BFD_LEN>(self.start + UDP_LEN) else {
            return Ok(Reception::NotOurs); // it does not say whose it is
        };
        let packet = Packet::new(header);
        let Some((index, key)) = self.session(packet.your_discriminator()) else {
            count(Counter::BfdUnknown);
            return Ok(Reception::NotOurs);
        };
        self.check(packet, key)?;
        if key.flags & BFD_AUTHENTICATED != 0 {
            count(Counter::BfdAuthenticated);
        } else {
            neighbor::record(self.frame, index, packet);
        }
        Ok(Reception::Ours)
    }

    /// Finds the session by the discriminator that this node chose for it, or by the sender while that does not know it.
    #[inline(always)]
    fn session(&self, your_discriminator: u32) -> Option<(u32, &'static BfdKey)> {
        if your_discriminator == 0 {
            // On the stack in this case alone, which is rare.
            let index = self.route().session();
            return Some((index, BFD_KEYS.get(index).filter(|_| index != 0)?));
        }
        let index = your_discriminator % MAX_BFD_SESSIONS;
        let key = BFD_KEYS.get(index)?;
        (discriminator(key) == your_discriminator && self.route().fits(key)).then_some((index, key))
    }

    /// Returns where the packet comes from and goes to.
    #[inline(always)]
    fn route(&self) -> Route {
        let Self { source, destination, flags, .. } = *self;
        Route { source, destination, ifindex: self.frame.ifindex, flags }
    }

    /// Validates the packet (RFC 5880 §6.8.6, RFC 5881 §5).
    #[inline(always)]
    fn check(&self, packet: Packet, key: &BfdKey) -> Result<(), DropReason> {
        if self.ttl < key.min_ttl {
            return Err(DropReason::BfdTtl);
        }
        if packet.version_diag() >> 5 != VERSION {
            return Err(DropReason::BfdVersion);
        }
        let udp_len = usize::from(u16::from_be(self.udp.u16::<4>()));
        let is_authenticated = packet.state_flags() & AUTHENTICATED != 0;
        let least = if is_authenticated { BFD_LEN + AUTH_HEADER_LEN } else { BFD_LEN };
        if packet.length() < least || packet.length() + UDP_LEN > udp_len || udp_len > self.len {
            return Err(DropReason::BfdLength);
        }
        if packet.multiplier() == 0 {
            return Err(DropReason::BfdMultiplier);
        }
        if packet.state_flags() & MULTIPOINT != 0 {
            return Err(DropReason::BfdMultipoint);
        }
        if packet.my_discriminator() == 0 {
            return Err(DropReason::BfdMyDiscriminator);
        }
        // Init and Up have the upper one of Sta's bits.
        if packet.your_discriminator() == 0 && packet.state_flags() >> 6 >= SessionState::Init as u8 {
            return Err(DropReason::BfdYourDiscriminator);
        }
        if is_authenticated != (key.flags & BFD_AUTHENTICATED != 0) {
            return Err(DropReason::BfdAuth);
        }
        Ok(())
    }
}

/// The part of an authentication section that every type has: Auth Type and Auth Len.
const AUTH_HEADER_LEN: usize = 2;

/// Where a packet comes from and goes to.
struct Route {
    source: [u32; 4],
    destination: [u32; 4],
    ifindex: u32,
    /// [`BFD_MULTIHOP`], by the port.
    flags: u8,
}

impl Route {
    /// Returns whether packets of a session come this way.
    ///
    /// RFC 5880 asks for the discriminator alone; but a session is configured with its neighbour's address, so that another
    /// sender that learns the discriminator can say nothing in its name.
    #[inline(always)]
    fn fits(&self, key: &BfdKey) -> bool {
        let from_elsewhere =
            difference(key.remote.words(), self.source) | u32::from(key.flags & BFD_MULTIHOP ^ self.flags);
        from_elsewhere == 0
            && (key.ifindex == 0 || key.ifindex == self.ifindex)
            && (difference(key.local.words(), self.destination) == 0
                || difference(key.local.words(), Address::UNSPECIFIED.words()) == 0)
    }

    /// Finds the session by the neighbour's address: one that names the interface first, then this node's address. 0 if
    /// there is none.
    #[inline(never)]
    fn session(&self) -> u32 {
        let Some(switch) = BFD_INDEX.get_ptr(0) else { return 0 };
        // SAFETY: the pointer is to a map value; volatile, since the daemon may store at any time.
        let switch = unsafe { read_volatile(switch) };
        for ifindex in [self.ifindex, 0] {
            for local in [self.destination, Address::UNSPECIFIED.words()] {
                let entry = bfd_entry(switch, self.source, local, ifindex, self.flags);
                let index = BFD_INDEX.get(entry).map_or(0, |index| *index as u32);
                if BFD_KEYS.get(index).is_some_and(|key| discriminator(key) != 0 && self.fits(key)) {
                    return index;
                }
            }
        }
        0
    }
}

/// Returns 0 for the same address twice: one comparison, where one for each word would give the verifier a path for each.
#[inline(always)]
fn difference([a, b, c, d]: [u32; 4], [e, f, g, h]: [u32; 4]) -> u32 {
    (a ^ e) | (b ^ f) | (c ^ g) | (d ^ h)
}

/// Returns a session's discriminator; volatile, since the daemon may store at any time.
#[inline(always)]
fn discriminator(key: &BfdKey) -> u32 {
    // SAFETY: the reference is to a map value.
    unsafe { read_volatile(&raw const key.discriminator) }
}
