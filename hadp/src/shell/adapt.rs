//! What a reload changes in the election thread: routers take up another configuration or leave, sessions are followed in
//! another way or end.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use super::{
    clock,
    driver::Driver,
    heartbeat::Order,
    messages::{Frames, Notice, Reconfigure},
};
use crate::{
    datapath::{Datapath, Renewal},
    proto::{
        Addresses, Event, Slot, State,
        bfd::{self, Followers, Session, SessionId, SessionState, Standing},
    },
    units::Time,
};

/// How long a neighbour is told of the end of a session at the least, and for how many packets.
const PARTING: Duration = Duration::from_millis(100);
const PACKETS: u32 = 4;

impl<D: Datapath> Driver<D> {
    /// Has a router take up another configuration. What became of the frames before is told first.
    pub(super) fn reconfigure(&mut self, order: Reconfigure) {
        let Reconfigure { slot, name, change, frames, moves } = order;
        self.settle(slot);
        // Before it goes on as Active on the strength of a promise that was broken.
        if self.is_active(slot) && !self.outlives(slot) {
            self.handle(slot, Event::Revoked, clock::now());
        }
        self.carry_out(); // it is of the addresses before
        let others = matches!(change.addresses, Addresses::Changed { .. });
        let owes = others && self.voice.hush(slot);
        let mut from = None;
        if let Some(Frames { source, outlet, addresses }) = frames {
            from = Some(source);
            if let Some(outlet) = self.voice.set(slot, outlet) {
                self.tell(Notice::Retired(outlet));
            }
            if let Some(attached) = self.routers.get_mut(slot) {
                attached.addresses = Some(addresses);
            }
        }
        let now = clock::now();
        let mut actions = std::mem::take(&mut self.actions);
        self.node.reconfigure(now, slot, change.clone(), &mut actions);
        if let Some(recorder) = &mut self.recorder {
            recorder.reconfigured((now, slot), &name, change, &actions, &self.node);
        }
        self.conduct(slot, actions, now);
        if owes && self.is_active(slot) {
            // What was to be announced still, whichever of the addresses now that was.
            let total = self.node.get(slot).map_or(0, |router| router.config().vips);
            self.voice.announce(slot, 0..total, 1);
        }
        let Some(source) = from else { return };
        let is_elsewhere = self.node.get(slot).is_some_and(|router| {
            let runs = !matches!(router.state(), State::Initialize { .. });
            runs && (moves || router.source() != Some(source))
        });
        if is_elsewhere {
            // One that hands over on account of what it tracks does not stay because of that.
            if self.standing(slot, clock::now()) != Some(Standing::Fault) {
                self.feed(slot, Event::Startup { source });
            }
        }
    }

    /// Hands a router over that has left the configuration.
    pub(super) fn dismiss(&mut self, slot: Slot) {
        self.leaving.insert(slot);
        self.feed(slot, Event::Shutdown);
    }

    /// Takes out those routers that were to leave and of which nothing is left: no lease, no drain, no advert on its way.
    pub(super) fn let_leave(&mut self) {
        let is_over = |slot: &Slot| {
            self.node.get(*slot).is_none_or(crate::proto::Router::is_idle) && !self.orders.waits(*slot)
        };
        let gone: Vec<Slot> = self.leaving.iter().copied().filter(is_over).collect();
        for slot in gone {
            self.leaving.remove(&slot);
            self.node.remove(slot);
            self.routers.remove(slot);
            self.watch.standings.remove(&slot);
            if let Some(outlet) = self.voice.remove(slot) {
                self.tell(Notice::Retired(outlet));
            }
            if let Some(recorder) = &mut self.recorder {
                recorder.left(clock::now(), slot);
            }
            self.tell(Notice::Left(slot));
        }
    }

    /// Follows sessions in another way, and returns what that makes of every router that tracks something.
    pub(super) fn follow(&mut self, followers: Followers) -> BTreeMap<Slot, Standing> {
        let slots: Vec<Slot> = self.routers.slots().collect();
        let sessions: Vec<SessionId> = self.watch.sessions.iter().map(|(id, _)| id).collect();
        // Whatever a neighbour says while the routers change their guards: it ends the one that a router has then.
        let now = clock::now();
        sessions.iter().for_each(|id| self.watch.set_ends_of(*id, Some(&followers), now));
        for &slot in &slots {
            let of = |followers: &Followers| followers.guards().of(slot).unwrap_or(0);
            let (before, after) = (of(&self.watch.senses.followers), of(&followers));
            // One that stands for more sessions lapses when the one before does, at the latest.
            let covers = followers.guards().covers(after, self.watch.senses.followers.guards(), before);
            if before != after && covers {
                self.datapath.set_guard(slot, after);
                // The guard before may have ended just then, and the other one without that.
                let lapsed = before != 0 && self.watch.senses.guards.load(before) <= clock::now();
                if lapsed && self.has_lease(slot) {
                    self.feed(slot, Event::Revoked);
                }
            } else if before != after {
                self.change_guard(slot, before, after);
            }
        }
        let numbers = |followers: &Followers| {
            followers.guards().iter().map(|(guard, _)| guard).collect::<BTreeSet<_>>()
        };
        let guards = &numbers(&self.watch.senses.followers) | &numbers(&followers);
        self.watch.senses.followers = followers;
        let now = clock::now();
        for id in sessions {
            self.watch.set_ends(id, now);
        }
        for guard in guards {
            // Nothing else shows that one has ended meanwhile.
            self.watch.order(Order::Ended(guard));
        }
        for slot in slots {
            if self.standing(slot, now).is_none() {
                self.watch.standings.remove(&slot);
            }
            self.reconsider(slot, now);
        }
        let tracking: Vec<Slot> = self.watch.senses.followers.tracking_routers().collect();
        tracking.into_iter().filter_map(|slot| Some((slot, self.standing(slot, now)?))).collect()
    }

    /// Has another guard limit the lease of a router.
    ///
    /// A guard that has lapsed must not come off a lease that runs on: a neighbour may have taken over. Whether it lapses in
    /// this very moment shows only afterwards; until then the lease itself ends when the guard would have.
    fn change_guard(&mut self, slot: Slot, before: u32, after: u32) {
        self.settle(slot);
        let lease = match self.node.get(slot).map(crate::proto::Router::state) {
            Some(State::Active { lease, .. }) => lease,
            // Its guard comes off with its lease.
            Some(State::Resigning { .. }) => {
                self.feed(slot, Event::Revoked);
                return self.datapath.set_guard(slot, after);
            }
            _ => return self.datapath.set_guard(slot, after),
        };
        let until = self.watch.senses.guards.load(before);
        let mut kept = self.datapath.renew_lease(slot, lease.min(until));
        self.datapath.set_guard(slot, after);
        if self.watch.senses.guards.load(before) <= clock::now() {
            self.handle(slot, Event::Revoked, clock::now());
        } else if kept == Renewal::Stored {
            kept = self.datapath.renew_lease(slot, lease);
        }
        if kept == Renewal::Revoked {
            self.revoked(slot);
        }
    }

    /// Takes a session down that has left the configuration.
    ///
    /// AdminDown would have the neighbour take over from every router here that it follows by the session. Where one is Active,
    /// it is told that the path is down instead: it knows that this node is alive, and goes by adverts.
    pub(super) fn part_with(&mut self, id: SessionId) {
        let serves = self.routers.slots().any(|slot| self.has_lease(slot));
        let state = self.watch.sessions.get(id).map(Session::state);
        let heeds = matches!(state, Some(SessionState::Init | SessionState::Up));
        self.feed_session(id, if serves { bfd::Event::PathDown } else { bfd::Event::AdminDown });
        let now = clock::now();
        // Whatever the neighbour says to that: the session does not come up again.
        let session = self.watch.sessions.remove(id);
        self.watch.set_ends(id, now);
        let every = session.as_ref().and_then(Session::transmission).map_or(PARTING, |what| what.every);
        let told = now + PARTING.max(every * PACKETS);
        let until =
            session.and_then(|session| session.farewell_until()).map_or(told, |until| until.max(told));
        self.watch.parting.insert(id, if heeds { until } else { now });
    }

    /// Ends those sessions whose neighbours have been told.
    pub(super) fn end_parting(&mut self, now: Time) {
        let over = self.watch.parting.iter().filter(|(_, until)| **until <= now).map(|(id, _)| *id);
        for id in over.collect::<Vec<_>>() {
            self.watch.parting.remove(&id);
            self.watch.order(Order::Transmit(id, None));
            self.tell(Notice::SessionEnded(id));
        }
    }
}
