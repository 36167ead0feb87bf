//! The virtual addresses on the interfaces, as far as they may wait: noted beforehand, swept up at the start.

use rtnetlink::Handle;
use tracing::{info, warn};

use super::{ledger, placement, report, roster::Roster, start::Paths, supervisor::Supervisor};
use crate::{
    model::Vip,
    net::{
        addr::{self, AddressError, Placed},
        link::Links,
    },
    proto::Slot,
    units::Priority,
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
    // The owner's addresses are the interface's own (RFC 9568 §1.7).
    for (_, entry) in roster.iter().filter(|(_, entry)| entry.router.priority != Priority::OWNER) {
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
    for left in &stale {
        info!(addr = %left.vip.addr, dev = left.vip.dev, "removing an address that was left on its interface");
    }
    report::address_errors(&addr::remove(addresses, &stale).await);
}

impl Supervisor {
    /// Notes which addresses these routers may put on interfaces, where a successor finds it.
    pub(super) fn prepare<'a>(&mut self, slots: impl IntoIterator<Item = &'a Slot>) {
        for &slot in slots {
            let Some(entry) = self.roster.get(slot) else { continue };
            let Some(site) = &entry.placement.port else { continue };
            let mut placed = placement::placed(&entry.router, site);
            if entry.router.priority == Priority::OWNER {
                // What is the interface's own stays there; what is there because this node put it there does not.
                placed.retain(|placed| {
                    self.ledger.prepared(slot).contains(placed)
                        || !self.links.has(placed.ifindex, placed.vip.addr)
                });
            }
            self.ledger.prepare(slot, placed);
        }
        if let Err(error) = self.ledger.write() {
            warn!(%error, path = %self.paths.ledger().display(), "addresses would be left behind by a crash");
        }
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
