//! What still reaches this node after it has handed a router over.

use std::time::Duration;

use super::{Action, Router};
use crate::units::Time;

/// How long traffic is admitted, and the addresses stay on their interface, after a successor was heard.
///
/// Its advert is all this router knows of it, and what moves the clients, the announcements, comes later: a successor
/// such as keepalived puts its addresses on the interface in between, for a thousand of them some milliseconds. Until
/// then clients send here, and what they sent waits in the queues of their hosts and of the switches. That is done in a
/// few milliseconds on a quiet machine, and took keepalived more than 20 on a busy one, where it waits for the kernel's
/// lock on network configuration; 100 leave room for that, and are soon over where a client never hears the announcement
/// and is to try again.
pub const DRAIN: Duration = Duration::from_nanos(hadp_common::router::DRAIN_NS);

impl Router {
    /// Ends ownership in favour of a successor: nothing is answered any more, but what is under way is still served.
    pub(super) fn pass_on(&mut self, now: Time, out: &mut Vec<Action>) {
        let until = now + DRAIN;
        // First: between the two, for however long this thread does not run, packets would be refused.
        out.push(Action::Drain { until });
        out.push(Action::SetLease { until: Time::ZERO });
        self.drain = Some(until);
    }

    /// Ends ownership with nothing left of it; the datapath may have begun to drain on its own.
    pub(super) fn break_off(&mut self, out: &mut Vec<Action>) {
        out.push(Action::SetLease { until: Time::ZERO });
        out.push(Action::Drain { until: Time::ZERO });
        self.let_go(out);
    }

    /// Ends at once the drain that is under way, if one is.
    pub(super) fn cut_drain(&mut self, out: &mut Vec<Action>) {
        if self.drain.take().is_some() {
            out.push(Action::Drain { until: Time::ZERO });
            self.let_go(out);
        }
    }

    /// Forgets a drain because this router is Active again: the addresses are where they belong.
    pub(super) fn forget_drain(&mut self, out: &mut Vec<Action>) {
        if self.drain.take().is_some() {
            out.push(Action::Drain { until: Time::ZERO });
        }
    }

    /// Takes the addresses off when a drain has ended by itself, as the datapath's has.
    pub(super) fn drained(&mut self, now: Time, out: &mut Vec<Action>) {
        // Those of a takeover that has begun meanwhile are on for that.
        if self.drain.take_if(|until| now >= *until).is_some() && !self.awaits_lease() {
            self.let_go(out);
        }
    }

    /// Has the addresses put on; where they are on already, this changes nothing.
    pub(super) fn hold(&mut self, out: &mut Vec<Action>) {
        self.holding = true;
        out.push(Action::AcquireVips);
    }

    /// Takes the addresses off if they are on.
    pub(super) fn let_go(&mut self, out: &mut Vec<Action>) {
        if std::mem::take(&mut self.holding) {
            out.push(Action::ReleaseVips);
        }
    }
}
