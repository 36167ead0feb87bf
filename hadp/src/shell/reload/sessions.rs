//! BFD sessions in a reload, and who follows them.

use std::{collections::BTreeMap, time::Duration};

use tokio::{sync::oneshot, time};
use tracing::{error, info};

use super::{
    difference::{self, Running, Steps},
    routers::Former,
};
use crate::{
    model::BfdInstance,
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
    pub(super) fn change_sessions(&mut self, wanted: &[BfdInstance], done: &mut Reloaded) -> bool {
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
        for (id, position) in changed {
            if let Some(instance) = wanted.get(position) {
                self.change_session(id, position, instance.clone());
                done.sessions.changed.push(instance.name.clone());
            }
        }
        for position in added {
            let Some(instance) = wanted.get(position) else { continue };
            match self.reach.neighbors.add(position, instance.clone()) {
                Some(_) => done.sessions.added.push(instance.name.clone()),
                None => waits = true,
            }
        }
        let routers_leave = self.roster.iter().any(|(_, entry)| entry.leaving);
        waits |= routers_leave && !leave.is_empty();
        for (id, why) in leave.into_iter().filter(|_| !routers_leave) {
            self.end_session(id, why, done);
        }
        let instances = self.reach.neighbors.iter().map(|(id, known)| (id, &known.instance));
        self.reach.idle.reconfigure(self.global.cpu_dma_latency, instances);
        waits
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
