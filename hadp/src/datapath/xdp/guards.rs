//! The guards: what limits the leases of many routers at once.

use std::sync::{Arc, atomic::Ordering};

use hadp_common::router::{GUARD_ENDED, GUARD_NOTED, GUARD_OPEN, MAX_GUARDS};

use super::{election::Election, mapped::MappedArray, open::Xdp};
use crate::units::Time;

/// The times until which leases with a guard count, through memory that the kernel shares: no lock, no system call.
///
/// Only one thread at a time may renew a guard.
#[derive(Clone)]
pub struct Guards(Arc<MappedArray<u64>>);

impl Guards {
    /// What a guard holds while no session of it is up: the leases count alone.
    pub const OPEN: Time = Time::from_nanos(GUARD_OPEN);

    /// Takes the map as it is.
    pub(super) fn new(map: MappedArray<u64>) -> Self {
        Self(Arc::new(map))
    }

    /// Opens every guard.
    pub(super) fn open_all(&self) {
        (0..MAX_GUARDS).for_each(|index| self.store(index, Self::OPEN));
    }

    /// Returns when a guard lapses; [`Time::ZERO`] for one that does not exist, whose routers own nothing.
    pub fn load(&self, index: u32) -> Time {
        self.0.entry(index).map_or(Time::ZERO, |entry| Time::from_nanos(entry.word(0, Ordering::Acquire)))
    }

    /// Renews a guard: one exchange for all routers that name it. False, and nothing is stored, where the datapath has
    /// ended it meanwhile.
    pub fn renew(&self, index: u32, until: Time) -> bool {
        let next = |value| (value != GUARD_ENDED).then_some(until.as_nanos());
        self.0.entry(index).is_some_and(|entry| entry.update_word(0, next))
    }

    /// Notes that the datapath has ended a guard: it stays lapsed, and shows when it is ended once more.
    pub fn note_end(&self, index: u32) {
        self.store(index, Time::from_nanos(GUARD_NOTED));
    }

    /// Puts a guard in force, whatever has become of it.
    pub fn store(&self, index: u32, until: Time) {
        if let Some(entry) = self.0.entry(index) {
            entry.set_word(0, until.as_nanos(), Ordering::Release);
        }
    }

    /// Tells whether the datapath has ended a guard.
    pub fn is_ended(&self, index: u32) -> bool {
        self.0.entry(index).is_some_and(|entry| entry.word(0, Ordering::Acquire) == GUARD_ENDED)
    }

    /// Ends a guard as the datapath does.
    pub(super) fn end(&self, index: u32) {
        self.store(index, Time::from_nanos(GUARD_ENDED));
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

    /// Opens the guards that another daemon left, once no lease is left that one of them limits: the sessions that they
    /// stood for are gone, and those of this daemon are not up yet.
    pub fn open_guards(&self) {
        self.election.guards.open_all();
    }
}
