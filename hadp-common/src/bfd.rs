//! `BFD_KEYS`, `BFD_INDEX` and `BFD_SESSIONS`: whom this node watches by BFD (RFC 5880), and when each was last heard.

use crate::{
    addr::Address,
    event::Event,
    macros::map_types,
    wire::bfd::{Control, SessionState},
};

/// The number of entries in `BFD_KEYS` and `BFD_SESSIONS`. The index of a session is the low octet of its local
/// discriminator; entry 0 is never used, since no discriminator may be 0 (RFC 5880 §6.8.1).
pub const MAX_BFD_SESSIONS: u32 = 256;

/// [`BfdKey::flags`]: the session runs over several hops, on port 4784 (RFC 5883).
pub const BFD_MULTIHOP: u8 = 1 << 0;
/// [`BfdKey::flags`]: packets must be authenticated, which the daemon does: the datapath passes them on unrecorded.
pub const BFD_AUTHENTICATED: u8 = 1 << 1;

/// The number of entries in one half of `BFD_INDEX`; a power of two.
///
/// `BFD_INDEX` leads a neighbour that does not know this node's discriminator yet to its session. Its first word is
/// [`bfd_switch`]; behind it lie two halves, in which every session has an entry, its index, and 0 stands for none. The
/// daemon chooses a seed under which no two sessions have the same entry, so a lookup looks at one.
pub const BFD_INDEX_LEN: u32 = 8192;

/// Returns the first word of `BFD_INDEX`: which half is in force, in the upper half, and its hash seed. One store puts a
/// new index in force.
pub const fn bfd_switch(half: u32, seed: u32) -> u64 {
    ((half as u64) << 32) | seed as u64
}

/// Returns where in `BFD_INDEX` the entry of a session lies.
///
/// `remote` and `local` are the words of the addresses in a [`BfdKey`], `ifindex` and `flags` are as there; of `flags`,
/// [`BFD_MULTIHOP`] counts.
#[inline(always)]
pub const fn bfd_entry(switch: u64, remote: [u32; 4], local: [u32; 4], ifindex: u32, flags: u8) -> u32 {
    let (half, seed) = ((switch >> 32) as u32 & 1, switch as u32);
    let mut hash = mix(seed, (flags & BFD_MULTIHOP) as u32, ifindex);
    hash = mix(hash, remote[0], remote[1]);
    hash = mix(hash, remote[2], remote[3]);
    hash = mix(hash, local[0], local[1]);
    hash = mix(hash, local[2], local[3]);
    1 + half * BFD_INDEX_LEN + (hash & (BFD_INDEX_LEN - 1))
}

/// Adds two words to a hash: multiplies by the golden ratio and takes well-mixed upper bits.
#[inline(always)]
const fn mix(hash: u32, high: u32, low: u32) -> u32 {
    let word = ((high as u64) << 32) | (low ^ hash) as u64;
    ((word ^ (word >> 29)).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as u32
}

/// How many guards the datapath ends when the neighbour of a session has given this node up: the octets of
/// `BFD_GUARDS[index]`, each the number of a guard or 0. Those beyond, which takes as many routers that follow different sets
/// of sessions, are left to the daemon.
pub const BFD_GUARDS_LEN: usize = 8;

/// Tells whether a packet says that the neighbour has given this node up: Down, with Diag Control Detection Time Expired
/// (RFC 5880 §4.1), where the packet before it, whose second octet was `before`, said Up.
#[inline(always)]
pub const fn gives_up(before: u8, version_diag: u8, state_flags: u8) -> bool {
    const EXPIRED: u8 = 1;
    before >> 6 == SessionState::Up as u8
        && state_flags >> 6 == SessionState::Down as u8
        && version_diag & 0x1f == EXPIRED
}

map_types! {
    /// The value of `BFD_KEYS[index]`, written by the daemon: what a packet of this session must carry. An entry with
    /// `discriminator` 0 is free.
    #[derive(Default)]
    pub struct BfdKey[48] {
        /// The local discriminator, which packets carry as Your Discriminator once the neighbour knows it.
        pub discriminator: u32,
        /// The interface packets must arrive on; 0 for any, which multihop sessions need.
        pub ifindex: u32,
        /// The neighbour's address: the source of its packets.
        pub remote: Address,
        /// This node's address, the destination of the neighbour's packets; unspecified for any of its addresses.
        pub local: Address,
        /// The smallest TTL or hop limit accepted: 255 on a single hop (RFC 5881 §5).
        pub min_ttl: u8,
        /// [`BFD_MULTIHOP`] and [`BFD_AUTHENTICATED`].
        pub flags: u8,
        /// Reserved, 0.
        pub reserved: [u8; 6],
    }

    /// The value of `BFD_SESSIONS[index]`, written by the datapath (by the daemon where packets are authenticated): the
    /// last valid packet of the neighbour.
    #[derive(Default)]
    pub struct BfdSession[40] {
        /// When it arrived, in nanoseconds of CLOCK_MONOTONIC; 0 before the first.
        pub last_seen_ns: u64,
        /// How many valid packets have arrived.
        pub packets: u64,
        /// Its My Discriminator.
        pub remote_discriminator: u32,
        /// Its Your Discriminator: 0 until the neighbour has heard this node.
        pub your_discriminator: u32,
        /// Its Desired Min TX Interval, in microseconds.
        pub desired_min_tx_us: u32,
        /// Its Required Min RX Interval, in microseconds.
        pub required_min_rx_us: u32,
        /// Its first octet: version and diagnostic.
        pub version_diag: u8,
        /// Its second octet: state and flags (P F C A D M).
        pub state_flags: u8,
        /// Its Detect Mult.
        pub multiplier: u8,
        /// Reserved, 0.
        pub reserved: [u8; 5],
    }
}

impl BfdSession {
    /// Takes the packet out of an event of kind [`Bfd`](crate::event::EventKind::Bfd).
    pub const fn from_event(event: &Event) -> Self {
        let [remote_discriminator, your_discriminator, desired_min_tx_us, required_min_rx_us] =
            event.addr.words();
        let [version_diag, state_flags, multiplier, _] = event.addresses_hash.to_ne_bytes();
        Self {
            last_seen_ns: event.at_ns,
            packets: 0,
            remote_discriminator,
            your_discriminator,
            desired_min_tx_us,
            required_min_rx_us,
            version_diag,
            state_flags,
            multiplier,
            reserved: [0; 5],
        }
    }

    /// Returns the packet; the interval of echoes, which is not recorded, is 0.
    pub const fn control(&self) -> Control {
        Control {
            diag: self.version_diag & 0x1f,
            state: SessionState::from_bits(self.state_flags),
            flags: self.state_flags & 0x3f,
            multiplier: self.multiplier,
            my_discriminator: self.remote_discriminator,
            your_discriminator: self.your_discriminator,
            desired_min_tx_us: self.desired_min_tx_us,
            required_min_rx_us: self.required_min_rx_us,
            required_min_echo_rx_us: 0,
        }
    }
}
