//! Handing over because somebody wants it, and staying available (`hadp failover`).

use super::{Action, Next, Reason, Router, State, timers::HANDOVER_MARGIN};
use crate::units::Time;

impl Router {
    /// Resigns on request: whoever takes over keeps the router, and if nobody does, this one goes on.
    ///
    /// The lease is made to last a little beyond the time successors have, so that going on leaves no gap. Should this
    /// process die meanwhile, the datapath answers no longer than it would after an ordinary advert: some three intervals.
    pub(super) fn resign_on_request(&mut self, now: Time, lease: Time, out: &mut Vec<Action>) {
        out.push(Action::SendAdvert { priority: 0 });
        let until = now + self.config.handover_span();
        if lease < until + HANDOVER_MARGIN {
            out.push(Action::RenewLease { until: until + HANDOVER_MARGIN });
        }
        self.enter(now, State::Resigning { until, next: Next::Available }, Reason::Requested, out);
    }
}
