//! The virtual addresses on the interfaces: put on with ownership, taken off with it, swept up at the start.

use rtnetlink::Handle;
use tracing::{info, warn};

use super::{
    ledger, placement, report,
    roster::Roster,
    supervisor::{Paths, Supervisor},
};
use crate::{
    net::{
        addr::{self, Placed},
        link::Links,
    },
    proto::Slot,
};

/// Takes off what a killed daemon left on the interfaces, and what must not be there before an election.
pub(super) async fn sweep(addresses: &Handle, links: &Links, roster: &Roster, paths: &Paths) {
    let mut stale = match ledger::left_behind(&paths.ledger()) {
        Ok(stale) => stale,
        Err(error) => {
            warn!(path = %paths.ledger().display(), %error, "cannot read which addresses were left behind");
            Vec::new()
        }
    };
    for (_, entry) in roster.iter() {
        for vip in placement::vips(&entry.router) {
            let Some(link) = links.by_name(&vip.dev) else { continue };
            if link.addresses.iter().any(|&(addr, _)| vip.addr == addr) {
                stale.push(Placed { ifindex: link.index, vip: vip.clone() });
            }
        }
    }
    stale.sort_unstable_by_key(|left| (left.ifindex, left.vip.addr));
    stale.dedup_by_key(|left| (left.ifindex, left.vip.addr));
    for left in &stale {
        info!(addr = %left.vip.addr, dev = left.vip.dev, "removing an address that was left on its interface");
    }
    report::address_errors(&addr::remove(addresses, &stale).await);
}

impl Supervisor {
    pub(super) async fn acquire(&mut self, slot: Slot) {
        let Some(entry) = self.roster.get(slot) else { return };
        let Some(site) = &entry.placement.port else { return };
        let placed = placement::placed(&entry.router, site);
        if let Err(error) = self.ledger.acquire(slot, placed) {
            warn!(%error, path = %self.paths.ledger().display(), "addresses would be left behind by a crash");
        }
        report::address_errors(&addr::add(&self.addresses, self.ledger.held(slot)).await);
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
        report::address_errors(&addr::remove(&self.addresses, &held).await);
    }
}
