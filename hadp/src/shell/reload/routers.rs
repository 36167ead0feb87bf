//! Routers in a reload.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
    sync::Arc,
    time::Duration,
};

use tracing::info;

use super::difference::{self, Running, Steps};
use crate::{
    datapath::PlannedVip,
    model::{Router, Vip},
    net::{addr::Placed, address_set::AddressSet, link::Links},
    observe::control::Reloaded,
    proto::{Addresses, Cause, Config, Reconfiguration, Slot},
    shell::{
        clock,
        messages::{Command, Frames, Reconfigure},
        placement::{self, Placement},
        supervisor::Supervisor,
    },
};

/// How many of its old intervals an Active router whose interval becomes longer goes on by that, at the most, counted
/// generously.
const EASING: u32 = 8;

/// How long clients and switches may take to learn the interface's MAC in place of the virtual one.
const UNLEARNED: Duration = Duration::from_secs(1);

/// What a router was before a reload.
#[derive(Debug)]
pub(crate) struct Former {
    /// As it ran; `None` for one that is new.
    router: Option<Router>,
    placement: Placement,
}

impl Former {
    /// Tells whether it could run.
    pub(in crate::shell) fn ran(&self) -> bool {
        self.placement.port.is_some() && self.placement.obstacle.is_none()
    }

    /// Notes that it was stopped before it was told of the reload.
    pub(in crate::shell) fn stop(&mut self, cause: Cause) {
        self.placement.obstacle = Some(cause);
    }

    /// Tells whether the router has addresses now that it had not before.
    pub(in crate::shell) fn gains(&self, now: &Router) -> bool {
        let place = |vip: &Vip| (vip.dev.clone(), vip.addr);
        let had: BTreeSet<_> = self.router.iter().flat_map(placement::vips).map(place).collect();
        placement::vips(now).any(|vip| !had.contains(&place(vip)))
    }
}

impl Supervisor {
    /// Compares the routers with what is wanted.
    pub(super) fn routers_to(&self, wanted: &[Router]) -> Steps<Slot> {
        let running = self.roster.iter();
        let running: Vec<_> = running
            .map(|(id, entry)| Running { id, is: &entry.configured, leaving: entry.leaving })
            .collect();
        difference::routers(&running, wanted)
    }

    /// Has those handed over that are to leave.
    pub(super) fn dismiss(&mut self, plan: &Steps<Slot>, done: &mut Reloaded) {
        for &(slot, why) in &plan.leave {
            let Some(entry) = self.roster.get_mut(slot) else { continue };
            entry.leaving = true;
            self.reload.untold.remove(&slot);
            entry.position = usize::MAX;
            let name = entry.router.name.clone();
            match why {
                Some(why) => {
                    info!("({name}) is handed over and started anew: {why} cannot change while it runs");
                    done.routers.anew.push(name);
                }
                None => {
                    info!("({name}) has left the configuration: handing it over");
                    done.routers.removed.push(name);
                }
            }
            self.command(Command::Leave(slot));
        }
    }

    /// Notes what the others are now; returns those that have to take something up, and whether some wait.
    pub(super) fn change_routers(
        &mut self,
        wanted: &[Router],
        plan: &Steps<Slot>,
        done: &mut Reloaded,
    ) -> (BTreeMap<Slot, Former>, bool) {
        let mut former = BTreeMap::new();
        let mut waits = !plan.waiting.is_empty();
        for &(slot, position) in &plan.same {
            if let Some(entry) = self.roster.get_mut(slot) {
                entry.position = position;
            }
        }
        done.routers.same = plan.same.len();
        for &(slot, position) in &plan.changed {
            let (Some(router), Some(entry)) = (wanted.get(position), self.roster.get_mut(slot)) else {
                continue;
            };
            info!("({}) is reconfigured", router.name);
            done.routers.changed.push(router.name.clone());
            let old = std::mem::replace(&mut entry.router, router.clone());
            entry.retired.extend(retired(self.ledger.prepared(slot), router, &self.links));
            let config = Config::from(&old);
            if config.lease_span() < Config::from(router).lease_span() {
                let now = clock::now();
                entry.ease(config, now, now + old.interval.duration() * EASING);
            }
            if old.virtual_mac && !router.virtual_mac {
                entry.virtual_mac_until = Some(clock::now() + UNLEARNED);
            }
            entry.position = position;
            entry.configured = router.clone();
            former.insert(slot, Former { router: Some(old), placement: entry.placement.clone() });
        }
        for &position in &plan.added {
            let Some(router) = wanted.get(position) else { continue };
            let Some(slot) = self.roster.add(position, router.clone()) else {
                waits = true;
                done.routers.waiting.push(router.name.clone());
                continue;
            };
            info!("({}) is new", router.name);
            done.routers.added.push(router.name.clone());
            let placement = Placement { port: None, obstacle: Some(Cause::NotStarted) };
            former.insert(slot, Former { router: None, placement });
        }
        // Of those that are started anew that has been said.
        let waiting = plan.waiting.iter().filter_map(|position| wanted.get(*position));
        let waiting = waiting.filter(|router| !done.routers.anew.contains(&router.name));
        done.routers.waiting.extend(waiting.map(|router| router.name.clone()));
        self.roster.note_addresses();
        (former, waits)
    }

    /// Puts the routers in force: those that are new join, and those that have changed take that up.
    pub(super) fn put_in_force(&mut self, mut changed: BTreeMap<Slot, Former>) {
        let new: Vec<Slot> =
            changed.iter().filter(|(_, former)| former.router.is_none()).map(|(slot, _)| *slot).collect();
        for slot in new {
            // From here on it is like one that could not run so far.
            changed.remove(&slot);
            self.unstarted.insert(slot);
            let Some(entry) = self.roster.get(slot) else { continue };
            let (name, config) = (entry.router.name.as_str().into(), Config::from(&entry.router));
            self.command(Command::Insert { slot, name, config, since: clock::now() });
        }
        for (slot, former) in changed {
            // What it runs as counts, where it was not told of the reload before this one.
            self.reload.untold.entry(slot).or_insert(former);
        }
        self.replace();
    }

    /// Has a router take up what has changed; one that could not run, and can now, is started.
    pub(in crate::shell) fn reconfigure_router(&mut self, slot: Slot, former: &Former) {
        let Some(entry) = self.roster.get(slot) else { return };
        let Placement { port, obstacle } = entry.placement.clone();
        let name = entry.router.name.as_str().into();
        let config = Config::from(&entry.router);
        let addresses = former.router.as_ref().map_or(Addresses::Same, |old| {
            let before = former.placement.port.as_ref().map(|site| placement::placed(old, site));
            let now = port.as_ref().map(|site| placement::placed(&entry.router, site));
            addresses(&before.unwrap_or_default(), &now.unwrap_or_default())
        });
        let moves = match (&former.placement.port, &port) {
            (Some(before), Some(now)) => before.mac != now.mac,
            _ => false,
        };
        if let Some(site) = &port {
            self.virtual_macs.receive_to(&entry.router, site);
        }
        let frames = self.outlet(slot).map(|(source, outlet)| Frames {
            source,
            outlet,
            addresses: Arc::new(AddressSet::new(self.ledger.prepared(slot).to_vec())),
        });
        let is_mute = frames.is_none() && port.is_some();
        let change = Reconfiguration { config, addresses };
        self.command(Command::Reconfigure(Box::new(Reconfigure { slot, name, change, frames, moves })));
        let cause =
            obstacle.or(is_mute.then_some(Cause::NoSource)).or(port.is_none().then_some(Cause::NoInterface));
        if let Some(cause) = cause {
            if is_mute {
                self.unstarted.insert(slot);
            }
            self.command(Command::Fault { slot, cause });
            return;
        }
        // One that tracks nothing any more is not kept by that either.
        let is_free = !self.reach.followers.tracks(slot) && self.reach.faulted.remove(&slot);
        if !former.ran() || is_free {
            self.start_router(slot);
        }
    }

    /// Frees the slots of routers that have left, and whose addresses are off.
    pub(in crate::shell) fn forget_routers(&mut self, slots: &[Slot]) {
        for &slot in slots {
            if let Some(entry) = self.roster.get(slot) {
                info!("({}) has left", entry.router.name);
            }
            self.ledger.forget(slot);
            self.will.erase(slot);
            self.unstarted.remove(&slot);
            self.troubled.remove(&slot);
            self.reach.faulted.remove(&slot);
            self.reload.untold.remove(&slot);
            self.roster.remove(slot);
        }
        self.roster.note_addresses();
        self.virtual_macs.keep(&self.roster.virtual_macs());
        self.write_ledger();
        self.apply();
    }

    /// Ends what was said for the sake of peers that may have gone by a shorter interval.
    pub(in crate::shell) fn settle_intervals(&mut self) {
        let now = clock::now();
        let over = self.roster.end_easing(now);
        if !over.is_empty() {
            self.apply();
        }
        for slot in over {
            drop(self.outlet(slot)); // it leaves the new pace to the companion
        }
    }
}

/// Returns which of the addresses that were put on interfaces for a router are not its own any more: till the kernel has given
/// them up this node must not answer for them where it does not own them.
fn retired(put: &[Placed], router: &Router, links: &Links) -> Vec<(u8, PlannedVip)> {
    let index = |dev: &str| links.by_name(dev).map(|link| link.index);
    let wanted: BTreeSet<_> = placement::vips(router).map(|vip| (index(&vip.dev), vip.addr)).collect();
    let vips = put.iter().map(|placed| PlannedVip { addr: placed.vip.addr, ifindex: placed.ifindex });
    let goes = |vip: &PlannedVip| !wanted.contains(&(Some(vip.ifindex), vip.addr));
    vips.filter(|vip| goes(vip) && links.has(vip.ifindex, vip.addr)).map(|vip| (0, vip)).collect()
}

/// Compares the addresses of a router before and after, in their orders.
fn addresses(before: &[Placed], now: &[Placed]) -> Addresses {
    if before == now {
        return Addresses::Same;
    }
    let key = |placed: &Placed| (placed.ifindex, placed.vip.addr);
    let known: BTreeSet<_> = before.iter().map(key).collect();
    let mut new: Vec<Range<usize>> = Vec::new();
    for (index, _) in now.iter().enumerate().filter(|(_, placed)| !known.contains(&key(placed))) {
        match new.last_mut() {
            Some(last) if last.end == index => last.end += 1,
            _ => new.push(index..index + 1),
        }
    }
    Addresses::Changed { new }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Scope;

    fn placed(ifindex: u32, last: u8) -> Placed {
        let addr = std::net::IpAddr::from([10, 77, 0, last]);
        let (broadcast, dev, label, peer) = (None, "eth0".to_owned(), None, None);
        Placed { ifindex, vip: Vip { addr, prefix: 16, broadcast, dev, scope: Scope::GLOBAL, label, peer } }
    }

    /// One range of new addresses.
    fn only(vips: Range<usize>) -> Addresses {
        Addresses::Changed { new: std::iter::once(vips).collect() }
    }

    #[test]
    fn new_addresses_are_named_by_their_places() {
        let list = |lasts: &[u8]| lasts.iter().map(|last| placed(1, *last)).collect::<Vec<_>>();
        #[rustfmt::skip]
        let rows: [(&[u8], &[u8], Addresses); 6] = [
            (&[1, 2], &[1, 2],          Addresses::Same),
            (&[1, 2], &[2, 1],          Addresses::Changed { new: vec![] }),
            (&[1, 2], &[2],             Addresses::Changed { new: vec![] }),
            (&[1, 2], &[1, 2, 3, 4],    only(2..4)),
            (&[1, 2], &[5, 1, 6, 7, 2], Addresses::Changed { new: vec![0..1, 2..4] }),
            (&[],     &[1],             only(0..1)),
        ];
        for (before, now, expected) in rows {
            assert_eq!(addresses(&list(before), &list(now)), expected, "{before:?} {now:?}");
        }
        let moved = addresses(&list(&[1]), &[placed(2, 1)]);
        assert_eq!(moved, only(0..1), "another interface");
    }
}
