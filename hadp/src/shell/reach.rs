//! Following the paths of BFD sessions: which can run, as interfaces and addresses come and go.

use std::collections::{BTreeMap, BTreeSet};

use tracing::{error, info, warn};

use super::{
    heartbeat::{Heard, Order},
    idle::Idle,
    messages::Command,
    neighbors::{self, Neighbor, Neighbors, Site},
    report,
    roster::Roster,
    supervisor::Supervisor,
};
use crate::{
    datapath::Plan,
    model::IdleLatency,
    net::{bfd::BfdSender, bfd_receive::BfdReceiver, link::Carrier},
    proto::{
        Slot,
        bfd::{self, Followers, SessionId, Standing},
    },
    units::Priority,
};

/// What the supervisor knows of sessions and of what is tracked.
pub(super) struct Reach {
    /// The BFD sessions.
    pub(super) neighbors: Neighbors,
    /// Which routers follow which of them.
    pub(super) followers: Followers,
    /// Keeps idle CPUs quick to wake up for them.
    pub(super) idle: Idle,
    /// Whether the datapath has them as they are placed.
    tables: Tables,
    /// Whether the ports of BFD are this daemon's.
    listening: bool,
    /// Whether it was told that they are not.
    port_refused: bool,
    /// Whether the datapath is to be told of the sessions although none has got or lost its path.
    pub(super) altered: bool,
    /// Tracked interfaces, and whether they are up, as the election was told.
    tracked_links: BTreeMap<String, bool>,
    /// Routers that cannot run because of what they track.
    pub(super) faulted: BTreeSet<Slot>,
}

impl Reach {
    /// Finds out who follows whom.
    pub(super) fn new(neighbors: Neighbors, roster: &Roster, latency: IdleLatency) -> Self {
        let routers = roster.iter().map(|(slot, entry)| (slot, &entry.router));
        let followers = Followers::new(routers, &neighbors.instances());
        let idle = Idle::new(latency, neighbors.iter().map(|(id, neighbor)| (id, &neighbor.instance)));
        Self {
            neighbors,
            followers,
            idle,
            tables: Tables::default(),
            listening: false,
            port_refused: false,
            altered: false,
            tracked_links: BTreeMap::new(),
            faulted: BTreeSet::new(),
        }
    }
}

/// What the datapath has been given of the sessions, or is still owed.
#[derive(Debug, Default)]
struct Tables {
    is_owed: bool,
}

impl Tables {
    /// Gives the datapath what has `changed`, or what it did not take the last time.
    ///
    /// # Errors
    ///
    /// What `apply` fails with, once: as long as it fails again, nothing is news.
    fn bring<E>(&mut self, changed: bool, apply: impl FnOnce() -> Result<(), E>) -> Result<(), E> {
        if !changed && !self.is_owed {
            return Ok(());
        }
        let applied = apply();
        let is_news = changed || !self.is_owed;
        self.is_owed = applied.is_err();
        if is_news { applied } else { Ok(()) }
    }
}

impl Supervisor {
    /// Tells the heartbeat which guards each session counts for, and the log which routers got none.
    pub(super) fn assign_guards(&self) {
        self.order_guards();
        let guards = self.reach.followers.guards();
        for slot in guards.refused() {
            if let (Some(entry), Err(error)) = (self.roster.get(*slot), guards.of(*slot)) {
                warn!("({}) fails over at the pace of adverts: {error}", entry.router.name);
            }
        }
    }

    /// Tells the heartbeat which guards each session counts for.
    pub(super) fn order_guards(&self) {
        let guards = self.reach.followers.guards();
        for (id, _) in self.reach.neighbors.iter() {
            self.threads.heartbeat.order(Order::Guards(id, guards.of_session(id).collect()));
        }
    }

    /// Describes the routers to the datapath, with their guards.
    pub(super) fn plan(&self) -> Plan {
        let mut plan = self.roster.plan();
        for router in &mut plan.routers {
            router.guard = self.reach.followers.guards().of(router.slot).unwrap_or(0);
        }
        plan
    }

    /// Tells the election of tracked interfaces that came up or went down.
    pub(super) fn follow_tracked_links(&mut self) {
        let tracked = self.roster.tracked_interfaces();
        self.reach.tracked_links.retain(|name, _| tracked.contains(name));
        for name in tracked {
            let up = self.links.by_name(&name).is_some_and(|link| link.carrier == Carrier::Up);
            if self.reach.tracked_links.insert(name.clone(), up) != Some(up) {
                self.command(Command::Link { name, up });
            }
        }
    }

    /// Places every session on the interfaces there are, and starts those that can run for the first time.
    pub(super) fn place_sessions(&mut self) {
        if !self.listens() {
            return;
        }
        let mut changed = std::mem::take(&mut self.reach.altered);
        let neighbors = self.reach.neighbors.iter().filter(|(_, neighbor)| !neighbor.leaving);
        let ids: Vec<SessionId> = neighbors.map(|(id, _)| id).collect();
        for id in ids {
            let Some(neighbor) = self.reach.neighbors.get(id) else { continue };
            match neighbors::place(&neighbor.instance, &self.links) {
                Ok(site) if neighbor.site.as_ref() == Some(&site) => {}
                Ok(site) => changed |= self.open_path(id, site),
                Err(error) => changed |= self.close_path(id, &error),
            }
        }
        let Self { reach: Reach { tables, neighbors, .. }, datapath, .. } = self;
        if let Err(error) = tables.bring(changed, || datapath.apply_bfd(&neighbors.plan())) {
            error!(error = report::chain(&error), "the datapath keeps its previous BFD sessions");
        }
        self.begin_sessions();
    }

    /// Tells whether some session has no path yet, or is not in the datapath; nothing tells of routes and IPv6 addresses that
    /// come.
    pub(super) fn has_waiting_sessions(&self) -> bool {
        let waits = |neighbor: &Neighbor| neighbor.site.is_none() && !neighbor.leaving;
        self.reach.tables.is_owed || self.reach.neighbors.iter().any(|(_, neighbor)| waits(neighbor))
    }

    /// Takes the ports that neighbours send to, unless that is done or not needed.
    fn listens(&mut self) -> bool {
        if self.reach.listening || self.reach.neighbors.iter().next().is_none() {
            return self.reach.listening;
        }
        match BfdReceiver::open_all() {
            Ok(receivers) => {
                self.threads.heartbeat.order(Order::Listen(receivers));
                self.reach.listening = true;
                self.reach.port_refused = false;
            }
            Err(error) => {
                if !std::mem::replace(&mut self.reach.port_refused, true) {
                    error!("{}", report::chain(&error));
                }
            }
        }
        self.reach.listening
    }

    fn open_path(&mut self, id: SessionId, site: Site) -> bool {
        let Some(neighbor) = self.reach.neighbors.get_mut(id) else { return false };
        let name = neighbor.instance.name.clone();
        match BfdSender::open(&site.path, neighbor.port) {
            Ok(sender) => {
                info!(
                    neighbor = %neighbor.instance.neighbor, source = %site.source, dev = site.interface.1,
                    "({name}) BFD session has a path"
                );
                neighbor.port = Some(sender.port());
                neighbor.site = Some(site);
                let heard = self.reach.neighbors.get(id).and_then(Heard::of);
                self.threads.heartbeat.connect(id, Some(sender), heard.is_some());
                if let Some(heard) = heard {
                    self.threads.heartbeat.order(Order::Authenticate(id, Box::new(heard)));
                }
                true
            }
            Err(error) => self.close_path(id, &error),
        }
    }

    fn close_path(&mut self, id: SessionId, error: &std::io::Error) -> bool {
        let Some(neighbor) = self.reach.neighbors.get_mut(id) else { return false };
        let had = neighbor.site.take().is_some();
        if had || !std::mem::replace(&mut neighbor.complained, true) {
            warn!("({}) BFD session waits: {error}", neighbor.instance.name);
        }
        if had {
            self.threads.heartbeat.connect(id, None, false);
            self.command(Command::PathDown(id));
        }
        had
    }

    /// Starts the sessions that have a path and do not run yet.
    fn begin_sessions(&mut self) {
        let can_begin = |neighbor: &Neighbor| neighbor.site.is_some() && !neighbor.begun && !neighbor.leaving;
        let sessions = self.reach.neighbors.iter();
        let ready: Vec<SessionId> =
            sessions.filter(|(_, neighbor)| can_begin(neighbor)).map(|(id, _)| id).collect();
        for id in ready {
            let Some(neighbor) = self.reach.neighbors.get_mut(id) else { continue };
            neighbor.begun = true;
            let (config, discriminator) = (bfd::Config::from(&neighbor.instance), neighbor.discriminator);
            let name = neighbor.instance.name.as_str().into();
            self.command(Command::Session { id, name, config, discriminator });
        }
    }

    /// Brings a router to what tracking makes of it: its frames carry the priority, and one that may run again starts.
    pub(super) fn bring_to(&mut self, slot: Slot, standing: Standing) {
        if !self.reach.followers.tracks(slot) {
            self.free_of_tracking(slot, standing);
            return;
        }
        let was_fault = self.reach.faulted.contains(&slot);
        match standing {
            Standing::Fault => {
                self.reach.faulted.insert(slot);
            }
            Standing::Runs(priority) => {
                self.reach.faulted.remove(&slot);
                self.set_priority(slot, priority);
                if was_fault {
                    self.start_router(slot);
                }
            }
        }
    }

    /// Has a router run that tracks nothing: a reload ended that while what tracking had made of it was on its way.
    fn free_of_tracking(&mut self, slot: Slot, standing: Standing) {
        let Some(base) = self.roster.get(slot).map(|entry| entry.configured.priority) else { return };
        let was_fault = self.reach.faulted.remove(&slot) || standing == Standing::Fault;
        self.set_priority(slot, base);
        if was_fault {
            self.start_router(slot);
        }
    }

    fn set_priority(&mut self, slot: Slot, priority: Priority) {
        if !self.roster.set_priority(slot, priority) {
            return;
        }
        self.apply(); // where it fails, it goes on ranking others against the priority before
        if let Some((_, outlet)) = self.outlet(slot) {
            self.command(Command::Priority { slot, priority, outlet });
        }
    }
}

impl Heard {
    /// Returns whose packets an authenticated session takes; `None` for any other one.
    pub(super) fn of(neighbor: &Neighbor) -> Option<Self> {
        let (instance, site) = (&neighbor.instance, neighbor.site.as_ref()?);
        Some(Self {
            addr: instance.neighbor,
            local: instance.source,
            ifindex: if instance.multihop { 0 } else { site.interface.0 },
            min_ttl: instance.min_ttl,
            multihop: instance.multihop,
            discriminator: neighbor.discriminator,
            min_rx: instance.min_rx,
            auth: instance.auth.clone()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_datapath_did_not_take_is_given_to_it_again() {
        let mut tables = Tables::default();
        let mut tries = 0;
        let mut bring = |changed, outcome: Result<(), &'static str>| {
            let brought = tables.bring(changed, || {
                tries += 1;
                outcome
            });
            (brought, tries, tables.is_owed)
        };
        assert_eq!(bring(false, Err("never")), (Ok(()), 0, false));
        assert_eq!(bring(true, Err("full")), (Err("full"), 1, true));
        assert_eq!(bring(false, Err("full")), (Ok(()), 2, true), "said once");
        assert_eq!(bring(true, Err("still")), (Err("still"), 3, true), "it is another table");
        assert_eq!(bring(false, Ok(())), (Ok(()), 4, false));
        assert_eq!(bring(false, Err("never")), (Ok(()), 4, false));
    }
}
