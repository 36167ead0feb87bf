//! How the election thread comes to its end: routers are handed over, then sessions are taken down.

use std::time::Duration;

use super::{clock, driver::Driver};
use crate::{datapath::Datapath, units::Time};

/// The longest time that neighbours are told of a planned end.
const FAREWELL: Duration = Duration::from_millis(50);

/// Whether the thread is to end, and how far it is.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(super) enum Stopping {
    /// It goes on.
    No,
    /// Until every router is handed over.
    HandingOver,
    /// Until the neighbours have heard that the sessions go down on purpose.
    Farewell(Time),
}

impl<D: Datapath> Driver<D> {
    /// Goes on with stopping, and tells whether it has come to its end.
    pub(super) fn has_stopped(&mut self) -> bool {
        match self.stopping {
            Stopping::No => false,
            Stopping::HandingOver => {
                if !self.all_stopped() {
                    return false;
                }
                // Only now: a neighbour takes over at once from a router that it follows.
                let now = clock::now();
                let until = self.end_sessions().unwrap_or(now);
                self.stopping = Stopping::Farewell(until.min(now + FAREWELL));
                until <= now
            }
            Stopping::Farewell(until) => until <= clock::now(),
        }
    }

    fn all_stopped(&self) -> bool {
        self.orders.is_empty() && self.node.is_idle()
    }
}
