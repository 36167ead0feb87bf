//! The routers of the configuration, each with its slot and what it found.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use hadp_common::router::MAX_ROUTERS;

use super::placement::{self, Placement, Site};
use crate::{
    datapath::{Inherited, Plan, PlannedRouter, PlannedVip},
    model::{Router, Track, Tracked},
    net::link::Links,
    proto::{Cause, Config, Slot},
    units::{Priority, Time},
};

/// A router of the configuration.
#[derive(Debug)]
pub(crate) struct Entry {
    /// Its place in the configuration.
    pub(crate) position: usize,
    /// The router as it is configured.
    pub(crate) configured: Router,
    /// The router as it runs: with the priority that tracking makes of it.
    pub(crate) router: Router,
    /// Where it can run.
    pub(crate) placement: Placement,
    /// Whether it has left the configuration, and is being handed over.
    pub(crate) leaving: bool,
    /// The configuration before, and until when peers may go by its interval.
    pub(crate) before: Option<(Config, Time)>,
    /// Until when frames to its virtual MAC are taken although it does not use that any more.
    pub(crate) virtual_mac_until: Option<Time>,
    /// Addresses that a reload took from it and that may still be on their interfaces, and how often that was looked at: who
    /// owns the router answers for them.
    pub(crate) retired: Vec<(u8, PlannedVip)>,
}

impl Entry {
    fn new(position: usize, router: Router) -> Self {
        Self {
            position,
            configured: router.clone(),
            router,
            placement: Placement { port: None, obstacle: Some(Cause::NotStarted) },
            leaving: false,
            before: None,
            virtual_mac_until: None,
            retired: Vec::new(),
        }
    }

    /// Notes that peers may go by the interval of a configuration before until then. Of two the shorter one counts, for as
    /// long as either does.
    pub(crate) fn ease(&mut self, config: Config, now: Time, until: Time) {
        self.before = Some(match self.before.take() {
            Some((before, longer)) if longer > now => {
                let shorter = if before.lease_span() < config.lease_span() { before } else { config };
                (shorter, longer.max(until))
            }
            _ => (config, until),
        });
    }

    /// Returns the configuration by whose interval peers may still go.
    pub(crate) fn before(&self) -> Option<&Config> {
        self.before.as_ref().map(|(config, _)| config)
    }
}

/// All routers, by slot.
#[derive(Debug, Default)]
pub(crate) struct Roster {
    entries: BTreeMap<Slot, Entry>,
    /// Slots of routers that have left, the latest last: what is on its way for them is not for others.
    freed: Vec<Slot>,
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
    /// Gives every router a slot: the one that it had under another daemon, else, in the configuration's order, one that
    /// was free then; `index` returns the index of an interface by its name.
    pub(crate) fn new(
        routers: Vec<Router>,
        inherited: &[Inherited],
        index: impl Fn(&str) -> Option<u32>,
    ) -> Result<Self, TooManyRouters> {
        let count = routers.len();
        let virtual_addresses = routers.iter().flat_map(placement::vips).map(|vip| vip.addr).collect();
        let mut slots: Vec<_> = routers.iter().map(|router| former(router, inherited, &index)).collect();
        let kept: BTreeSet<_> = slots.iter().flatten().copied().collect();
        let used: BTreeSet<_> = inherited.iter().map(|left| left.slot).collect();
        let all = || (0..MAX_ROUTERS).filter_map(Slot::new).filter(|slot| !kept.contains(slot));
        // Those of routers that left come last: what is on its way for them is not for others.
        let mut free =
            all().filter(|slot| !used.contains(slot)).chain(all().filter(|slot| used.contains(slot)));
        for slot in slots.iter_mut().filter(|slot| slot.is_none()) {
            *slot = Some(free.next().ok_or(TooManyRouters(count))?);
        }
        let mut entries = BTreeMap::new();
        for (position, (router, slot)) in routers.into_iter().zip(slots.into_iter().flatten()).enumerate() {
            entries.insert(slot, Entry::new(position, router));
        }
        Ok(Self { entries, freed: Vec::new(), virtual_addresses })
    }

    /// Gives a router a slot; `None` if there is none.
    pub(crate) fn add(&mut self, position: usize, router: Router) -> Option<Slot> {
        let unused = |slot: &Slot| !self.entries.contains_key(slot) && !self.freed.contains(slot);
        let slot = (0..MAX_ROUTERS).filter_map(Slot::new).find(unused);
        let slot = slot.or_else(|| (!self.freed.is_empty()).then(|| self.freed.remove(0)))?;
        self.entries.insert(slot, Entry::new(position, router));
        Some(slot)
    }

    /// Takes out a router of which nothing is left.
    pub(crate) fn remove(&mut self, slot: Slot) {
        if self.entries.remove(&slot).is_some() {
            self.freed.push(slot);
        }
    }

    /// Finds out anew which addresses are virtual.
    pub(crate) fn note_addresses(&mut self) {
        let routers = self.entries.values().map(|entry| &entry.router);
        self.virtual_addresses = routers.flat_map(placement::vips).map(|vip| vip.addr).collect();
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

    /// Returns the router in a slot, to be changed.
    pub(crate) fn get_mut(&mut self, slot: Slot) -> Option<&mut Entry> {
        self.entries.get_mut(&slot)
    }

    /// Returns the interfaces that routers track, by name.
    pub(crate) fn tracked_interfaces(&self) -> BTreeSet<String> {
        let tracks = self.entries.values().flat_map(|entry| &entry.router.tracks);
        let name = |track: &Track| match &track.object {
            Tracked::Interface(name) => Some(name.clone()),
            Tracked::Bfd(_) => None,
        };
        tracks.filter_map(name).collect()
    }

    /// Returns all routers by slot.
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

    /// Returns the virtual MACs in use, each with its interface.
    pub(crate) fn virtual_macs(&self) -> BTreeSet<(u32, [u8; 6])> {
        let virtual_ones = self.sites().filter(|(_, entry, _)| entry.router.virtual_mac);
        virtual_ones.map(|(_, _, site)| (site.ifindex, site.mac)).collect()
    }

    /// Forgets the intervals and MACs before that nobody can go by any more, and returns whose they were.
    pub(crate) fn end_easing(&mut self, now: Time) -> Vec<Slot> {
        let mut over = Vec::new();
        for (slot, entry) in &mut self.entries {
            let interval = entry.before.take_if(|(_, until)| *until <= now).is_some();
            if interval | entry.virtual_mac_until.take_if(|until| *until <= now).is_some() {
                over.push(*slot);
            }
        }
        over
    }

    /// Returns the virtual addresses of all routers.
    pub(crate) fn virtual_addresses(&self) -> &BTreeSet<IpAddr> {
        &self.virtual_addresses
    }

    /// Tells whether an address is one of the virtual ones, which no placement depends on.
    pub(crate) fn is_virtual(&self, addr: IpAddr) -> bool {
        self.virtual_addresses.contains(&addr)
    }

    /// Returns every interface the datapath must be attached to.
    pub(crate) fn interfaces(&self) -> BTreeSet<u32> {
        let retired = self.entries.values().flat_map(|entry| &entry.retired).map(|(_, vip)| vip.ifindex);
        self.sites().flat_map(|(_, _, site)| site.interfaces()).chain(retired).collect()
    }

    /// Describes to the datapath every router whose interfaces exist.
    pub(crate) fn plan(&self) -> Plan {
        let mut routers: Vec<_> = self.sites().map(|(slot, entry, site)| plan(slot, entry, site)).collect();
        if self.entries.values().any(|entry| !entry.retired.is_empty()) {
            let vips = routers.iter().flat_map(|router| &router.vips);
            let mut taken: BTreeSet<_> = vips.map(|vip| (vip.ifindex, vip.addr)).collect();
            for (router, (_, entry, _)) in routers.iter_mut().zip(self.sites()) {
                let retired = entry.retired.iter().map(|(_, vip)| *vip);
                router.vips.extend(retired.filter(|vip| taken.insert((vip.ifindex, vip.addr))));
            }
        }
        Plan { routers }
    }

    /// Forgets the retired addresses of which `is_over` holds, and tells whether there were any.
    pub(crate) fn end_retired(&mut self, is_over: impl Fn(Slot, &mut (u8, PlannedVip)) -> bool) -> bool {
        let mut any = false;
        for (slot, entry) in &mut self.entries {
            let before = entry.retired.len();
            entry.retired.retain_mut(|retired| !is_over(*slot, retired));
            any |= entry.retired.len() < before;
        }
        any
    }

    fn sites(&self) -> impl Iterator<Item = (Slot, &Entry, &Site)> {
        self.entries.iter().filter_map(|(slot, entry)| Some((*slot, entry, entry.placement.port.as_ref()?)))
    }
}

fn plan(slot: Slot, entry: &Entry, site: &Site) -> PlannedRouter {
    let mut plan = placement::plan(slot, &entry.router, site);
    if let Some(before) = entry.before() {
        plan.lease_left = plan.lease_left.min(before.lease_left());
    }
    plan.virtual_mac |= entry.virtual_mac_until.is_some();
    plan
}

/// Returns the slot that a router had under another daemon.
fn former(router: &Router, inherited: &[Inherited], index: impl Fn(&str) -> Option<u32>) -> Option<Slot> {
    if inherited.is_empty() {
        return None;
    }
    let ifindex = index(&router.interface)?;
    let same = |left: &&Inherited| {
        (left.ifindex, left.vrid, left.family) == (ifindex, router.vrid.get(), router.family as u8)
    };
    inherited.iter().find(same).map(|left| left.slot)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::config::{self, Options};

    /// Two routers in slots 0 and 1, each with one address on interface 2.
    fn roster() -> Roster {
        let router = |name: &str, vrid: u8| {
            format!(
                "vrrp_instance {name} {{\n interface eth0\n version 3\n virtual_router_id {vrid}\n \
                 virtual_ipaddress {{\n 10.0.0.{vrid}/16\n }}\n}}\n"
            )
        };
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("hadp.conf");
        std::fs::write(&path, router("A", 1) + &router("B", 2)).unwrap();
        let loaded = config::load(&path, &Options::default());
        let config = loaded.config.unwrap_or_else(|| panic!("{}", loaded.report.render(false)));
        let mut roster = Roster::new(config.routers, &[], |_| None).unwrap();
        for entry in roster.entries.values_mut() {
            let (link_mac, source) = ([2, 0, 0, 0, 0, 1], [10, 0, 0, 9].into());
            let carriers = vec![(2, link_mac)];
            entry.placement.port = Some(Site { ifindex: 2, link_mac, mac: link_mac, source, carriers });
        }
        roster
    }

    fn slot(index: u32) -> Slot {
        Slot::new(index).unwrap()
    }

    #[test]
    fn a_retired_address_is_its_routers_until_it_is_off_or_another_ones() {
        let mut roster = roster();
        let vip = |ifindex: u32, last: u8| PlannedVip { addr: [10, 0, 0, last].into(), ifindex };
        roster.get_mut(slot(0)).unwrap().retired = vec![(0, vip(2, 7)), (0, vip(3, 8)), (0, vip(2, 2))];
        let planned = |roster: &Roster| {
            let of = |router: &PlannedRouter| router.vips.iter().map(|vip| (vip.ifindex, vip.addr)).collect();
            roster.plan().routers.iter().map(of).collect::<Vec<Vec<(u32, IpAddr)>>>()
        };
        let list = |vips: &[(u32, u8)]| -> Vec<(u32, IpAddr)> {
            vips.iter().map(|(ifindex, last)| (*ifindex, [10, 0, 0, *last].into())).collect()
        };
        // The other router has the third one.
        assert_eq!(planned(&roster), [list(&[(2, 1), (2, 7), (3, 8)]), list(&[(2, 2)])]);
        assert_eq!(roster.interfaces(), [2, 3].into());
        assert!(roster.end_retired(|_, (_, vip)| vip.ifindex == 3));
        assert!(!roster.end_retired(|_, (_, vip)| vip.ifindex == 3));
        assert_eq!(planned(&roster), [list(&[(2, 1), (2, 7)]), list(&[(2, 2)])]);
        assert_eq!(roster.interfaces(), [2].into());
    }

    #[test]
    fn of_two_intervals_before_the_shorter_one_counts_while_either_does() {
        let mut roster = roster();
        let entry = roster.get_mut(slot(0)).unwrap();
        let mut router = entry.router.clone();
        let mut config = |centis| {
            router.interval = crate::units::Centis::new(centis).unwrap();
            Config::from(&router)
        };
        let at = |seconds| Time::ZERO + Duration::from_secs(seconds);
        let (one, three, two) = (config(100), config(300), config(200));
        let before = |entry: &Entry| entry.before.clone().map(|(config, until)| (config.lease_span(), until));
        entry.ease(one.clone(), at(100), at(108));
        entry.ease(three.clone(), at(101), at(125));
        assert_eq!(before(entry), Some((one.lease_span(), at(125))));
        entry.ease(two.clone(), at(102), at(110));
        assert_eq!(before(entry), Some((one.lease_span(), at(125))));
        entry.ease(three.clone(), at(125), at(149));
        assert_eq!(before(entry), Some((three.lease_span(), at(149))), "the other one is over");
        entry.ease(two.clone(), at(126), at(130));
        assert_eq!(before(entry), Some((two.lease_span(), at(149))));
    }
}
