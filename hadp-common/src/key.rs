//! `ADVERT_KEYS`: which adverts are ours, and what a valid one must carry.

use crate::{addr::Address, macros::map_types};

/// The number of entries in one half of `ADVERT_KEYS`; a power of two.
pub const ADVERT_KEYS_LEN: u32 = 8192;

/// [`AdvertKey::flags`]: adverts come by unicast, so their destination is this node and not the group.
pub const KEY_UNICAST: u16 = 1 << 0;
/// [`AdvertKey::flags`]: the source and its TTL must be in `UNICAST_PEERS[slot]`.
pub const KEY_CHECK_PEERS: u16 = 1 << 1;

map_types! {
    /// An entry of `ADVERT_KEYS`, found by (ifindex, family, VRID); an entry with `ifindex` 0 is free.
    #[derive(Default)]
    pub struct AdvertKey[60] {
        /// The interface the advert must arrive on.
        pub ifindex: u32,
        /// The slot in `ROUTERS` and `PEERS`.
        pub slot: u32,
        /// [`KEY_UNICAST`] and [`KEY_CHECK_PEERS`].
        pub flags: u16,
        /// v2: the interval an advert must carry, in centiseconds; v3: 0, any interval is accepted (RFC 9568 §7.1).
        pub interval_cs: u16,
        /// The virtual router identifier.
        pub vrid: u8,
        /// The address family, 4 or 6.
        pub family: u8,
        /// The protocol version an advert must have, 2 or 3.
        pub version: u8,
        /// v2: the authentication type an advert must have (0 none, 1 simple password); v3: 0.
        pub auth_type: u8,
        /// The smallest TTL or hop limit accepted: 255 except towards unicast peers (RFC 9568 §5.1.1.3).
        pub min_ttl: u8,
        /// Reserved, 0.
        pub reserved: [u8; 3],
        /// v2: the authentication data an advert must carry, padded with zeros.
        pub auth_data: [u8; 8],
        /// The address this node sends from; an advert from it is our own, looped back.
        pub source: Address,
        /// The multicast group adverts are sent to; unspecified with [`KEY_UNICAST`].
        pub group: Address,
    }
}

/// How many senders `UNICAST_PEERS` holds a router.
pub const MAX_UNICAST_PEERS: usize = 32;

map_types! {
    /// A sender that a router with [`KEY_CHECK_PEERS`] accepts.
    #[derive(Default)]
    pub struct UnicastPeer[20] {
        /// The sender's address; unspecified behind the last one.
        pub addr: Address,
        /// The smallest TTL or hop limit accepted from it.
        pub min_ttl: u8,
        /// The largest TTL or hop limit accepted from it.
        pub max_ttl: u8,
        /// Reserved, 0.
        pub reserved: [u8; 2],
    }

    /// The value of `UNICAST_PEERS[slot]`.
    #[derive(Default)]
    pub struct UnicastPeers[640] {
        /// The accepted senders, the rest unspecified.
        pub peers: [UnicastPeer; MAX_UNICAST_PEERS],
    }
}
