//! The datapath as the shell sees it: tables to fill, leases to store, peers to read.
//!
//! The real one is XDP; the virtual cluster has a model with the same semantics.

mod plan;
#[cfg(any(test, feature = "daemon"))]
mod tables;
#[cfg(feature = "daemon")]
mod xdp;

pub use plan::{AdvertFilter, Plan, PlannedRouter, PlannedVip};
#[cfg(feature = "daemon")]
pub use tables::PlanError;
#[cfg(feature = "daemon")]
pub use xdp::{
    AttachError, Attached, BENCH_OBJECT, BfdPlanError, BfdSessions, Bound, CleanupError, Egress, Election,
    EventRecord, Events, Guards, Inherited, Leases, Legacy, Mode, OpenError, PinLock, PlannedSession,
    ProgramLog, ReadError, Xdp,
};

use crate::{
    proto::{Heard, Slot},
    units::Time,
};

/// What an election needs of the datapath.
pub trait Datapath {
    /// Stores when this node's ownership of the router in `slot` ends: one aligned store, no system call.
    fn set_lease(&mut self, slot: Slot, until: Time);

    /// Extends a lease, unless the datapath has revoked it in the meantime: then it stays revoked.
    fn renew_lease(&mut self, slot: Slot, until: Time) -> Renewal;

    /// Marks a lease as resigned: any successor's advert ends it, even if this process does not run any more by then.
    fn resign(&mut self, slot: Slot);

    /// Has another entry of `GUARDS` limit a lease, 0 for none.
    fn set_guard(&mut self, slot: Slot, guard: u32);

    /// Stores until when traffic is admitted after ownership has ended.
    fn set_drain(&mut self, slot: Slot, until: Time);

    /// Appends the last advert of every sender heard for `slot` later than `after`, oldest first.
    fn heard_since(&self, slot: Slot, after: Time, out: &mut Vec<Heard>);
}

/// What became of a renewal.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Renewal {
    /// The lease is extended.
    Stored,
    /// The datapath had revoked the lease: it heard a router of higher rank.
    Revoked,
}
