//! What XDP does, instant by instant.

use std::{
    collections::{BTreeMap, VecDeque},
    net::IpAddr,
};

use hadp::{
    proto::{
        DRAIN, Heard,
        bfd::{Received, SessionId},
    },
    units::Time,
};
use hadp_common::{
    router::{GUARD_ENDED, GUARD_OPEN},
    wire::bfd::{FINAL, POLL},
};

use super::{mutation::Mutation, sessions::content};

/// How many events the ring buffer holds; what does not fit is lost, and found in the peers later.
const RING: usize = 64;

/// One node's maps. Everything is in the node's own time.
#[derive(Clone, Debug, Default)]
pub(super) struct Datapath {
    pub(super) slots: Vec<Slot>,
    pub(super) ring: VecDeque<Report>,
    /// What limits leases; a guard that is not here is open.
    pub(super) guards: BTreeMap<u32, Time>,
    /// The guards that end when a session's neighbour has given this node up.
    pub(super) ends: BTreeMap<SessionId, Vec<u32>>,
    /// The discriminators of this node's sessions.
    pub(super) keys: BTreeMap<SessionId, u32>,
    /// The last packet of every session.
    pub(super) records: BTreeMap<SessionId, Received>,
    pub(super) lost_events: u64,
}

/// What the daemon is told.
#[derive(Clone, Copy, Debug)]
pub(super) enum Report {
    Advert(usize, Heard),
    Bfd(SessionId, Received),
}

/// One virtual router's entries.
#[derive(Clone, Debug)]
pub(super) struct Slot {
    pub(super) lease: Time,
    pub(super) drain: Time,
    /// The lease is marked as resigned: whoever advertises is the successor.
    pub(super) resigned: bool,
    pub(super) priority: u8,
    pub(super) source: IpAddr,
    pub(super) yields: bool,
    /// Which guard limits the lease; 0 for none.
    pub(super) guard: u32,
    pub(super) peers: BTreeMap<IpAddr, Heard>,
}

/// What the datapath made of an advert.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Outcome {
    /// The lease was revoked on the spot.
    pub(super) revoked: bool,
    /// There is an event for the daemon.
    pub(super) event: bool,
}

impl Slot {
    pub(super) fn new(priority: u8, source: IpAddr, yields: bool) -> Self {
        Self {
            lease: Time::ZERO,
            drain: Time::ZERO,
            resigned: false,
            priority,
            source,
            yields,
            guard: 0,
            peers: BTreeMap::new(),
        }
    }

    /// Tells whether the lease runs, whatever its guard says.
    pub(super) fn is_leased(&self, now: Time) -> bool {
        self.lease > now
    }

    /// Tells whether the node takes the router's traffic.
    pub(super) fn admits(&self, now: Time) -> bool {
        self.lease > now || self.drain > now
    }
}

impl Datapath {
    /// Tells whether the node answers ARP for a router's addresses.
    pub(super) fn owns(&self, slot: usize, now: Time) -> bool {
        self.slots.get(slot).is_some_and(|entry| entry.is_leased(now)) && self.is_guarded(slot, now)
    }

    /// Tells whether a router's guard lets its lease count.
    pub(super) fn is_guarded(&self, slot: usize, now: Time) -> bool {
        self.guard(slot).is_none_or(|until| until > now)
    }

    /// Returns until when a router's guard lets its lease count; `None` where it always does.
    pub(super) fn guard(&self, slot: usize) -> Option<Time> {
        let guard = self.slots.get(slot)?.guard;
        self.guards.get(&guard).copied().filter(|until| guard != 0 && *until < Time::from_nanos(GUARD_OPEN))
    }

    /// Records a valid packet of a session, and tells whether there is an event for the daemon.
    ///
    /// `deaf` is a mutation: guards go on although the neighbour has given this node up.
    pub(super) fn record(&mut self, id: SessionId, received: Received, deaf: bool) -> bool {
        let control = received.control;
        let key = self.keys.get(&id);
        if key.is_none_or(|key| ![0, *key].contains(&control.your_discriminator)) {
            return false;
        }
        let last = self.records.insert(id, received);
        if last.is_some_and(|last| control.gives_up(&last.control)) && !deaf {
            for guard in self.ends.get(&id).into_iter().flatten() {
                self.guards.insert(*guard, Time::from_nanos(GUARD_ENDED));
            }
        }
        let is_news = last.is_none_or(|last| content(&last.control) != content(&control))
            || control.flags & (POLL | FINAL) != 0;
        is_news && self.tell(Report::Bfd(id, received))
    }

    /// Puts a report into the ring buffer, if there is room.
    fn tell(&mut self, report: Report) -> bool {
        let room = self.ring.len() < RING;
        if room {
            self.ring.push_back(report);
        } else {
            self.lost_events += 1;
        }
        room
    }

    /// Hears a valid advert, as hadp-ebpf does.
    pub(super) fn hear(
        &mut self,
        now: Time,
        slot: usize,
        heard: Heard,
        mutation: Option<Mutation>,
    ) -> Outcome {
        let mut outcome = Outcome::default();
        let guarded = self.is_guarded(slot, now);
        let Some(entry) = self.slots.get_mut(slot) else { return outcome };
        let last = entry.peers.insert(heard.from, heard);
        let owner = entry.is_leased(now);
        let outranks = (heard.priority, heard.from) > (entry.priority, entry.source)
            || (entry.resigned && heard.priority > 0);
        if owner && outranks && entry.yields && mutation != Some(Mutation::DatapathNeverRevokes) {
            entry.lease = Time::ZERO;
            entry.drain = if guarded { now + DRAIN } else { Time::ZERO };
            outcome.revoked = true;
        }
        let changed =
            last.is_none_or(|last| (last.priority, last.interval) != (heard.priority, heard.interval));
        if owner || changed {
            outcome.event = self.tell(Report::Advert(slot, heard));
        }
        outcome
    }

    /// Extends a lease that is still there; if `revives`, one that is not there any more, too.
    pub(super) fn renew(&mut self, slot: usize, until: Time, revives: bool) -> bool {
        let Some(entry) = self.slots.get_mut(slot) else { return false };
        if entry.lease == Time::ZERO && !revives {
            return false;
        }
        entry.lease = until;
        true
    }

    /// Returns the last advert of every sender later than `after`, oldest first.
    pub(super) fn heard_since(&self, slot: usize, after: Time) -> Vec<Heard> {
        let peers = self.slots.get(slot).map(|entry| entry.peers.values().copied());
        let mut heard: Vec<Heard> = peers.into_iter().flatten().filter(|heard| heard.at > after).collect();
        heard.sort_by_key(|heard| heard.at);
        heard
    }
}
