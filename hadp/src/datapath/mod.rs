//! The datapath as the shell sees it: tables to fill, leases to store, peers to read.
//!
//! The real one is XDP; the virtual cluster has a model with the same semantics.

mod plan;
mod tables;
mod xdp;

pub use plan::{AdvertFilter, Plan, PlannedRouter, PlannedVip};
pub use tables::PlanError;
pub use xdp::{
    AttachError, Attached, BENCH_OBJECT, CleanupError, EventRecord, Events, Mode, OpenError, ReadError, Xdp,
    remove_all,
};

use crate::{
    proto::{Heard, Slot},
    units::Time,
};

/// What a node needs of its datapath.
pub trait Datapath {
    /// What a failed [`apply`](Self::apply) says.
    type Error: std::error::Error;

    /// Stores when this node's ownership of the router in `slot` ends: one aligned store, no system call.
    fn set_lease(&mut self, slot: Slot, until: Time);

    /// Appends the last advert of every sender heard for `slot` later than `after`, oldest first.
    fn heard_since(&self, slot: Slot, after: Time, out: &mut Vec<Heard>);

    /// Puts a whole configuration in force at once; leases of slots that stay are untouched.
    ///
    /// # Errors
    ///
    /// When the plan does not fit the tables; nothing has changed then.
    fn apply(&mut self, plan: &Plan) -> Result<(), Self::Error>;
}
