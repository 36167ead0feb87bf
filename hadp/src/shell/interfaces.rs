//! Following the interfaces: which router can run where, as they come, change and go.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    sync::Arc,
};

use tokio::time;
use tracing::{debug, error, info, warn};

use super::{
    messages::Command,
    placement,
    reload::Former,
    report,
    roster::Moved,
    supervisor::{RETRY, Supervisor},
};
use crate::{
    datapath::{AttachError, Attached},
    model::XdpMode,
    net::{
        address_set::AddressSet,
        frames::Outlet,
        link::{Change, Monitor},
    },
    proto::{Cause, Slot},
};

/// The datapath on an interface.
#[derive(Debug)]
pub(super) struct OnInterface {
    /// The interface's name.
    pub(super) name: String,
    /// In which mode it runs there.
    pub(super) mode: String,
    /// What was configured when it was attached.
    pub(super) asked: XdpMode,
}

impl Supervisor {
    /// Places every router on the interfaces there are, and tells the election what that changed.
    ///
    /// Routers that a reload has changed take that up. Where the datapath refuses its tables they do not, but go on as they are
    /// by the tables before, until it takes them.
    pub(super) fn replace(&mut self) {
        let mut reloaded = std::mem::take(&mut self.reload.untold);
        if !self.replace_changed(&mut reloaded) {
            self.reload.untold = reloaded;
        }
    }

    fn replace_changed(&mut self, reloaded: &mut BTreeMap<Slot, Former>) -> bool {
        self.follow_tracked_links();
        self.place_sessions();
        let mut moved = self.roster.place(&self.links, &self.refused);
        let mut changed: BTreeSet<Slot> = moved.keys().copied().collect();
        changed.append(&mut self.unstarted);
        changed.extend(reloaded.keys());
        // That their addresses go to other interfaces is the reload's doing, and no loss.
        moved.retain(|slot, _| !reloaded.contains_key(slot));
        // Losses first: nothing may delay them. A router whose interface is another one now has lost the first.
        for &slot in &changed {
            let obstacle = self.roster.get(slot).and_then(|entry| entry.placement.obstacle);
            let gone =
                moved.get(&slot).filter(|moved| **moved == Moved::Elsewhere).map(|_| Cause::NoInterface);
            if let Some(cause) = obstacle.or(gone) {
                reloaded.entry(slot).and_modify(|former| former.stop(cause));
                self.command(Command::Fault { slot, cause });
            }
        }
        self.attach();
        changed.extend(self.roster.place(&self.links, &self.refused).into_keys());
        if changed.is_empty() && self.in_force {
            return true;
        }
        for slot in reloaded.keys() {
            // Before anybody is told of it.
            if let Some((entry, site)) =
                self.roster.get(*slot).and_then(|entry| Some((entry, entry.placement.port.as_ref()?)))
            {
                self.virtual_macs.receive_to(&entry.router, site);
            }
        }
        if let Err(error) = self.datapath.apply(&self.plan()) {
            // Without its tables a router would hear nobody, and take over from a living one.
            error!(%error, "the datapath keeps its previous tables; the routers that changed wait");
            for slot in changed.into_iter().filter(|slot| !reloaded.contains_key(slot)) {
                self.unstarted.insert(slot);
                self.command(Command::Fault { slot, cause: Cause::NoDatapath });
            }
            return false;
        }
        self.prepare(&changed);
        self.in_force = true;
        let (gaining, others): (Vec<Slot>, Vec<Slot>) = changed.into_iter().partition(|slot| {
            let entry = self.roster.get(*slot).map(|entry| &entry.router);
            reloaded.get(slot).zip(entry).is_some_and(|(former, router)| former.gains(router))
        });
        // What goes from one router to another stays on its interface, if the one that gets it is told first.
        for slot in gaining.into_iter().chain(others) {
            match reloaded.get(&slot) {
                Some(former) => self.reconfigure_router(slot, former),
                None => self.start_router(slot),
            }
        }
        true
    }

    /// Puts the tables of the datapath in force once more.
    pub(super) fn apply(&mut self) {
        if let Err(error) = self.datapath.apply(&self.plan()) {
            error!(error = report::chain(&error), "the datapath keeps its previous tables");
        }
    }

    /// Detaches the datapath from interfaces that nothing needs any more.
    pub(super) fn detach_unneeded(&mut self) {
        let mut needed = self.roster.interfaces();
        needed.append(&mut self.reach.neighbors.interfaces());
        let unneeded: Vec<u32> =
            self.attached.keys().filter(|index| !needed.contains(index)).copied().collect();
        for index in unneeded {
            let name = self.attached.remove(&index).map_or(String::new(), |on| on.name);
            match self.datapath.detach(index) {
                Ok(()) => info!(dev = name, "datapath detached: nothing needs it there any more"),
                Err(error) => warn!(dev = name, error = report::chain(&error), "the datapath stays attached"),
            }
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
                    let (name, mode, asked) = (link.name.clone(), mode.to_string(), self.global.xdp_mode);
                    self.attached.insert(index, OnInterface { name, mode, asked });
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
        if entry.leaving && entry.placement.obstacle.is_none() {
            return;
        }
        let site = match (&entry.placement.port, entry.placement.obstacle) {
            (Some(site), None) => site,
            (_, cause) => {
                let cause = cause.unwrap_or(Cause::NoInterface);
                self.command(Command::Fault { slot, cause });
                return;
            }
        };
        self.virtual_macs.receive_to(&entry.router, site);
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

    /// Builds the frames of a router whose interfaces are there, with the address they leave from, and leaves them to the
    /// companion.
    pub(super) fn outlet(&self, slot: Slot) -> Option<(IpAddr, Box<Outlet>)> {
        let entry = self.roster.get(slot)?;
        let site = entry.placement.port.as_ref()?;
        match Outlet::build(&entry.router, site.port(), placement::carriers(&entry.router, site)) {
            Ok(outlet) => {
                self.will.write(slot, &entry.router, entry.before(), site.port(), &outlet);
                Some((site.source.into(), Box::new(outlet)))
            }
            Err(error) => {
                let error = report::chain(&error);
                error!(router = entry.router.name, error, "cannot speak for the router; it waits");
                None
            }
        }
    }

    pub(super) fn changed(&mut self, change: Option<Change>) {
        if let Some(Change::Removed(index, addr)) = change {
            self.came_off(index, addr);
        }
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
