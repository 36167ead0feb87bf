//! `PEERS`: whom a router heard, and when.

use crate::{addr::Address, macros::map_types};

/// How many senders are remembered a router; with more, the one heard longest ago makes room.
pub const PEERS_PER_ROUTER: usize = 8;

map_types! {
    /// One sender of valid adverts for a router.
    #[derive(Default)]
    pub struct Peer[56] {
        /// When its last valid advert arrived, in nanoseconds of CLOCK_MONOTONIC; 0 for a free entry.
        pub last_seen_ns: u64,
        /// When this sender was first heard, in the same clock.
        pub first_seen_ns: u64,
        /// How many valid adverts it has sent.
        pub adverts: u64,
        /// The source address of its adverts.
        pub addr: Address,
        /// A fingerprint of the address list in its last advert.
        pub addresses_hash: u32,
        /// The interval in its last advert, in centiseconds.
        pub interval_cs: u16,
        /// The priority in its last advert; 0 when it resigned.
        pub priority: u8,
        /// The protocol version of its last advert.
        pub version: u8,
        /// The source MAC of its last advert.
        pub mac: [u8; 6],
        /// How many addresses its last advert listed.
        pub count: u8,
        /// Reserved, 0.
        pub reserved: u8,
    }

    /// The value of `PEERS[slot]`.
    #[derive(Default)]
    pub struct Peers[448] {
        /// The senders, in no order.
        pub peers: [Peer; PEERS_PER_ROUTER],
    }
}

/// The fingerprint of an empty address list.
pub const ADDRESSES_SEED: u32 = 0x811c_9dc5;

/// Folds one more 32-bit word of an address list, as loaded from the packet, into its fingerprint.
#[inline(always)]
pub const fn fold_address(hash: u32, word: u32) -> u32 {
    (hash ^ word).wrapping_mul(0x0100_0193).rotate_left(5)
}
