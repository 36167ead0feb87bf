//! The part of the datapath that the election thread has to itself.

use std::{
    mem::offset_of,
    sync::{Arc, atomic::Ordering},
};

use hadp_common::{
    peer::Peers,
    router::{LEASE_RESIGNED, Router},
};

use super::{
    guards::Guards,
    mapped::MappedArray,
    open::{Maps, Xdp},
    peers::Fingerprints,
};
use crate::{
    datapath::{Datapath, Renewal},
    proto::{Heard, Slot},
    units::Time,
};

// The words of a `Router`: the lease has the first one to itself.
pub(super) const LEASE: usize = offset_of!(Router, lease_until_ns) / 8;
const _: () = assert!(LEASE == 0);
/// The guard shares its word with the generation, which nobody else changes while the router is there.
const GUARD: usize = offset_of!(Router, guard) / 8;
const _: () = assert!(
    offset_of!(Router, guard) % 8 == 0 && offset_of!(Router, generation) == offset_of!(Router, guard) + 4
);
pub(super) const DRAIN: usize = offset_of!(Router, drain_until_ns) / 8;

/// Leases to store and senders to read, through memory that the kernel shares: no lock, no system call.
#[derive(Clone)]
pub struct Election {
    pub(super) routers: Arc<MappedArray<Router>>,
    pub(super) peers: Arc<MappedArray<Peers>>,
    pub(super) fingerprints: Fingerprints,
    pub(super) guards: Guards,
}

impl Election {
    pub(super) fn new(maps: &Maps) -> Self {
        let (routers, peers) = (Arc::clone(&maps.routers), Arc::clone(&maps.peers));
        Self { routers, peers, fingerprints: Fingerprints::default(), guards: maps.guards.clone() }
    }

    /// Stores a lease: the one store of a takeover.
    ///
    /// A drain of an earlier ownership ends with it: should this one break off, nothing is admitted any more.
    pub(super) fn store_lease(&self, slot: u32, until: Time) {
        if let Some(entry) = self.routers.entry(slot) {
            entry.set_word(LEASE, until.as_nanos() & !LEASE_RESIGNED, Ordering::Release);
            if until != Time::ZERO {
                entry.set_word(DRAIN, 0, Ordering::Release);
            }
        }
    }
}

impl Datapath for Election {
    fn set_lease(&mut self, slot: Slot, until: Time) {
        self.store_lease(slot.index(), until);
    }

    fn renew_lease(&mut self, slot: Slot, until: Time) -> Renewal {
        let Some(entry) = self.routers.entry(slot.index()) else { return Renewal::Revoked };
        let is_owned = |lease| lease != 0 && lease & LEASE_RESIGNED == 0;
        let next = until.as_nanos() & !LEASE_RESIGNED;
        let renewed = entry.update_word(LEASE, |lease| is_owned(lease).then_some(next));
        if renewed { Renewal::Stored } else { Renewal::Revoked }
    }

    fn resign(&mut self, slot: Slot) {
        if let Some(entry) = self.routers.entry(slot.index()) {
            // A lease that is gone stays gone.
            let _: bool = entry.update_word(LEASE, |lease| (lease != 0).then_some(lease | LEASE_RESIGNED));
        }
    }

    fn set_guard(&mut self, slot: Slot, guard: u32) {
        if let Some(entry) = self.routers.entry(slot.index()) {
            let [a, b, c, d] = guard.to_ne_bytes();
            let _: bool = entry.update_word(GUARD, |word| {
                let [.., e, f, g, h] = word.to_ne_bytes();
                Some(u64::from_ne_bytes([a, b, c, d, e, f, g, h]))
            });
        }
    }

    fn set_drain(&mut self, slot: Slot, until: Time) {
        if let Some(entry) = self.routers.entry(slot.index()) {
            entry.set_word(DRAIN, until.as_nanos(), Ordering::Release);
        }
    }

    fn heard_since(&self, slot: Slot, after: Time, out: &mut Vec<Heard>) {
        self.append_heard(slot, after, out);
    }
}

impl Xdp {
    /// Returns what the election thread needs of the datapath.
    pub fn election(&self) -> Election {
        self.election.clone()
    }
}

impl Datapath for Xdp {
    fn set_lease(&mut self, slot: Slot, until: Time) {
        self.election.set_lease(slot, until);
    }

    fn renew_lease(&mut self, slot: Slot, until: Time) -> Renewal {
        self.election.renew_lease(slot, until)
    }

    fn resign(&mut self, slot: Slot) {
        self.election.resign(slot);
    }

    fn set_guard(&mut self, slot: Slot, guard: u32) {
        self.election.set_guard(slot, guard);
    }

    fn set_drain(&mut self, slot: Slot, until: Time) {
        self.election.set_drain(slot, until);
    }

    fn heard_since(&self, slot: Slot, after: Time, out: &mut Vec<Heard>) {
        self.election.heard_since(slot, after, out);
    }
}
