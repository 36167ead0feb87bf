//! The virtual addresses on the interfaces, as far as they may wait: noted beforehand, swept up at the start.

use std::{collections::BTreeSet, net::IpAddr};

use rtnetlink::Handle;
use tracing::{info, warn};

use super::{
    ledger, placement, report,
    resume::Resumed,
    roster::{Entry, Roster},
    start::Paths,
    supervisor::Supervisor,
};
use crate::{
    datapath::PlannedVip,
    model::Vip,
    net::{
        addr::{self, AddressError, Placed},
        link::Links,
    },
    proto::Slot,
    units::Priority,
};

/// Takes off what a killed daemon left on the interfaces, and what must not be there before an election; what routers
/// that go on as Active hold stays untouched.
pub(super) async fn sweep(
    addresses: &Handle,
    links: &Links,
    roster: &Roster,
    paths: &Paths,
    resumed: &Resumed,
) {
    let mut stale = match ledger::left_behind(&paths.ledger()) {
        Ok(stale) => stale,
        Err(error) => {
            warn!(path = %paths.ledger().display(), %error, "cannot read which addresses were left behind");
            Vec::new()
        }
    };
    // The owner's addresses are the interface's own (RFC 9568 §1.7).
    let contended =
        |slot: &Slot, entry: &Entry| entry.router.priority != Priority::OWNER && !resumed.contains_key(slot);
    for (_, entry) in roster.iter().filter(|(slot, entry)| contended(slot, entry)) {
        for vip in placement::vips(&entry.router) {
            let Some(link) = links.by_name(&vip.dev) else { continue };
            // As it is there, which need not be as it is configured.
            for &(_, prefix) in link.addresses.iter().filter(|&&(addr, _)| vip.addr == addr) {
                let vip = Vip { prefix, label: None, peer: None, ..vip.clone() };
                stale.push(Placed { ifindex: link.index, vip });
            }
        }
    }
    stale.retain(|left| links.has(left.ifindex, left.vip.addr));
    stale.sort_unstable_by_key(|left| (left.ifindex, left.vip.addr));
    stale.dedup_by_key(|left| (left.ifindex, left.vip.addr));
    let held: BTreeSet<_> = resumed.values().flatten().map(|held| (held.ifindex, held.vip.addr)).collect();
    stale.retain(|left| !held.contains(&(left.ifindex, left.vip.addr)));
    for left in &stale {
        info!(addr = %left.vip.addr, dev = left.vip.dev, "removing an address that was left on its interface");
    }
    report::address_errors(&addr::remove(addresses, &stale).await);
}

impl Supervisor {
    /// Goes on with the addresses of routers that go on as Active.
    pub(super) fn keep(&mut self, resumed: Resumed) {
        for (slot, placed) in resumed {
            self.ledger.prepare(slot, placed);
            let Some(entry) = self.roster.get(slot) else { continue };
            let Some(site) = &entry.placement.port else { continue };
            self.virtual_macs.receive_to(&entry.router, site);
            if self.wanted(entry, slot) != self.ledger.prepared(slot) {
                self.unstarted.insert(slot); // the owner has addresses that it had not before
            }
        }
    }

    /// Notes which addresses these routers may put on interfaces, where a successor finds it.
    pub(super) fn prepare<'a>(&mut self, slots: impl IntoIterator<Item = &'a Slot>) {
        for &slot in slots {
            let Some(entry) = self.roster.get(slot).filter(|entry| entry.placement.port.is_some()) else {
                continue;
            };
            let placed = self.wanted(entry, slot);
            self.ledger.prepare(slot, placed);
        }
        self.write_ledger();
    }

    /// Forgets the addresses that routers do not have any more and that are off their interfaces.
    pub(super) fn settle_addresses(&mut self) {
        let (links, troubled) = (&self.links, &self.troubled);
        // What is there although nothing failed was put there by somebody else.
        let stays = |slot: Slot, ifindex: u32, addr| troubled.contains(&slot) && links.has(ifindex, addr);
        if self.ledger.settle(|slot, left| stays(slot, left.ifindex, left.vip.addr)) {
            self.write_ledger();
        }
        let is_over = |slot, (looks, vip): &mut (u8, PlannedVip)| {
            *looks = looks.saturating_add(1);
            *looks >= 2 && !stays(slot, vip.ifindex, vip.addr)
        };
        if self.roster.end_retired(is_over) {
            self.apply();
            self.detach_unneeded();
        }
    }

    /// Does so for one that has just been taken off.
    pub(super) fn came_off(&mut self, ifindex: u32, addr: IpAddr) {
        self.ledger.came_off(ifindex, addr);
        if self.roster.end_retired(|_, (_, vip)| (vip.ifindex, vip.addr) == (ifindex, addr)) {
            self.apply();
            self.detach_unneeded();
        }
    }

    /// Has a successor find what may be on interfaces.
    pub(super) fn write_ledger(&self) {
        if let Err(error) = self.ledger.write() {
            warn!(%error, path = %self.paths.ledger().display(), "addresses would be left behind by a crash");
        }
    }

    /// Returns the addresses that a router puts on interfaces when it is Active.
    fn wanted(&self, entry: &Entry, slot: Slot) -> Vec<Placed> {
        let Some(site) = &entry.placement.port else { return Vec::new() };
        let mut placed = placement::placed(&entry.router, site);
        if entry.router.priority == Priority::OWNER {
            // What is the interface's own stays there; what is there because this node put it there does not.
            placed.retain(|placed| {
                self.ledger.prepared(slot).contains(placed)
                    || !self.links.has(placed.ifindex, placed.vip.addr)
            });
        }
        placed
    }

    /// Logs what failed on addresses, to be tried again.
    pub(super) fn addresses_failed(&mut self, slot: Slot, errors: &[AddressError]) {
        report::address_errors(errors);
        self.troubled.insert(slot);
    }

    /// Takes every address off.
    pub(super) async fn take_off(&self) {
        report::address_errors(&self.threads.placer.leave().await);
    }
}
