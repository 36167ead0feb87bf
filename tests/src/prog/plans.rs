//! Plans to test with.

use std::{
    net::{IpAddr, Ipv4Addr},
    time::Duration,
};

use hadp::{
    datapath::{AdvertFilter, PlannedRouter, PlannedVip},
    proto::Slot,
    units::{Centis, Priority, Vrid},
};
use hadp_common::{addr::Family, router::virtual_mac, wire::vrrp::GROUP_V4};

use super::IFINDEX;

/// This node's own address.
pub const OWN: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);
/// This node's own MAC.
pub const OWN_MAC: [u8; 6] = [2, 0, 0, 0, 0, 1];

/// Returns a slot.
pub fn slot(index: u32) -> Slot {
    Slot::new(index).expect("the slot exists")
}

/// Returns a multicast v3 router with these virtual addresses, which answers with the interface's own MAC.
pub fn router(index: u32, vrid: u8, vips: &[Ipv4Addr]) -> PlannedRouter {
    let vip = |addr: &Ipv4Addr| PlannedVip { addr: IpAddr::V4(*addr), ifindex: IFINDEX };
    PlannedRouter {
        slot: slot(index),
        ifindex: IFINDEX,
        vrid: Vrid::new(vrid).expect("the identifier is not 0"),
        family: Family::V4,
        mac: OWN_MAC,
        link_mac: OWN_MAC,
        virtual_mac: false,
        accept: true,
        priority: Priority::new(100).expect("the priority is not 0"),
        yields: true,
        guard: 0,
        lease_left: Duration::from_secs(2),
        advert: AdvertFilter {
            version: 3,
            interval: None,
            password: None,
            source: OWN.into(),
            group: Some(GROUP_V4.into()),
            min_ttl: 255,
            senders: Vec::new(),
            addresses_hash: 0,
        },
        vips: vips.iter().map(vip).collect(),
    }
}

/// Makes it a v2 router with this interval and password.
pub fn v2_router(mut router: PlannedRouter, seconds: u8, password: Option<[u8; 8]>) -> PlannedRouter {
    router.advert.version = 2;
    router.advert.interval = Centis::new(u16::from(seconds) * 100);
    router.advert.password = password;
    router
}

/// Makes it answer with its virtual MAC.
pub fn vmac_router(mut router: PlannedRouter) -> PlannedRouter {
    router.mac = virtual_mac(Family::V4, router.vrid.get());
    router.virtual_mac = true;
    router
}
