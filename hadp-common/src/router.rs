//! `ROUTERS`: who owns what.

use crate::macros::map_types;

/// How many virtual routers a node can run: the number of slots in `ROUTERS` and `PEERS`.
pub const MAX_ROUTERS: u32 = 2048;

/// [`Router::flags`]: the router answers with its virtual MAC, not with the interface's own.
pub const ROUTER_VMAC: u32 = 1 << 0;
/// [`Router::flags`]: admit traffic by the exact clock instead of the tick, for leases shorter than some ticks.
pub const ROUTER_EXACT: u32 = 1 << 1;
/// [`Router::flags`]: the owner, too, drops packets to the virtual addresses (RFC 9568 §6.1, Accept_Mode false); ARP is
/// answered all the same.
pub const ROUTER_NO_ACCEPT: u32 = 1 << 2;

map_types! {
    /// The value of `ROUTERS[slot]`: one virtual router of this node.
    ///
    /// Ownership is a lease: the node acts as Active for this router only while the clock is below
    /// [`lease_until_ns`](Self::lease_until_ns). Taking the router over, renewing it and giving it up are each
    /// one aligned 8-octet store to that field, however many virtual addresses point to the slot.
    #[derive(Default)]
    pub struct Router[40] {
        /// When ownership ends, in nanoseconds of CLOCK_MONOTONIC; 0 when this node does not own the router.
        pub lease_until_ns: u64,
        /// Counts how often the slot was given to a virtual router.
        pub generation: u32,
        /// [`ROUTER_VMAC`], [`ROUTER_EXACT`] and [`ROUTER_NO_ACCEPT`].
        pub flags: u32,
        /// The interface the router runs on; 0 for a free slot.
        pub ifindex: u32,
        /// The MAC that answers for the virtual addresses: the virtual one or the interface's.
        pub mac: [u8; 6],
        /// The interface's own MAC, put as destination on frames that came to the virtual MAC.
        pub link_mac: [u8; 6],
        /// The virtual router identifier.
        pub vrid: u8,
        /// The address family, 4 or 6.
        pub family: u8,
        /// Reserved, 0.
        pub reserved: [u8; 6],
    }
}

/// Returns the virtual MAC of a virtual router: 00:00:5e:00:01:VRID for IPv4, 00:00:5e:00:02:VRID for IPv6 (RFC 9568
/// §7.3).
pub const fn virtual_mac(family: crate::addr::Family, vrid: u8) -> [u8; 6] {
    match family {
        crate::addr::Family::V4 => [0x00, 0x00, 0x5e, 0x00, 0x01, vrid],
        crate::addr::Family::V6 => [0x00, 0x00, 0x5e, 0x00, 0x02, vrid],
    }
}
