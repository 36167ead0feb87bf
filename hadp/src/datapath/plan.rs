//! What the datapath is told of a configuration.

use std::{net::IpAddr, time::Duration};

use hadp_common::{addr::Family, key::UnicastPeer};

use crate::{
    proto::Slot,
    units::{Centis, Priority, Vrid},
};

/// All routers of a node, as the datapath needs them.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// The routers, by ascending slot.
    pub routers: Vec<PlannedRouter>,
}

/// One router.
#[derive(Clone, Debug)]
pub struct PlannedRouter {
    /// Its place in `ROUTERS` and `PEERS`.
    pub slot: Slot,
    /// The interface it runs on.
    pub ifindex: u32,
    /// Its identifier.
    pub vrid: Vrid,
    /// Its family.
    pub family: Family,
    /// The MAC that answers for it.
    pub mac: [u8; 6],
    /// The interface's own MAC.
    pub link_mac: [u8; 6],
    /// Whether `mac` is the virtual MAC.
    pub virtual_mac: bool,
    /// Whether packets to the addresses are passed up where this node owns them (RFC 9568 §6.1, Accept_Mode).
    pub accept: bool,
    /// The priority in its adverts: one of higher rank, heard by the owner, ends the lease in the datapath.
    pub priority: Priority,
    /// Whether it yields to a higher rank; the address owner does not.
    pub yields: bool,
    /// The entry of `GUARDS` that limits its lease, 0 for none.
    pub guard: u32,
    /// How long its lease still runs, at the least, when it is renewed in time.
    pub lease_left: Duration,
    /// What a valid advert must carry.
    pub advert: AdvertFilter,
    /// The addresses it answers for.
    pub vips: Vec<PlannedVip>,
}

/// What a valid advert of a router must carry.
#[derive(Clone, Debug)]
pub struct AdvertFilter {
    /// 2 or 3.
    pub version: u8,
    /// v2: the interval it must have.
    pub interval: Option<Centis>,
    /// v2: the password it must have.
    pub password: Option<[u8; 8]>,
    /// This node's own source address.
    pub source: IpAddr,
    /// The multicast group, or `None` for unicast.
    pub group: Option<IpAddr>,
    /// The smallest TTL accepted.
    pub min_ttl: u8,
    /// The only senders accepted; empty for all.
    pub senders: Vec<UnicastPeer>,
    /// The fingerprint its address list should have, see [`fold_address`](hadp_common::peer::fold_address).
    pub addresses_hash: u32,
}

/// One virtual address.
#[derive(Clone, Copy, Debug)]
pub struct PlannedVip {
    /// The address.
    pub addr: IpAddr,
    /// The interface its packets arrive on.
    pub ifindex: u32,
}
