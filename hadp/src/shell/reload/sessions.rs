//! BFD sessions in a reload, and who follows them.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use tokio::{sync::oneshot, time};
use tracing::{error, info};

use super::{
    difference::{self, Running, Steps},
    routers::Former,
};
use crate::{
    model::{BfdInstance, Router, Tracked},
    observe::control::Reloaded,
    proto::{
        Slot,
        bfd::{self, Followers, SessionId, Standing},
    },
    shell::{
        heartbeat::{Heard, Order},
        messages::Command,
        report,
        supervisor::Supervisor,
    },
};

/// How long a thread may take to obey.
const PATIENCE: Duration = Duration::from_secs(1);

impl Supervisor {
    /// Brings the sessions in line, and tells whether some wait.
    ///
    /// Those that leave do so after the last router that leaves: they may guard its lease until then.
    pub(super) fn change_sessions(
        &mut self,
        wanted: &[BfdInstance],
        routers: &Steps<Slot>,
        done: &mut Reloaded,
    ) -> bool {
        let known = self.reach.neighbors.iter();
        let running: Vec<_> =
            known.map(|(id, known)| Running { id, is: &known.instance, leaving: known.leaving }).collect();
        let Steps { same, changed, added, leave, waiting } = difference::sessions(&running, wanted);
        let mut waits = !waiting.is_empty();
        for (id, position) in same {
            if let Some(known) = self.reach.neighbors.get_mut(id) {
                known.position = position;
            }
        }
        let mut renamed = BTreeMap::new();
        for (id, position) in changed {
            if let Some(instance) = wanted.get(position) {
                if let Some(known) = self.reach.neighbors.get(id) {
                    renamed.insert(known.instance.name.clone(), instance.name.clone());
                }
                self.change_session(id, position, instance.clone());
                done.sessions.changed.push(instance.name.clone());
            }
        }
        self.rename_sessions(&renamed, routers);
        for position in added {
            let Some(instance) = wanted.get(position) else { continue };
            match self.reach.neighbors.add(position, instance.clone()) {
                Some(_) => done.sessions.added.push(instance.name.clone()),
                None => {
                    waits = true;
                    done.sessions.waiting.push(instance.name.clone());
                }
            }
        }
        let routers_leave = self.roster.iter().any(|(_, entry)| entry.leaving);
        waits |= routers_leave && !leave.is_empty();
        for (id, why) in leave {
            if !routers_leave {
                self.end_session(id, why, done);
            } else if why.is_none()
                && let Some(known) = self.reach.neighbors.get(id)
            {
                done.sessions.waiting.push(known.instance.name.clone());
            }
        }
        let waiting = waiting.iter().filter_map(|position| wanted.get(*position));
        let waiting = waiting.filter(|session| !done.sessions.anew.contains(&session.name));
        done.sessions.waiting.extend(waiting.map(|session| session.name.clone()));
        let instances = self.reach.neighbors.iter().map(|(id, known)| (id, &known.instance));
        self.reach.idle.reconfigure(self.global.cpu_dma_latency, instances);
        waits
    }

    /// Has the routers that leave or wait follow the sessions that they name, by their new names. Those that stay as they are
    /// name others, if any, and those that change have named them anew.
    fn rename_sessions(&mut self, renamed: &BTreeMap<String, String>, routers: &Steps<Slot>) {
        let told: BTreeSet<Slot> =
            routers.same.iter().chain(&routers.changed).map(|(slot, _)| *slot).collect();
        let slots: Vec<Slot> =
            self.roster.iter().map(|(slot, _)| slot).filter(|slot| !told.contains(slot)).collect();
        for slot in slots {
            let Some(entry) = self.roster.get_mut(slot) else { continue };
            for router in [&mut entry.configured, &mut entry.router] {
                rename(router, renamed);
            }
        }
    }

    fn change_session(&mut self, id: SessionId, position: usize, instance: BfdInstance) {
        let Some(known) = self.reach.neighbors.get_mut(id) else { return };
        info!("({}) BFD session is reconfigured", instance.name);
        known.position = position;
        let config = bfd::Config::from(&instance);
        let others = bfd::Config::from(&known.instance) != config;
        known.instance = instance;
        let heard = Heard::of(known).map(Box::new);
        self.reach.altered = true; // the least TTL may be another one
        if others {
            self.command(Command::SessionChanged { id, config });
        }
        if let Some(heard) = heard {
            self.threads.heartbeat.order(Order::Authenticate(id, heard));
        }
    }

    fn end_session(&mut self, id: SessionId, why: Option<&str>, done: &mut Reloaded) {
        let Some(known) = self.reach.neighbors.get_mut(id) else { return };
        known.leaving = true;
        let name = known.instance.name.clone();
        match why {
            Some(why) => info!("({name}) BFD session is ended and begun anew: {why}"),
            None => info!("({name}) BFD session has left the configuration"),
        }
        let begun = known.begun;
        let list = if why.is_some() { &mut done.sessions.anew } else { &mut done.sessions.removed };
        list.push(name);
        if begun {
            self.command(Command::EndSession(id));
        } else {
            self.forget_session(id);
        }
    }

    /// Frees the place of a session whose neighbour has been told, or that had not begun: another one may wait for it.
    pub(in crate::shell) fn forget_session(&mut self, id: SessionId) {
        self.reach.neighbors.remove(id);
        self.unblocked = true;
        self.reach.idle.forget(id);
        self.threads.heartbeat.connect(id, None, false);
        self.threads.heartbeat.order(Order::Forget(id));
        if let Err(error) = self.datapath.apply_bfd(&self.reach.neighbors.plan()) {
            error!(error = report::chain(&error), "the datapath keeps its previous BFD sessions");
        }
    }

    /// Tells the threads who follows which sessions now, and notes what tracking makes of the routers that have changed.
    ///
    /// A guard that begins to limit a lease knows all that has been promised by then; one that ceases to does so in the
    /// election, which sees whether it has lapsed; and only then do its sessions leave it.
    pub(super) async fn follow_anew(&mut self, changed: &BTreeMap<Slot, Former>) {
        self.follow_tracked_links();
        let routers = self.roster.iter().map(|(slot, entry)| (slot, &entry.configured));
        let before = self.reach.followers.guards();
        let followers = Followers::with(routers, &self.reach.neighbors.instances(), before);
        for (id, _) in self.reach.neighbors.iter() {
            let mut guards: Vec<u32> = followers.guards().of_session(id).collect();
            guards.extend(before.of_session(id));
            guards.sort_unstable();
            guards.dedup();
            self.threads.heartbeat.order(Order::Guards(id, guards));
        }
        let (reply, obeyed) = oneshot::channel();
        self.threads.heartbeat.order(Order::Obeyed(reply));
        if !matches!(time::timeout(PATIENCE, obeyed).await, Ok(Ok(()))) {
            error!("the heartbeat does not answer");
        }
        let (reply, standings) = oneshot::channel();
        self.command(Command::Follow { followers: Box::new(followers.clone()), reply });
        let standings = match time::timeout(PATIENCE, standings).await {
            Ok(Ok(standings)) => standings,
            _ => {
                error!("the election thread does not answer");
                BTreeMap::new()
            }
        };
        self.reach.followers = followers;
        self.assign_guards();
        for slot in changed.keys() {
            self.note_standing(*slot, standings.get(slot));
        }
    }

    fn note_standing(&mut self, slot: Slot, standing: Option<&Standing>) {
        let Some(entry) = self.roster.get_mut(slot) else { return };
        match standing {
            Some(Standing::Runs(priority)) => entry.router.priority = *priority,
            // Its priority is told when it may run again.
            Some(Standing::Fault) => drop(self.reach.faulted.insert(slot)),
            None => {}
        }
    }
}

/// Puts other names of sessions in the place of those before.
fn rename(router: &mut Router, renamed: &BTreeMap<String, String>) {
    let tracked = router.tracks.iter_mut().filter_map(|track| match &mut track.object {
        Tracked::Bfd(name) => Some(name),
        Tracked::Interface(_) => None,
    });
    let followed = router.fast_failover.iter_mut().flat_map(|fast| &mut fast.sessions);
    for name in tracked.chain(followed) {
        if let Some(new) = renamed.get(name) {
            name.clone_from(new);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{self, Options};

    #[test]
    fn names_that_change_places_are_followed() {
        let text = "bfd_instance P {\n neighbor_ip 10.0.0.2\n}\nbfd_instance Q {\n neighbor_ip 10.0.0.3\n}\n\
                    vrrp_instance A {\n interface eth0\n version 3\n virtual_router_id 1\n fast_failover P\n \
                    track_bfd {\n P\n Q weight 10\n }\n virtual_ipaddress {\n 10.0.0.1/16\n }\n}\n";
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("hadp.conf");
        std::fs::write(&path, text).unwrap();
        let loaded = config::load(&path, &Options::default());
        let mut router =
            loaded.config.unwrap_or_else(|| panic!("{}", loaded.report.render(false))).routers.remove(0);
        rename(
            &mut router,
            &[("P", "Q"), ("Q", "R")].map(|(old, new)| (old.to_owned(), new.to_owned())).into(),
        );
        let tracked: Vec<_> = router.tracks.iter().map(|track| track.object.clone()).collect();
        assert_eq!(tracked, [Tracked::Bfd("Q".to_owned()), Tracked::Bfd("R".to_owned())]);
        assert_eq!(router.fast_failover.unwrap().sessions, ["Q"]);
    }
}
