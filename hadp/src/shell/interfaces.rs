//! Following the interfaces: which router can run where, as they come, change and go.

use std::{collections::BTreeSet, net::IpAddr, sync::Arc};

use tokio::time;
use tracing::{debug, error, info, warn};

use super::{
    messages::Command,
    placement, report,
    roster::Moved,
    supervisor::{RETRY, Supervisor},
};
use crate::{
    datapath::{AttachError, Attached},
    net::{
        address_set::AddressSet,
        frames::Outlet,
        link::{Change, Monitor},
    },
    proto::{Cause, Slot},
};

impl Supervisor {
    /// Places every router on the interfaces there are, and tells the election what that changed.
    pub(super) fn replace(&mut self) {
        self.follow_tracked_links();
        self.place_sessions();
        let moved = self.roster.place(&self.links, &self.refused);
        let mut changed: BTreeSet<Slot> = moved.keys().copied().collect();
        changed.append(&mut self.unstarted);
        // Losses first: nothing may delay them. A router whose interface is another one now has lost the first.
        for &slot in &changed {
            let obstacle = self.roster.get(slot).and_then(|entry| entry.placement.obstacle);
            let gone =
                moved.get(&slot).filter(|moved| **moved == Moved::Elsewhere).map(|_| Cause::NoInterface);
            if let Some(cause) = obstacle.or(gone) {
                self.command(Command::Fault { slot, cause });
            }
        }
        self.attach();
        changed.extend(self.roster.place(&self.links, &self.refused).into_keys());
        if changed.is_empty() {
            return;
        }
        if let Err(error) = self.datapath.apply(&self.plan()) {
            // Without its tables a router would hear nobody, and take over from a living one.
            error!(%error, "the datapath keeps its previous tables; the routers that changed wait");
            for slot in changed {
                self.unstarted.insert(slot);
                self.command(Command::Fault { slot, cause: Cause::NoDatapath });
            }
            return;
        }
        self.prepare(&changed);
        for slot in changed {
            self.start_router(slot);
        }
    }

    /// Attaches the datapath where routers need it and it is not yet; forgets interfaces that went.
    fn attach(&mut self) {
        let links = &self.links;
        self.attached.retain(|&index, _| links.by_index(index).is_some());
        for index in self.roster.interfaces().union(&self.reach.neighbors.interfaces()).copied() {
            if self.attached.contains_key(&index) || self.refused.contains(&index) {
                continue;
            }
            let Some(link) = self.links.by_index(index) else { continue };
            match self.datapath.attach(index, &link.name, self.global.xdp_mode) {
                Ok(Attached { mode, egress }) => {
                    info!(dev = link.name, %mode, %egress, "datapath attached");
                    self.attached.insert(index, (link.name.clone(), mode.to_string()));
                }
                Err(error @ AttachError::NoInterface { .. }) => {
                    debug!("{}", report::chain(&error));
                }
                Err(error) => {
                    let error = report::chain(&error);
                    error!(error, retry_s = RETRY.as_secs(), "datapath not attached; its routers wait");
                    self.refused.insert(index);
                }
            }
        }
    }

    /// Starts a router whose interfaces can be used, or says why it cannot run.
    pub(super) fn start_router(&mut self, slot: Slot) {
        let Some(entry) = self.roster.get(slot) else { return };
        let site = match (&entry.placement.port, entry.placement.obstacle) {
            (Some(site), None) => site,
            (_, cause) => {
                let cause = cause.unwrap_or(Cause::NoInterface);
                self.command(Command::Fault { slot, cause });
                return;
            }
        };
        if entry.router.virtual_mac
            && let Err(error) = self.virtual_macs.receive(site.ifindex, site.mac)
        {
            let (router, dev) = (&entry.router.name, &entry.router.interface);
            warn!(router, dev, %error, "the interface may not receive frames to the virtual MAC");
        }
        match self.outlet(slot) {
            Some((source, outlet)) => {
                let addresses = Arc::new(AddressSet::new(self.ledger.prepared(slot).to_vec()));
                self.command(Command::Start { slot, source, outlet, addresses });
            }
            None => {
                self.unstarted.insert(slot);
                self.command(Command::Fault { slot, cause: Cause::NoSource });
            }
        }
    }

    /// Builds the frames of a router whose interfaces are there, with the address they leave from.
    pub(super) fn outlet(&self, slot: Slot) -> Option<(IpAddr, Box<Outlet>)> {
        let entry = self.roster.get(slot)?;
        let site = entry.placement.port.as_ref()?;
        let by_name = |name: &str| {
            let mut carriers = placement::vips(&entry.router).zip(&site.carriers);
            carriers.find(|(vip, _)| vip.dev == name).map(|(_, carrier)| *carrier)
        };
        match Outlet::build(&entry.router, site.port(), by_name) {
            Ok(outlet) => Some((site.source.into(), Box::new(outlet))),
            Err(error) => {
                let error = report::chain(&error);
                error!(router = entry.router.name, error, "cannot speak for the router; it waits");
                None
            }
        }
    }

    pub(super) fn changed(&mut self, change: Option<Change>) {
        match change {
            Some(Change::Link) => self.replace(),
            Some(Change::Added(addr) | Change::Removed(_, addr)) if !self.roster.is_virtual(addr) => {
                self.replace()
            }
            Some(Change::Removed(index, addr)) => {
                // By somebody else, or in a handover of which the placer knows already.
                if let Some(slot) = self.ledger.holder(index, addr) {
                    self.threads.placer.repair(slot);
                }
            }
            Some(Change::Added(_)) | None => {}
        }
    }

    /// Reads everything again after netlink messages were lost.
    pub(super) async fn resync(&mut self, monitor: &mut Monitor) {
        warn!("netlink messages were lost; reading all interfaces again");
        match Monitor::open().await {
            Ok((reopened, links)) => {
                *monitor = reopened;
                self.links = links;
                self.replace();
                // Whatever was taken off unnoticed.
                self.ledger.holders().for_each(|slot| self.threads.placer.repair(slot));
            }
            Err(error) => {
                error!(%error, "cannot follow the interfaces over netlink");
                time::sleep(RETRY).await;
            }
        }
    }
}
