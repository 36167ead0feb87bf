//! What XDP does, instant by instant.

use std::{
    collections::{BTreeMap, VecDeque},
    net::IpAddr,
};

use hadp::{
    proto::{DRAIN, Heard},
    units::Time,
};

use super::mutation::Mutation;

/// How many events the ring buffer holds; what does not fit is lost, and found in the peers later.
const RING: usize = 64;

/// One node's maps. Everything is in the node's own time.
#[derive(Clone, Debug, Default)]
pub(super) struct Datapath {
    pub(super) slots: Vec<Slot>,
    pub(super) ring: VecDeque<(usize, Heard)>,
    pub(super) lost_events: u64,
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
            peers: BTreeMap::new(),
        }
    }

    /// Tells whether the node answers ARP for the router's addresses.
    pub(super) fn owns(&self, now: Time) -> bool {
        self.lease > now
    }

    /// Tells whether the node takes the router's traffic.
    pub(super) fn admits(&self, now: Time) -> bool {
        self.lease > now || self.drain > now
    }
}

impl Datapath {
    /// Hears a valid advert, as hadp-ebpf does.
    pub(super) fn hear(
        &mut self,
        now: Time,
        slot: usize,
        heard: Heard,
        mutation: Option<Mutation>,
    ) -> Outcome {
        let mut outcome = Outcome::default();
        let Some(entry) = self.slots.get_mut(slot) else { return outcome };
        let last = entry.peers.insert(heard.from, heard);
        let owner = entry.owns(now);
        let outranks = (heard.priority, heard.from) > (entry.priority, entry.source)
            || (entry.resigned && heard.priority > 0);
        if owner && outranks && entry.yields && mutation != Some(Mutation::DatapathNeverRevokes) {
            entry.lease = Time::ZERO;
            entry.drain = now + DRAIN;
            outcome.revoked = true;
        }
        let changed =
            last.is_none_or(|last| (last.priority, last.interval) != (heard.priority, heard.interval));
        if owner || changed {
            if self.ring.len() < RING {
                self.ring.push_back((slot, heard));
                outcome.event = true;
            } else {
                self.lost_events += 1;
            }
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
