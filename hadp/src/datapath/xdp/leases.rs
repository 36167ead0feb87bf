//! The leases alone: all of the datapath that somebody needs who looks after it for a moment.

use std::{path::Path, sync::atomic::Ordering};

use hadp_common::router::{LEASE_RESIGNED, MAX_GUARDS, MAX_ROUTERS, Router};

use super::{
    election::LEASE,
    mapped::MappedArray,
    open::{OpenError, mapped},
};
use crate::{datapath::Renewal, proto::Slot, units::Time};

/// `ROUTERS` and `GUARDS`, opened by their pins.
pub struct Leases {
    routers: MappedArray<Router>,
    guards: MappedArray<u64>,
}

impl Leases {
    /// Opens the maps that a daemon of this build has pinned in `dir`.
    ///
    /// # Errors
    ///
    /// When they are not there.
    pub fn open(dir: &Path) -> Result<Self, OpenError> {
        Ok(Self { routers: mapped(dir, "ROUTERS", MAX_ROUTERS)?, guards: mapped(dir, "GUARDS", MAX_GUARDS)? })
    }

    /// Returns the routers that this node owns at `now` and has not resigned, each with the end of its lease.
    pub fn owned(&self, now: Time) -> Vec<(Slot, Time)> {
        let owned = |index| {
            let slot = Slot::new(index)?;
            Some((slot, self.lease(slot).filter(|lease| *lease > now)?))
        };
        (0..MAX_ROUTERS).filter_map(owned).collect()
    }

    /// Returns the end of a lease; `None` once it has been revoked or resigned.
    pub fn lease(&self, slot: Slot) -> Option<Time> {
        let lease = self.routers.entry(slot.index())?.word(LEASE, Ordering::Acquire);
        is_held(lease).then_some(Time::from_nanos(lease))
    }

    /// Tells whether the guard of a router, if it has one, is still in force: its lease alone is not enough.
    pub fn is_guarded(&self, slot: Slot, now: Time) -> bool {
        let guard = self.routers.load(slot.index()).map_or(0, |router| router.guard);
        let until = || self.guards.entry(guard).map(|entry| entry.word(0, Ordering::Acquire));
        guard == 0 || until().is_some_and(|until| until > now.as_nanos())
    }

    /// Extends a lease, unless it has been revoked or resigned; it is never shortened.
    pub fn renew(&self, slot: Slot, until: Time) -> Renewal {
        let Some(entry) = self.routers.entry(slot.index()) else { return Renewal::Revoked };
        let until = until.as_nanos() & !LEASE_RESIGNED;
        let renewed = entry.update_word(LEASE, |lease| is_held(lease).then_some(lease.max(until)));
        if renewed { Renewal::Stored } else { Renewal::Revoked }
    }

    /// Revokes a lease.
    pub fn revoke(&self, slot: Slot) {
        if let Some(entry) = self.routers.entry(slot.index()) {
            entry.set_word(LEASE, 0, Ordering::Release);
        }
    }
}

/// Tells whether the word of a lease is one that may be renewed.
fn is_held(lease: u64) -> bool {
    lease != 0 && lease & LEASE_RESIGNED == 0
}
