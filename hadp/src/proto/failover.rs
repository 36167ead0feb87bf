//! Handing over because somebody wants it, and staying available (`hadp failover`).

use super::{Action, Next, Reason, Router, State};
use crate::units::Time;

impl Router {
    /// Resigns on request: whoever takes over keeps the router, and if nobody does, this one goes on.
    ///
    /// Never beyond the lease: priority 0 may not have left, and peers that did not hear it wait no longer than that.
    pub(super) fn resign_on_request(&mut self, now: Time, lease: Time, out: &mut Vec<Action>) {
        out.push(Action::SendAdvert { priority: 0 });
        let until = lease.min(now + self.config.handover_span());
        self.enter(now, State::Resigning { until, next: Next::Available }, Reason::Requested, out);
    }
}
