//! The virtual addresses on the interfaces: put on with ownership, taken off with it, swept up at the start.

use std::collections::BTreeSet;

use rtnetlink::Handle;
use tracing::{info, warn};

use super::{
    ledger, placement, report,
    roster::{Entry, Roster},
    start::Paths,
    supervisor::Supervisor,
};
use crate::{
    model::Vip,
    net::{
        addr::{self, Placed},
        link::Links,
    },
    proto::Slot,
    units::Priority,
};

/// Takes off what a killed daemon left on the interfaces, and what must not be there before an election; what routers
/// that go on as Active hold stays untouched, and what of it the daemon had put there is returned.
pub(super) async fn sweep(
    addresses: &Handle,
    links: &Links,
    roster: &Roster,
    paths: &Paths,
    resumed: &BTreeSet<Slot>,
) -> Vec<Placed> {
    let mut stale = match ledger::left_behind(&paths.ledger()) {
        Ok(stale) => stale,
        Err(error) => {
            warn!(path = %paths.ledger().display(), %error, "cannot read which addresses were left behind");
            Vec::new()
        }
    };
    // The owner's addresses are the interface's own (RFC 9568 §1.7).
    let contended =
        |slot: &Slot, entry: &Entry| entry.router.priority != Priority::OWNER && !resumed.contains(slot);
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
    stale.sort_unstable_by_key(|left| (left.ifindex, left.vip.addr));
    stale.dedup_by_key(|left| (left.ifindex, left.vip.addr));
    let held: BTreeSet<_> = resumed
        .iter()
        .flat_map(|slot| roster.held(*slot))
        .map(|held| (held.ifindex, held.vip.addr))
        .collect();
    let (kept, stale): (Vec<_>, Vec<_>) =
        stale.into_iter().partition(|left| held.contains(&(left.ifindex, left.vip.addr)));
    for left in &stale {
        info!(addr = %left.vip.addr, dev = left.vip.dev, "removing an address that was left on its interface");
    }
    report::address_errors(&addr::remove(addresses, &stale).await);
    kept
}

impl Roster {
    /// Returns the addresses that a router holds where it is Active.
    fn held(&self, slot: Slot) -> Vec<Placed> {
        let site = |entry: &Entry| Some(placement::placed(&entry.router, entry.placement.port.as_ref()?));
        self.get(slot).and_then(site).unwrap_or_default()
    }
}

impl Supervisor {
    /// Goes on with the addresses of routers that go on as Active; those that are missing are put on.
    pub(super) fn keep(&mut self, resumed: BTreeSet<Slot>, kept: &[Placed]) {
        for slot in resumed {
            self.note(slot, kept);
            self.incomplete.insert(slot);
            if let Some(entry) = self.roster.get(slot)
                && let Some(site) = &entry.placement.port
            {
                self.virtual_macs.receive_to(&entry.router, site);
            }
        }
    }

    pub(super) async fn acquire(&mut self, slot: Slot) {
        self.note(slot, &[]);
        self.hold(slot).await;
    }

    /// Notes in the ledger what a router holds from now on; the owner's own addresses are not among it, unless they were
    /// put there on its behalf.
    fn note(&mut self, slot: Slot, kept: &[Placed]) {
        let mut placed = self.roster.held(slot);
        let Some(entry) = self.roster.get(slot) else { return };
        if entry.router.priority == Priority::OWNER {
            let was_put = |placed: &Placed| {
                self.ledger.find(placed.ifindex, placed.vip.addr).is_some()
                    || kept
                        .iter()
                        .any(|kept| (kept.ifindex, kept.vip.addr) == (placed.ifindex, placed.vip.addr))
            };
            placed.retain(|placed| was_put(placed) || !self.links.has(placed.ifindex, placed.vip.addr));
        }
        if let Err(error) = self.ledger.acquire(slot, placed) {
            warn!(%error, path = %self.paths.ledger().display(), "addresses would be left behind by a crash");
        }
    }

    /// Puts on whatever of a router's addresses is not there.
    pub(super) async fn hold(&mut self, slot: Slot) {
        let errors = addr::add(&self.addresses, self.ledger.held(slot)).await;
        report::address_errors(&errors);
        if !errors.is_empty() {
            self.incomplete.insert(slot);
        }
    }

    pub(super) async fn release(&mut self, slot: Slot) {
        let held = self.ledger.held(slot).to_vec();
        if held.is_empty() {
            return;
        }
        // Forgotten first: their removal, heard over netlink, must not put them back.
        if let Err(error) = self.ledger.release(slot) {
            warn!(%error, path = %self.paths.ledger().display(), "cannot write");
        }
        self.incomplete.remove(&slot);
        self.stuck.extend(held);
        self.unstick().await;
    }

    /// Takes off the addresses that are no longer held; those that do not go are tried again later.
    pub(super) async fn unstick(&mut self) {
        if self.stuck.is_empty() {
            return;
        }
        let leaving = std::mem::take(&mut self.stuck);
        let errors = addr::remove(&self.addresses, &leaving).await;
        report::address_errors(&errors);
        let failed = |placed: &Placed| errors.iter().any(|error| error.addr == placed.vip.addr);
        let is_held = |placed: &Placed| self.ledger.find(placed.ifindex, placed.vip.addr).is_some();
        self.stuck = leaving.into_iter().filter(|placed| failed(placed) && !is_held(placed)).collect();
    }
}
