//! Handing over because somebody wants it, and staying available (`hadp failover`).

use super::{Action, Next, Reason, Router};
use crate::units::Time;

impl Router {
    /// Resigns on request: whoever takes over keeps the router, and if nobody does, this one goes on.
    ///
    /// Never beyond the lease: priority 0 may not have left, and peers that did not hear it wait no longer than that.
    pub(super) fn resign_on_request(&mut self, now: Time, lease: Time, out: &mut Vec<Action>) {
        self.hand_over(now, lease, (Next::Available, Reason::Requested), out);
    }
}
