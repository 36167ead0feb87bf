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

use std::time::Duration;

use super::{clock, driver::Driver, heartbeat::Order, messages::Notice, watch::Watch};
use crate::{
    datapath::Datapath,
    proto::{Event, Slot, bfd::SessionId},
};

/// How long it may take to open a guard: about what it takes where nothing comes in between.
const AT_ONCE: Duration = Duration::from_micros(50);

impl Watch {
    fn is_lapsed(&self, guard: u32) -> bool {
        guard != 0 && self.senses.guards.load(guard) <= clock::now()
    }

    fn guard_of(&self, slot: Slot) -> u32 {
        self.senses.followers.guards().of(slot).unwrap_or(0)
    }
}

impl<D: Datapath> Driver<D> {
    /// Takes the heartbeat's word that a guard has lapsed, and answers it.
    ///
    /// Where routers do not go on, every lease that the guard limits ends: what is left of one would count again with the guard,
    /// although a neighbour may have taken over. A router that has resigned is no exception. By the time this is heard the
    /// guard may be in force again.
    pub(super) fn guard_lapsed(&mut self, guard: u32) {
        if self.watch.is_lapsed(guard) && !self.goes_on(guard, false) {
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
        self.is_guarded(slot, false)
    }

    /// Tells the same of a router that is about to be told this: not, where it is that another one is Active.
    pub(super) fn outlives_until(&mut self, slot: Slot, event: Event) -> bool {
        let contested = matches!(event, Event::Advert(heard)
            if self.node.get(slot).is_none_or(|router| router.is_contested_by(&heard)));
        self.is_guarded(slot, contested)
    }

    fn is_guarded(&mut self, slot: Slot, contested: bool) -> bool {
        let guard = self.watch.guard_of(slot);
        !self.watch.is_lapsed(guard) || self.goes_on(guard, contested)
    }

    /// Has a lapsed guard opened, behind a packet that tells those who were found dead so, if
    /// [every router under it may go on](crate::proto::bfd::Followers::outlives); tells whether it is open. Once a turn: of
    /// those that take over in a row, the first one's answer is the answer of all.
    fn goes_on(&mut self, guard: u32, contested: bool) -> bool {
        if !self.watch.judged.insert(guard) {
            return !self.watch.is_lapsed(guard);
        }
        if !contested && self.may_go_on(guard) {
            self.open(guard);
        }
        let is_open = !self.watch.is_lapsed(guard);
        if !is_open {
            // The datapath may have ended it. Should the heartbeat not know, nobody would ever own anything under it.
            self.watch.order(Order::Ended(guard));
        }
        is_open
    }

    fn may_go_on(&mut self, guard: u32) -> bool {
        let leased = self.leased(guard);
        let Watch { senses, sessions, untold, .. } = &self.watch;
        // What the datapath has heard and not told counts, from either.
        let said_nothing = |id: SessionId| self.watch.news(id).is_none() && !untold.contains(&id);
        let outlives = |slot: &Slot| {
            self.node.get(*slot).is_some_and(|router| senses.followers.outlives(guard, router, sessions))
        };
        !leased.is_empty()
            && senses.followers.guards().sessions(guard).all(said_nothing)
            && leased.iter().all(outlives)
            && !leased.iter().any(|slot| self.is_contested(*slot))
    }

    /// Tells whether the datapath has heard another router that is Active since this one has been.
    fn is_contested(&mut self, slot: Slot) -> bool {
        let heard = self.take_heard(slot);
        let router = self.node.get(slot);
        let contested = router.is_some_and(|router| heard.iter().any(|heard| router.is_contested_by(heard)));
        self.heard = heard;
        contested
    }

    /// Opens a guard once all for whom it stands have been told that they were given up, in this very moment or not at all.
    fn open(&mut self, guard: u32) {
        let sessions = self.watch.senses.followers.guards().sessions(guard);
        let control = |id: SessionId| Some((id, self.watch.sessions.get(id)?.transmission()?.control));
        let said: Vec<_> = sessions.filter_map(control).collect();
        for (id, control) in said {
            self.watch.order(Order::SendNow(id, control));
            if !self.hasten(id, &control) {
                return;
            }
        }
        self.watch.order(Order::Reopen(guard, clock::now() + AT_ONCE));
        if self.watch.senses.heartbeat.obey_now() && !self.watch.is_lapsed(guard) {
            self.tell(Notice::GuardOutlived(self.leased(guard).len()));
        }
    }

    /// Returns the routers with a lease that a guard limits.
    fn leased(&self, guard: u32) -> Vec<Slot> {
        let routers = self.watch.senses.followers.guards().routers(guard);
        routers.filter(|slot| self.has_lease(*slot)).collect()
    }
}
