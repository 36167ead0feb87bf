//! `VIPS`: the virtual addresses, for ARP, ND and traffic alike.

use crate::{addr::Address, macros::map_types};

/// The number of entries in one half of `VIPS`; a power of two.
pub const VIPS_LEN: u32 = 16_384;

/// How many virtual addresses a node can have: so many find a place in `VIPS` whichever they are. Twice as many may not:
/// of 8,192, one in every /24, some lie more than [`PROBES`](crate::table::PROBES) entries from their hash under any seed.
pub const MAX_VIPS: u32 = VIPS_LEN / 4;

map_types! {
    /// An entry of `VIPS`, found by (ifindex, VLAN tags, address); an entry with `ifindex` 0 is free.
    #[derive(Default)]
    pub struct Vip[32] {
        /// The virtual address.
        pub addr: Address,
        /// The interface its packets arrive on.
        pub ifindex: u32,
        /// The VLAN identifiers of its frames, outer then inner; 0 for an absent tag.
        pub vlans: [u16; 2],
        /// The slot in `ROUTERS` that owns it.
        pub slot: u32,
        /// The balanced service behind it; 0 for none.
        pub service: u32,
    }
}
