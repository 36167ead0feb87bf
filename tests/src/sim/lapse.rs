//! What becomes of routers whose guard has lapsed, as `shell::lapse` does it.

use hadp::proto::{Event, Reason, Slot, State, bfd::SessionId};

use super::{heart::Order, mutation::Mutation, world::World};

impl World {
    /// Takes what the heartbeat told: steps every router of a lapsed guard down that does not go on, and answers.
    pub(super) fn read_lapses(&mut self, host: usize) {
        loop {
            let Some(this) = self.hosts.get_mut(host).filter(|host| host.runs()) else { return };
            let Some(daemon) = &mut this.daemon else { return };
            let Some(guard) = daemon.lapsed.pop_front() else { return };
            if self.is_lapsed(host, guard) && !self.goes_on(host, guard) {
                for slot in self.leased(host, guard) {
                    self.tell(host, slot.index() as usize, Event::Revoked);
                }
            }
            self.order(host, Order::Rearm(guard));
        }
    }

    /// Opens the guard of a router if it has lapsed and all under it go on; tells whether it has not lapsed.
    pub(super) fn outlives(&mut self, host: usize, slot: usize) -> bool {
        let guard = self.guard_number(host, slot);
        !self.is_lapsed(host, guard) || self.goes_on(host, guard)
    }

    /// Tells the same of a router that is about to be told this: not, where it is that another one is Active.
    pub(super) fn outlives_until(&mut self, host: usize, slot: usize, event: Event) -> bool {
        let router = self.hosts.get(host).and_then(|host| host.router(slot));
        let contested = |heard| router.is_none_or(|router| router.is_contested_by(heard));
        if matches!(event, Event::Advert(heard) if contested(&heard)) {
            let guard = self.guard_number(host, slot);
            return !self.is_lapsed(host, guard);
        }
        self.outlives(host, slot)
    }

    fn guard_number(&self, host: usize, slot: usize) -> u32 {
        let entry = self.hosts.get(host).and_then(|host| host.datapath.slots.get(slot));
        entry.map(|entry| entry.guard).unwrap_or_default()
    }

    fn is_lapsed(&self, host: usize, guard: u32) -> bool {
        let now = self.local(host);
        let until = self.hosts.get(host).and_then(|host| host.datapath.guards.get(&guard));
        guard != 0 && until.is_some_and(|until| *until <= now)
    }

    fn goes_on(&mut self, host: usize, guard: u32) -> bool {
        let leased = self.leased(host, guard);
        let careless = self.mutation == Some(Mutation::LapseOutlivedByAll);
        let Some(this) = self.hosts.get_mut(host).filter(|host| host.runs()) else { return false };
        let Some(daemon) = &mut this.daemon else { return false };
        let ids: Vec<SessionId> = daemon.watch.followers.guards().sessions(guard).collect();
        let records = &this.datapath.records;
        let watch = &daemon.watch;
        let said_nothing = |id: &SessionId| {
            let news = records.get(id).is_some_and(|record| watch.is_news(*id, record));
            !news && !watch.untold.contains(id)
        };
        let outlives = |slot: &Slot| {
            let heard = this.datapath.heard_since(slot.index() as usize, daemon.since);
            daemon.node.get(*slot).is_some_and(|router| {
                let contested = heard.iter().any(|heard| router.is_contested_by(heard));
                !contested && watch.followers.outlives(guard, router, &watch.sessions)
            })
        };
        let goes_on = ids.iter().all(said_nothing) && leased.iter().all(outlives);
        if leased.is_empty() || !(careless || goes_on) {
            return false;
        }
        let control = |id: &SessionId| Some((*id, watch.sessions.get(*id)?.transmission()?.control));
        let said: Vec<_> = ids.iter().filter_map(control).collect();
        for (id, control) in said {
            self.order(host, Order::SendNow(id, control));
            if !self.hasten(host, (id, control)) {
                return false;
            }
        }
        self.order(host, Order::Reopen(guard, self.local(host)));
        self.obey_now(host);
        let opened = !self.is_lapsed(host, guard);
        self.summary.outlived += usize::from(opened);
        for slot in leased.iter().filter(|_| opened) {
            // It is what to take over is, from who may not be dead.
            let slot = slot.index() as usize;
            self.note(host, slot, Some(Reason::BfdDown));
            let spans = self.spans.get_mut(slot).and_then(|hosts| hosts.get_mut(host));
            if let Some(span) = spans.and_then(|spans| spans.last_mut()) {
                span.reopened = true;
            }
        }
        opened
    }

    fn leased(&self, host: usize, guard: u32) -> Vec<Slot> {
        let daemon = self.hosts.get(host).and_then(|host| host.daemon.as_ref());
        let leased = |slot: &Slot| {
            let state = daemon.and_then(|daemon| daemon.node.get(*slot)).map(|router| router.state());
            matches!(state, Some(State::Active { .. } | State::Resigning { .. }))
        };
        let routers = daemon.into_iter().flat_map(|daemon| daemon.watch.followers.guards().routers(guard));
        routers.filter(leased).collect()
    }
}
