//! The routers of the configuration, each with its slot and what it found.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use super::placement::{self, Placement, Site};
use crate::{
    datapath::Plan,
    model::Router,
    net::link::Links,
    proto::{Cause, Slot},
    units::Priority,
};

/// A router of the configuration.
#[derive(Debug)]
pub(crate) struct Entry {
    /// The router.
    pub(crate) router: Router,
    /// Where it can run.
    pub(crate) placement: Placement,
}

/// All routers, by slot.
#[derive(Debug, Default)]
pub(crate) struct Roster {
    entries: BTreeMap<Slot, Entry>,
    virtual_addresses: BTreeSet<IpAddr>,
}

/// How a placement changed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Moved {
    /// The interfaces are the same, if there are any.
    InPlace,
    /// One of the interfaces is another one now, if only by its index.
    Elsewhere,
}

/// The configuration has more routers than the maps have slots.
#[derive(Debug, thiserror::Error)]
#[error("{0} virtual routers are more than the {max} a node can run", max = hadp_common::router::MAX_ROUTERS)]
pub struct TooManyRouters(usize);

impl Roster {
    /// Gives every router a slot, in the configuration's order.
    pub(crate) fn new(routers: Vec<Router>) -> Result<Self, TooManyRouters> {
        let count = routers.len();
        let virtual_addresses = routers.iter().flat_map(placement::vips).map(|vip| vip.addr).collect();
        let mut entries = BTreeMap::new();
        for (index, router) in routers.into_iter().enumerate() {
            let slot = u32::try_from(index).ok().and_then(Slot::new).ok_or(TooManyRouters(count))?;
            let placement = Placement { port: None, obstacle: Some(Cause::NotStarted) };
            entries.insert(slot, Entry { router, placement });
        }
        Ok(Self { entries, virtual_addresses })
    }

    /// Returns the router in a slot.
    pub(crate) fn get(&self, slot: Slot) -> Option<&Entry> {
        self.entries.get(&slot)
    }

    /// Sets the priority a router has now, and tells whether that changed it.
    pub(crate) fn set_priority(&mut self, slot: Slot, priority: Priority) -> bool {
        let Some(entry) = self.entries.get_mut(&slot) else { return false };
        std::mem::replace(&mut entry.router.priority, priority) != priority
    }

    /// Returns all routers by slot, which is the configuration's order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Slot, &Entry)> {
        self.entries.iter().map(|(slot, entry)| (*slot, entry))
    }

    /// Places every router anew, and returns those whose placement changed.
    ///
    /// An interface in `refused` carries no datapath, so no router can run on it.
    pub(crate) fn place(&mut self, links: &Links, refused: &BTreeSet<u32>) -> BTreeMap<Slot, Moved> {
        let mut changed = BTreeMap::new();
        for (slot, entry) in &mut self.entries {
            let mut placement = placement::place(&entry.router, links, &self.virtual_addresses);
            let needed = placement.port.as_ref().map(Site::interfaces).unwrap_or_default();
            if !needed.is_disjoint(refused) {
                placement.obstacle = placement.obstacle.or(Some(Cause::NoDatapath));
            }
            if placement != entry.placement {
                let moved = match (&entry.placement.port, &placement.port) {
                    (Some(before), Some(now)) if before.interfaces() != now.interfaces() => Moved::Elsewhere,
                    _ => Moved::InPlace,
                };
                entry.placement = placement;
                changed.insert(*slot, moved);
            }
        }
        changed
    }

    /// Tells whether an address is one of the virtual ones, which no placement depends on.
    pub(crate) fn is_virtual(&self, addr: IpAddr) -> bool {
        self.virtual_addresses.contains(&addr)
    }

    /// Returns every interface the datapath must be attached to.
    pub(crate) fn interfaces(&self) -> BTreeSet<u32> {
        self.sites().flat_map(|(_, _, site)| site.interfaces()).collect()
    }

    /// Describes to the datapath every router whose interfaces exist.
    pub(crate) fn plan(&self) -> Plan {
        Plan {
            routers: self.sites().map(|(slot, router, site)| placement::plan(slot, router, site)).collect(),
        }
    }

    fn sites(&self) -> impl Iterator<Item = (Slot, &Router, &Site)> {
        self.entries
            .iter()
            .filter_map(|(slot, entry)| Some((*slot, &entry.router, entry.placement.port.as_ref()?)))
    }
}
