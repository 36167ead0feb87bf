//! What a BFD neighbour said last, and when.

use core::{
    mem::offset_of,
    ptr::{read_volatile, write_volatile},
};

use hadp_common::{
    addr::Address,
    bfd::{BfdSession, gives_up},
    event::{Event, EventKind},
    stats::Counter,
    wire::bfd::{BFD_LEN, FINAL, POLL},
};

use crate::{
    ctx::Window, event, maps::BFD_SESSIONS, owner::end_guards, parse::Frame, settings::now_ns, stats::count,
};

/// Records a valid packet, the time last, and reports it if it says anything new, or polls or answers a poll.
#[inline(always)]
pub(crate) fn record(frame: &Frame, index: u32, packet: Packet) {
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
    // The neighbour takes over what this node owns: here and now, not when the daemon gets to it.
    let [_, before, ..] = session.word(HEAD).to_ne_bytes();
    if is_news
        && gives_up(before, packet.version_diag(), packet.state_flags())
        && session.word(DISCRIMINATORS) == discriminators
    {
        end_guards(index);
    }
    session.set(DISCRIMINATORS, discriminators);
    session.set(INTERVALS, intervals);
    session.set(HEAD, head);
    session.set(PACKETS, session.word(PACKETS) + 1);
    session.set(LAST_SEEN, now);
    if is_news {
        report(frame, index, packet, now);
    }
}

// The words of a `BfdSession`: time, count, discriminators, intervals, the head.
const LAST_SEEN: usize = offset_of!(BfdSession, last_seen_ns) / 8;
const PACKETS: usize = offset_of!(BfdSession, packets) / 8;
const DISCRIMINATORS: usize = offset_of!(BfdSession, remote_discriminator) / 8;
const INTERVALS: usize = offset_of!(BfdSession, desired_min_tx_us) / 8;
const HEAD: usize = offset_of!(BfdSession, version_diag) / 8;
const _: () = assert!(8 * (HEAD + 1) == size_of::<BfdSession>());

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

/// A control packet without its authentication section; see [`hadp_common::wire::bfd`].
#[derive(Clone, Copy)]
pub(crate) struct Packet(Window<BFD_LEN>);

impl Packet {
    /// Takes the octets for a packet.
    #[inline(always)]
    pub(crate) fn new(octets: Window<BFD_LEN>) -> Self {
        Self(octets)
    }

    /// Returns Vers and Diag.
    #[inline(always)]
    pub(crate) fn version_diag(self) -> u8 {
        self.0.u8::<0>()
    }

    /// Returns Sta and the flags.
    #[inline(always)]
    pub(crate) fn state_flags(self) -> u8 {
        self.0.u8::<1>()
    }

    /// Returns Detect Mult.
    #[inline(always)]
    pub(crate) fn multiplier(self) -> u8 {
        self.0.u8::<2>()
    }

    /// Returns the length it says it has, with its authentication section.
    #[inline(always)]
    pub(crate) fn length(self) -> usize {
        usize::from(self.0.u8::<3>())
    }

    /// Returns My Discriminator.
    #[inline(always)]
    pub(crate) fn my_discriminator(self) -> u32 {
        u32::from_be(self.0.u32::<4>())
    }

    /// Returns Your Discriminator.
    #[inline(always)]
    pub(crate) fn your_discriminator(self) -> u32 {
        u32::from_be(self.0.u32::<8>())
    }

    /// Returns Desired Min TX Interval, in microseconds.
    #[inline(always)]
    fn desired_min_tx_us(self) -> u32 {
        u32::from_be(self.0.u32::<12>())
    }

    /// Returns Required Min RX Interval, in microseconds.
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
