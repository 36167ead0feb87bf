//! The guards: what limits the leases of many routers at once.

use std::sync::{Arc, atomic::Ordering};

use hadp_common::router::{GUARD_OPEN, MAX_GUARDS};

use super::{election::Election, mapped::MappedArray, open::Xdp};
use crate::units::Time;

/// The times until which leases with a guard count, through memory that the kernel shares: no lock, no system call.
///
/// Only one thread may renew a guard.
#[derive(Clone)]
pub struct Guards(Arc<MappedArray<u64>>);

impl Guards {
    /// What a guard holds while no session of it is up: the leases count alone.
    pub const OPEN: Time = Time::from_nanos(GUARD_OPEN);

    /// Takes the map, and opens every guard: no session is up yet.
    pub(super) fn new(map: MappedArray<u64>) -> Self {
        let guards = Self(Arc::new(map));
        (0..MAX_GUARDS).for_each(|index| guards.renew(index, Self::OPEN));
        guards
    }

    /// Returns when a guard lapses; [`Time::ZERO`] for one that does not exist, whose routers own nothing.
    pub fn load(&self, index: u32) -> Time {
        self.0.entry(index).map_or(Time::ZERO, |entry| Time::from_nanos(entry.word(0, Ordering::Acquire)))
    }

    /// Stores when a guard lapses: one store for all routers that name it.
    pub fn renew(&self, index: u32, until: Time) {
        if let Some(entry) = self.0.entry(index) {
            entry.set_word(0, until.as_nanos(), Ordering::Release);
        }
    }
}

impl Election {
    /// Returns when a guard lapses.
    pub fn guard(&self, index: u32) -> Time {
        self.guards.load(index)
    }
}

impl Xdp {
    /// Returns the guards, for the thread that renews them.
    pub fn guards(&self) -> Guards {
        self.election.guards.clone()
    }
}
