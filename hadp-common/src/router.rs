//! `ROUTERS`: who owns what.

use crate::macros::map_types;

/// How many virtual routers a node can run: the number of slots in `ROUTERS` and `PEERS`.
pub const MAX_ROUTERS: u32 = 2048;

/// [`Router::flags`]: the router answers with its virtual MAC, not with the interface's own.
pub const ROUTER_VMAC: u32 = 1 << 0;
/// [`Router::flags`]: admit traffic by the exact clock instead of the tick, for leases shorter than some ticks; routers
/// with a guard always do.
pub const ROUTER_EXACT: u32 = 1 << 1;
/// [`Router::flags`]: the owner, too, drops packets to the virtual addresses (RFC 9568 §6.1, Accept_Mode false); ARP is
/// answered all the same.
pub const ROUTER_NO_ACCEPT: u32 = 1 << 2;

/// [`Router::flags`]: the owner never yields to an advert (priority 255, RFC 9568 §6.1): the datapath leaves its lease
/// alone whatever it hears.
pub const ROUTER_NO_YIELD: u32 = 1 << 3;

/// How long traffic is admitted after ownership ended in a handover or by revocation, in nanoseconds: for frames that
/// left before their senders had heard the successor.
pub const DRAIN_NS: u64 = 100_000_000;

/// The lowest bit of [`Router::lease_until_ns`], on top of the time: this node has resigned the router and only waits for a
/// successor. Whoever advertises it, whatever the priority, ends the lease, and it is renewed no more.
pub const LEASE_RESIGNED: u64 = 1;

/// The number of entries in `GUARDS`; entry 0 is never used.
pub const MAX_GUARDS: u32 = 64;

/// The value of `GUARDS[guard]` while no session of the guard is up: the lease counts alone.
pub const GUARD_OPEN: u64 = u64::MAX;

/// The value of `GUARDS[guard]` once the datapath has ended it, because a neighbour said that it has given this node up:
/// renewing it compares and exchanges, and never replaces this.
pub const GUARD_ENDED: u64 = 0;

/// The value of `GUARDS[guard]` once the daemon knows that the datapath has ended it: as lapsed as before, but should a neighbour say
/// the same once more, that shows.
pub const GUARD_NOTED: u64 = 1;

map_types! {
    /// The value of `ROUTERS[slot]`: one virtual router of this node.
    ///
    /// Ownership is a lease: the node acts as Active for this router only while the clock is below
    /// [`lease_until_ns`](Self::lease_until_ns) and, where the router has a [`guard`](Self::guard), below
    /// `GUARDS[guard]` too. Taking the router over, renewing it and giving it up are each one aligned 8-octet store to
    /// the lease, however many virtual addresses point to the slot.
    ///
    /// The datapath revokes the lease by itself (stores 0, and a drain) when it hears a valid advert of a router of higher
    /// rank; a renewal therefore compares and exchanges, and never replaces 0.
    #[derive(Default)]
    pub struct Router[56] {
        /// When ownership ends, in nanoseconds of CLOCK_MONOTONIC; 0 when this node does not own the router.
        pub lease_until_ns: u64,
        /// Until when traffic to the virtual addresses is still admitted although this node no longer owns the router,
        /// in the same clock: frames that were under way in a handover. Nothing is answered or claimed for it.
        pub drain_until_ns: u64,
        /// The entry of `GUARDS` that limits the lease, 0 for none.
        pub guard: u32,
        /// Counts how often the slot was given to a virtual router.
        pub generation: u32,
        /// [`ROUTER_VMAC`], [`ROUTER_EXACT`], [`ROUTER_NO_ACCEPT`] and [`ROUTER_NO_YIELD`].
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
        /// The priority in this node's own adverts, to rank others against.
        pub priority: u8,
        /// Reserved, 0.
        pub reserved: [u8; 9],
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
