//! The order in which the orders of many routers are carried out.

use hadp_common::router::MAX_ROUTERS;

use super::{Action, Slot};
use crate::units::Time;

/// What clients wait for, the most urgent first.
#[derive(Clone, Copy, Eq, Ord, PartialEq, PartialOrd)]
enum Phase {
    /// The lease store of a takeover: from here on the datapath answers.
    Store,
    /// An advert, for which peers wait, and which a takeover waits for.
    Advert,
    /// Everything else.
    Rest,
}

/// Sorts the orders of several routers: the lease stores of takeovers first, then the adverts, then the rest.
///
/// A thousand routers that take over together are then all owned after a thousand stores, some microseconds, and not
/// after the thousandth advert.
///
/// The orders of one router keep their order, and orders of one phase theirs. So one that comes behind a later phase of
/// its own router waits for that: the advert behind a revocation or a drain does not overtake it.
pub fn by_phase(orders: &mut Vec<(Slot, Action)>) {
    let mut reached = [Phase::Store; MAX_ROUTERS as usize];
    let mut adverts = Vec::with_capacity(orders.len());
    let mut rest = Vec::with_capacity(orders.len());
    let mut stores = Vec::with_capacity(orders.len());
    for (slot, action) in orders.drain(..) {
        let mut phase = Phase::of(&action);
        if let Some(reached) = reached.get_mut(slot.index() as usize) {
            phase = phase.max(*reached);
            *reached = phase;
        }
        match phase {
            Phase::Store => stores.push((slot, action)),
            Phase::Advert => adverts.push((slot, action)),
            Phase::Rest => rest.push((slot, action)),
        }
    }
    orders.extend(stores.into_iter().chain(adverts).chain(rest));
}

impl Phase {
    fn of(action: &Action) -> Self {
        match action {
            Action::SetLease { until } if *until != Time::ZERO => Self::Store,
            Action::SendAdvert { .. } => Self::Advert,
            Action::SetLease { .. }
            | Action::RenewLease { .. }
            | Action::Drain { .. }
            | Action::Announce { .. }
            | Action::AcquireVips
            | Action::ReleaseVips
            | Action::Notify(_) => Self::Rest,
        }
    }
}
