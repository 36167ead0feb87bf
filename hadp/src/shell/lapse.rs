//! What becomes of routers whose guard has lapsed.
//!
//! ```text
//!   heartbeat ──lapsed──►  every router that it limits took over from the dead, and nothing was heard of them since?
//!                            │ yes                                       │ no
//!                            ▼                                           ▼
//!                          tell the dead once more, open the guard     every one steps down
//!                            └──────────────► Rearm ◄────────────────────┘
//! ```
//!
//! XDP serves nothing meanwhile, whatever the leases say.

use super::{clock, driver::Driver, heartbeat::Order, messages::Notice, watch::Watch};
use crate::{
    datapath::Datapath,
    proto::{Event, Slot, bfd::SessionId},
};

impl Watch {
    /// Tells whether a router's guard has lapsed.
    pub(super) fn has_lapsed(&self, slot: Slot) -> bool {
        self.is_lapsed(self.guard_of(slot))
    }

    fn is_lapsed(&self, guard: u32) -> bool {
        guard != 0 && self.senses.guards.load(guard) <= clock::now()
    }

    fn guard_of(&self, slot: Slot) -> u32 {
        self.senses.followers.guards().of(slot).unwrap_or(0)
    }

    /// Has the heartbeat look whether the datapath has ended a router's guard: should it not know, nobody would ever own
    /// anything under it.
    pub(super) fn recheck(&mut self, slot: Slot) {
        match self.guard_of(slot) {
            0 => {}
            guard => self.order(Order::Ended(guard)),
        }
    }
}

impl<D: Datapath> Driver<D> {
    /// Takes the heartbeat's word that a guard has lapsed, and answers it.
    ///
    /// Where routers do not go on, every lease that the guard limits ends: what is left of one would count again with the guard,
    /// although a neighbour may have taken over. A router that has resigned is no exception. By the time this is heard the
    /// guard may be in force again.
    pub(super) fn guard_lapsed(&mut self, guard: u32) {
        if self.watch.is_lapsed(guard) && !self.goes_on(guard) {
            let leased = self.leased(guard);
            for &slot in &leased {
                self.feed(slot, Event::Revoked);
            }
            if !leased.is_empty() {
                self.tell(Notice::GuardLapsed(leased.len()));
            }
        }
        self.watch.order(Order::Rearm(guard));
    }

    /// Tells whether nothing that has lapsed guards a router: its guard has not, or is open again because the routers under it go on.
    /// To be asked where it has just got its lease, or is about to be told something.
    pub(super) fn outlives(&mut self, slot: Slot) -> bool {
        !self.watch.has_lapsed(slot) || self.goes_on(self.watch.guard_of(slot))
    }

    /// Has a lapsed guard opened, behind a packet that tells those who were found dead so, if
    /// [every router under it may go on](crate::proto::bfd::Followers::outlives); tells whether it is open.
    fn goes_on(&mut self, guard: u32) -> bool {
        let leased = self.leased(guard);
        let Watch { senses, sessions, .. } = &self.watch;
        let outlives = |slot: &Slot| {
            self.node.get(*slot).is_some_and(|router| senses.followers.outlives(guard, router, sessions))
        };
        let ids: Vec<SessionId> = senses.followers.guards().sessions(guard).collect();
        // What the datapath has heard and not told counts.
        let news = ids.iter().any(|id| self.watch.news(*id).is_some());
        if leased.is_empty() || news || !leased.iter().all(outlives) {
            return false;
        }
        let said = ids.iter().filter_map(|id| Some((*id, sessions.get(*id)?.transmission()?.control)));
        let said: Vec<_> = said.collect();
        for (id, control) in &said {
            self.watch.order(Order::SendNow(*id, *control));
        }
        self.watch.order(Order::Reopen(guard));
        if let Some((id, control)) = said.first() {
            self.hasten(*id, control);
        }
        let opened = !self.watch.is_lapsed(guard);
        if opened {
            self.tell(Notice::GuardOutlived(leased.len()));
        }
        opened
    }

    /// Returns the routers with a lease that a guard limits.
    fn leased(&self, guard: u32) -> Vec<Slot> {
        let routers = self.watch.senses.followers.guards().routers(guard);
        routers.filter(|slot| self.has_lease(*slot)).collect()
    }
}
