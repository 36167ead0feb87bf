//! Where each router can run, given the interfaces there are.

use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr},
};

use hadp_common::{
    key::UnicastPeer,
    peer::{ADDRESSES_SEED, fold_address},
    router::virtual_mac,
};

use crate::{
    datapath::{AdvertFilter, PlannedRouter, PlannedVip},
    model::{Auth, Delivery, Router, Version, Vip},
    net::{
        addr::Placed,
        frames::Port,
        link::{Carrier, Links},
    },
    proto::{Cause, Config, Slot},
    units::Priority,
};

/// What a router finds on this machine.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Placement {
    /// Where it speaks from, when that is known.
    pub(crate) port: Option<Site>,
    /// Why it cannot run, if it cannot.
    pub(crate) obstacle: Option<Cause>,
}

/// The interfaces of a router whose interfaces all exist.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Site {
    /// Its own interface's index.
    pub(crate) ifindex: u32,
    /// Its own interface's MAC.
    pub(crate) link_mac: [u8; 6],
    /// The MAC that answers for it.
    pub(crate) mac: [u8; 6],
    /// The address it sends from.
    pub(crate) source: Ipv4Addr,
    /// The interface of each address: first `vips`, then `excluded_vips`.
    pub(crate) carriers: Vec<(u32, [u8; 6])>,
}

impl Site {
    /// Returns what frames are built from.
    pub(crate) fn port(&self) -> Port {
        Port { ifindex: self.ifindex, link_mac: self.link_mac, mac: self.mac, source: self.source }
    }

    /// Returns every interface the datapath must be attached to.
    pub(crate) fn interfaces(&self) -> BTreeSet<u32> {
        self.carriers.iter().map(|&(index, _)| index).chain([self.ifindex]).collect()
    }
}

/// Decides where `router` can run; `virtual_addresses` are those of all routers, none of which can be a source.
pub(crate) fn place(router: &Router, links: &Links, virtual_addresses: &BTreeSet<IpAddr>) -> Placement {
    let obstacle = |cause| Placement { port: None, obstacle: Some(cause) };
    let Some(own) = links.by_name(&router.interface) else { return obstacle(Cause::NoInterface) };
    let mut carrier = own.carrier;
    let mut carriers = Vec::new();
    for vip in vips(router) {
        let Some(link) = links.by_name(&vip.dev) else { return obstacle(Cause::NoInterface) };
        if link.carrier == Carrier::Down {
            carrier = Carrier::Down;
        }
        carriers.push((link.index, link.mac));
    }
    let owns = router.priority == Priority::OWNER;
    let primary = || {
        let mut real = own.addresses.iter().map(|&(addr, _)| addr);
        // The owner's virtual addresses are real ones.
        real.find(|&addr| owns || !virtual_addresses.contains(&IpAddr::V4(addr)))
    };
    let is_unicast = matches!(router.delivery, Delivery::Unicast { .. });
    let source = match router.source {
        // Nothing could be sent from an address that is nowhere; by multicast, whole frames are sent.
        Some(IpAddr::V4(addr)) => Some(addr).filter(|&addr| !is_unicast || links.has_anywhere(addr)),
        Some(IpAddr::V6(_)) => None,
        None => primary(),
    };
    let Some(source) = source else { return obstacle(Cause::NoSource) };
    let mac = if router.virtual_mac { virtual_mac(router.family, router.vrid.get()) } else { own.mac };
    Placement {
        port: Some(Site { ifindex: own.index, link_mac: own.mac, mac, source, carriers }),
        obstacle: (carrier == Carrier::Down).then_some(Cause::LinkDown),
    }
}

/// Returns all addresses of a router, excluded ones last.
pub(crate) fn vips(router: &Router) -> impl Iterator<Item = &Vip> {
    router.vips.iter().chain(&router.excluded_vips)
}

/// Returns the interfaces of a router and of its addresses, by name.
pub(crate) fn interfaces(router: &Router) -> impl Iterator<Item = &str> {
    let devices = vips(router).map(|vip| vip.dev.as_str());
    std::iter::once(router.interface.as_str()).chain(devices.filter(|dev| *dev != router.interface))
}

/// Returns what finds the index and MAC of the interface of a router's address by its name.
pub(crate) fn carriers(router: &Router, site: &Site) -> impl Fn(&str) -> Option<(u32, [u8; 6])> {
    |name| {
        let mut carriers = vips(router).zip(&site.carriers);
        carriers.find(|(vip, _)| vip.dev == name).map(|(_, carrier)| *carrier)
    }
}

/// Returns a router's addresses, each with the interface it goes to.
pub(crate) fn placed(router: &Router, site: &Site) -> Vec<Placed> {
    let carriers = site.carriers.iter().map(|&(ifindex, _)| ifindex);
    vips(router).zip(carriers).map(|(vip, ifindex)| Placed { ifindex, vip: vip.clone() }).collect()
}

/// Describes a placed router to the datapath.
pub(crate) fn plan(slot: Slot, router: &Router, site: &Site) -> PlannedRouter {
    let (group, min_ttl, senders) = match &router.delivery {
        Delivery::Multicast { group } => (Some(*group), 255, Vec::new()),
        Delivery::Unicast { peers, check_source } => {
            let limited = |peer: &crate::model::UnicastPeer| peer.min_ttl > 0 || peer.max_ttl < 255;
            let listed = *check_source || peers.iter().any(limited);
            (None, 0, if listed { peers.iter().map(sender).collect() } else { Vec::new() })
        }
    };
    let (interval, password) = match router.version {
        Version::V2(Auth::None) => (Some(router.interval), None),
        Version::V2(Auth::Pass(password)) => (Some(router.interval), Some(password)),
        Version::V3(_) => (None, None),
    };
    let fold = |hash, vip: &Vip| match vip.addr {
        IpAddr::V4(addr) => fold_address(hash, u32::from_ne_bytes(addr.octets())),
        IpAddr::V6(addr) => addr
            .octets()
            .as_chunks::<4>()
            .0
            .iter()
            .fold(hash, |hash, word| fold_address(hash, u32::from_ne_bytes(*word))),
    };
    PlannedRouter {
        slot,
        ifindex: site.ifindex,
        vrid: router.vrid,
        family: router.family,
        mac: site.mac,
        link_mac: site.link_mac,
        virtual_mac: router.virtual_mac,
        // The owner accepts in any case (RFC 9568 §6.4.3).
        accept: router.accept || router.priority == Priority::OWNER,
        priority: router.priority,
        yields: router.priority != Priority::OWNER,
        guard: 0,
        lease_left: Config::from(router).lease_left(),
        advert: AdvertFilter {
            version: router.version.number(),
            interval,
            password,
            source: IpAddr::V4(site.source),
            group,
            min_ttl,
            senders,
            addresses_hash: router.vips.iter().fold(ADDRESSES_SEED, fold),
        },
        vips: vips(router)
            .zip(&site.carriers)
            .map(|(vip, &(ifindex, _))| PlannedVip { addr: vip.addr, ifindex })
            .collect(),
    }
}

fn sender(peer: &crate::model::UnicastPeer) -> UnicastPeer {
    UnicastPeer { addr: peer.addr.into(), min_ttl: peer.min_ttl, max_ttl: peer.max_ttl, reserved: [0; 2] }
}
