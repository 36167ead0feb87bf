//! BFD control packets (RFC 5880) in UDP (RFC 5881, RFC 5883): which are ours, and which of those are valid.

use core::ptr::{read_volatile, write_volatile};

use hadp_common::{
    addr::Address,
    bfd::{BFD_AUTHENTICATED, BFD_MULTIHOP, BfdKey, BfdSession, MAX_BFD_SESSIONS, bfd_entry},
    event::{Event, EventKind},
    stats::{Counter, DropReason},
    wire::{
        bfd::{AUTHENTICATED, BFD_LEN, FINAL, MULTIPOINT, POLL, PORT, PORT_MULTIHOP, SessionState, VERSION},
        ipv4::IPPROTO_UDP,
    },
};

use crate::{
    ctx::Window,
    event,
    ipv6::{IPV6_LEN, Ipv6},
    maps::{BFD_INDEX, BFD_KEYS, BFD_SESSIONS},
    parse::{Fragment, Frame, Ipv4},
    settings::now_ns,
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
    let (source, destination) = (Address::from_v4_word(ip.source()), Address::from_v4_word(ip.destination()));
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
    source: Address,
    destination: Address,
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
        let packet = Packet(header);
        let Some((index, key)) = self.session(packet.your_discriminator()) else {
            count(Counter::BfdUnknown);
            return Ok(Reception::NotOurs);
        };
        self.check(packet, key)?;
        if key.flags & BFD_AUTHENTICATED != 0 {
            count(Counter::BfdAuthenticated);
        } else {
            record(self.frame, index, packet);
        }
        Ok(Reception::Ours)
    }

    /// Finds the session by the discriminator that this node chose for it, or by the sender while that does not know it.
    #[inline(always)]
    fn session(&self, your_discriminator: u32) -> Option<(u32, &'static BfdKey)> {
        let sender = Sender {
            source: self.source,
            destination: self.destination,
            ifindex: self.frame.ifindex,
            flags: self.flags,
        };
        if your_discriminator == 0 {
            let index = sender.session();
            return Some((index, BFD_KEYS.get(index).filter(|_| index != 0)?));
        }
        let index = your_discriminator % MAX_BFD_SESSIONS;
        let key = BFD_KEYS.get(index)?;
        (discriminator(key) == your_discriminator && sender.fits(key)).then_some((index, key))
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
struct Sender {
    source: Address,
    destination: Address,
    ifindex: u32,
    /// [`BFD_MULTIHOP`], by the port.
    flags: u8,
}

impl Sender {
    /// Returns whether packets of a session come this way.
    ///
    /// RFC 5880 asks for the discriminator alone; but a session is configured with its neighbour's address, so that another
    /// sender that learns the discriminator can say nothing in its name.
    #[inline(always)]
    fn fits(&self, key: &BfdKey) -> bool {
        let from_elsewhere =
            difference(&key.remote, &self.source) | u32::from(key.flags & BFD_MULTIHOP ^ self.flags);
        from_elsewhere == 0
            && (key.ifindex == 0 || key.ifindex == self.ifindex)
            && (difference(&key.local, &self.destination) == 0
                || difference(&key.local, &Address::UNSPECIFIED) == 0)
    }

    /// Finds the session by the neighbour's address: one that names the interface first, then this node's address. 0 if
    /// there is none.
    #[inline(never)]
    fn session(&self) -> u32 {
        let Some(switch) = BFD_INDEX.get_ptr(0) else { return 0 };
        // SAFETY: the pointer is to a map value; volatile, since the daemon may store at any time.
        let switch = unsafe { read_volatile(switch) };
        for ifindex in [self.ifindex, 0] {
            for local in [&self.destination, &Address::UNSPECIFIED] {
                let entry = bfd_entry(switch, &self.source, local, ifindex, self.flags);
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
fn difference(a: &Address, b: &Address) -> u32 {
    let ([a, b, c, d], [e, f, g, h]) = (a.words(), b.words());
    (a ^ e) | (b ^ f) | (c ^ g) | (d ^ h)
}

/// Returns a session's discriminator; volatile, since the daemon may store at any time.
#[inline(always)]
fn discriminator(key: &BfdKey) -> u32 {
    // SAFETY: the reference is to a map value.
    unsafe { read_volatile(&raw const key.discriminator) }
}

/// A control packet without its authentication section; see [`hadp_common::wire::bfd`].
#[derive(Clone, Copy)]
struct Packet(Window<BFD_LEN>);

impl Packet {
    #[inline(always)]
    fn version_diag(self) -> u8 {
        self.0.u8::<0>()
    }

    #[inline(always)]
    fn state_flags(self) -> u8 {
        self.0.u8::<1>()
    }

    #[inline(always)]
    fn multiplier(self) -> u8 {
        self.0.u8::<2>()
    }

    #[inline(always)]
    fn length(self) -> usize {
        usize::from(self.0.u8::<3>())
    }

    #[inline(always)]
    fn my_discriminator(self) -> u32 {
        u32::from_be(self.0.u32::<4>())
    }

    #[inline(always)]
    fn your_discriminator(self) -> u32 {
        u32::from_be(self.0.u32::<8>())
    }

    #[inline(always)]
    fn desired_min_tx_us(self) -> u32 {
        u32::from_be(self.0.u32::<12>())
    }

    #[inline(always)]
    fn required_min_rx_us(self) -> u32 {
        u32::from_be(self.0.u32::<16>())
    }

    /// Returns the first three octets as `BFD_SESSIONS` has them.
    #[inline(always)]
    fn head(self) -> [u8; 4] {
        [self.version_diag(), self.state_flags(), self.multiplier(), 0]
    }
}

// The words of a `BfdSession`: time, count, discriminators, intervals, the head.
const LAST_SEEN: usize = core::mem::offset_of!(BfdSession, last_seen_ns) / 8;
const PACKETS: usize = core::mem::offset_of!(BfdSession, packets) / 8;
const DISCRIMINATORS: usize = core::mem::offset_of!(BfdSession, remote_discriminator) / 8;
const INTERVALS: usize = core::mem::offset_of!(BfdSession, desired_min_tx_us) / 8;
const HEAD: usize = core::mem::offset_of!(BfdSession, version_diag) / 8;
const _: () = assert!(8 * (HEAD + 1) == size_of::<BfdSession>());

/// Records a valid packet, the time last, and reports it if it says anything new, or polls or answers a poll.
#[inline(always)]
fn record(frame: &Frame, index: u32, packet: Packet) {
    count(Counter::BfdHeard);
    let Some(session) = BFD_SESSIONS.get_ptr_mut(index) else { return };
    let session = Record(session.cast());
    let now = now_ns();
    let [a, b, c, d] = packet.head();
    let head = u64::from_ne_bytes([a, b, c, d, 0, 0, 0, 0]);
    let discriminators = join(packet.my_discriminator(), packet.your_discriminator());
    let intervals = join(packet.desired_min_tx_us(), packet.required_min_rx_us());
    let is_news = session.word(DISCRIMINATORS) != discriminators
        || session.word(INTERVALS) != intervals
        || (session.word(HEAD) ^ head) & !ASKING != 0
        || head & ASKING != 0;
    session.set(DISCRIMINATORS, discriminators);
    session.set(INTERVALS, intervals);
    session.set(HEAD, head);
    session.set(PACKETS, session.word(PACKETS) + 1);
    session.set(LAST_SEEN, now);
    if is_news {
        report(frame, index, packet, now);
    }
}

/// Poll and Final in the word of the head. That a poll is over is no news.
const ASKING: u64 = u64::from_ne_bytes([0, POLL | FINAL, 0, 0, 0, 0, 0, 0]);

/// Sends the event that carries a packet.
#[inline(always)]
fn report(frame: &Frame, index: u32, packet: Packet, now: u64) {
    event::send(&Event {
        at_ns: now,
        slot: index,
        ifindex: frame.ifindex,
        addr: Address::from_words([
            packet.my_discriminator(),
            packet.your_discriminator(),
            packet.desired_min_tx_us(),
            packet.required_min_rx_us(),
        ]),
        addresses_hash: u32::from_ne_bytes(packet.head()),
        mac: frame.header.mac::<6, 10>().octets(),
        kind: EventKind::Bfd as u8,
        ..Event::default()
    });
}

/// Returns two fields as the word that holds them.
#[inline(always)]
fn join(first: u32, second: u32) -> u64 {
    let ([a, b, c, d], [e, f, g, h]) = (first.to_ne_bytes(), second.to_ne_bytes());
    u64::from_ne_bytes([a, b, c, d, e, f, g, h])
}

/// An entry of `BFD_SESSIONS`, as its words.
#[derive(Clone, Copy)]
struct Record(*mut u64);

impl Record {
    #[inline(always)]
    fn word(self, index: usize) -> u64 {
        // SAFETY: every caller's index is one of the constants above, so the word lies inside the map value.
        unsafe { read_volatile(self.0.wrapping_add(index)) }
    }

    /// Stores one word; volatile, so that the stores happen in the order written.
    #[inline(always)]
    fn set(self, index: usize, value: u64) {
        // SAFETY: as in `word`; the daemon reads the words one by one and tolerates any mixture.
        unsafe { write_volatile(self.0.wrapping_add(index), value) }
    }
}
