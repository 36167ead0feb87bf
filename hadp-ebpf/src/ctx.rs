//! Bounds-checked access to the packet.

use core::hint::black_box;

use aya_ebpf::programs::{TcContext, XdpContext};

/// A frame, from its first octet on, and the interface it came in on or leaves by.
///
/// The context is read once: after a store to the packet the compiler would have to read it again.
#[derive(Clone, Copy)]
pub(crate) struct Packet {
    data: usize,
    end: usize,
    /// The interface.
    pub(crate) ifindex: u32,
}

impl Packet {
    /// Reads the context of the running program.
    #[inline(always)]
    pub(crate) fn new(ctx: &XdpContext) -> Self {
        Self { data: ctx.data(), end: ctx.data_end(), ifindex: ctx.ingress_ifindex() as u32 }
    }

    /// Returns the part of a leaving frame that can be read in place; what is paged out behind it is left out.
    #[inline(always)]
    pub(crate) fn leaving(ctx: &TcContext) -> Self {
        // SAFETY: the context is the running program's own.
        let ifindex = unsafe { (*ctx.skb.skb).ifindex };
        Self { data: ctx.data(), end: ctx.data_end(), ifindex }
    }

    /// Returns how many octets can be read.
    #[inline(always)]
    pub(crate) fn len(self) -> usize {
        self.end - self.data
    }

    /// Returns the `LEN` octets at `offset`, or `None` if the packet ends first.
    #[inline(always)]
    pub(crate) fn window<const LEN: usize>(self, offset: usize) -> Option<Window<LEN>> {
        let start = self.data + offset;
        // This comparison is the one the verifier tracks.
        if start + LEN > self.end { None } else { Some(Window(start)) }
    }

    /// Walks `count` 32-bit words from `offset` on, at most `MAX`, and calls `visit` with each; `None` if the packet ends
    /// first.
    ///
    /// Three things here are for the verifier. The compiler must not know the end: where an earlier comparison implies the
    /// walk's own, it would remove that, and the verifier, which does not draw such conclusions, would refuse the program.
    /// It must not know the count either: one that it knows to be small enough would replace the constant bound, without
    /// which verifiers before Linux 6.8 see no end. And `offset` and `count` should be of unknown value and used nowhere
    /// else: what the walk proves of them would tell the states behind it apart, each to be followed on its own, one for
    /// every length.
    #[inline(always)]
    pub(crate) fn walk<const MAX: usize>(
        self,
        offset: usize,
        count: usize,
        mut visit: impl FnMut(u32),
    ) -> Option<()> {
        let (end, count) = (black_box(self.end), black_box(count));
        let mut at = self.data + black_box(offset);
        for index in 0..MAX {
            if index >= count {
                break;
            }
            if at + 4 > end {
                return None;
            }
            // SAFETY: the four octets lie inside the packet, compared above; see `Window` for the alignment.
            visit(unsafe { *(at as *const u32) });
            at += 4;
        }
        Some(())
    }
}

/// `LEN` octets that lie inside the packet.
///
/// Integers are in the order they are loaded in, which for a packet is network order read as native; offsets are
/// checked at compile time. Words are read whole although packets align nothing to 4: BPF on the machines hadp runs
/// on loads unaligned words, and byte by byte a word costs ten instructions.
#[derive(Clone, Copy)]
pub(crate) struct Window<const LEN: usize>(usize);

impl<const LEN: usize> Window<LEN> {
    /// Returns the octet at `AT`.
    #[inline(always)]
    pub(crate) fn u8<const AT: usize>(self) -> u8 {
        const { assert!(AT < LEN) };
        // SAFETY: a window lies inside the packet, and so does an octet inside the window.
        unsafe { *((self.0 + AT) as *const u8) }
    }

    /// Returns the octet at `AT`, loaded anew: the verifier does not connect it with what it has learnt of another load, so
    /// that a loop bounded by it leaves one state behind and not one for every length.
    #[inline(always)]
    pub(crate) fn u8_anew<const AT: usize>(self) -> u8 {
        const { assert!(AT < LEN) };
        // SAFETY: a window lies inside the packet, and so does an octet inside the window.
        unsafe { ((self.0 + AT) as *const u8).read_volatile() }
    }

    /// Returns the two octets at `AT`.
    #[inline(always)]
    pub(crate) fn u16<const AT: usize>(self) -> u16 {
        const { assert!(AT + 2 <= LEN) };
        // SAFETY: as above; see the type for the alignment.
        unsafe { *((self.0 + AT) as *const u16) }
    }

    /// Returns the four octets at `AT`.
    #[inline(always)]
    pub(crate) fn u32<const AT: usize>(self) -> u32 {
        const { assert!(AT + 4 <= LEN) };
        // SAFETY: as above; see the type for the alignment.
        unsafe { *((self.0 + AT) as *const u32) }
    }

    /// Overwrites the two octets at `AT`.
    #[inline(always)]
    pub(crate) fn set_u16<const AT: usize>(self, value: u16) {
        const { assert!(AT + 2 <= LEN) };
        // SAFETY: as above; nothing else holds a reference to packet data.
        unsafe { *((self.0 + AT) as *mut u16) = value }
    }

    /// Overwrites the four octets at `AT`.
    #[inline(always)]
    pub(crate) fn set_u32<const AT: usize>(self, value: u32) {
        const { assert!(AT + 4 <= LEN) };
        // SAFETY: as above; nothing else holds a reference to packet data.
        unsafe { *((self.0 + AT) as *mut u32) = value }
    }

    /// Returns the MAC address at `AT`.
    #[inline(always)]
    pub(crate) fn mac<const AT: usize, const LOW: usize>(self) -> Mac {
        const { assert!(LOW == AT + 4) };
        Mac { high: self.u32::<AT>(), low: self.u16::<LOW>() }
    }

    /// Overwrites the MAC address at `AT`.
    #[inline(always)]
    pub(crate) fn set_mac<const AT: usize, const LOW: usize>(self, mac: Mac) {
        const { assert!(LOW == AT + 4) };
        self.set_u32::<AT>(mac.high);
        self.set_u16::<LOW>(mac.low);
    }
}

/// A MAC address as two words in the order they are loaded in.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(crate) struct Mac {
    pub(crate) high: u32,
    pub(crate) low: u16,
}

impl Mac {
    /// Builds the words of these octets.
    #[inline(always)]
    pub(crate) fn new(octets: [u8; 6]) -> Self {
        let [a, b, c, d, e, f] = octets;
        Self { high: u32::from_ne_bytes([a, b, c, d]), low: u16::from_ne_bytes([e, f]) }
    }

    /// Returns the octets.
    #[inline(always)]
    pub(crate) fn octets(self) -> [u8; 6] {
        let ([a, b, c, d], [e, f]) = (self.high.to_ne_bytes(), self.low.to_ne_bytes());
        [a, b, c, d, e, f]
    }
}
