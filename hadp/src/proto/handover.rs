//! Giving a router up: make before break where somebody is there to take it.

use super::{Action, Cause, Heard, Next, Reason, Router, State};
use crate::units::Time;

impl Router {
    /// Resigns, and goes on answering until a successor is heard or could not come any more.
    ///
    /// The lease is not renewed from here on.
    pub(super) fn resign(
        &mut self,
        now: Time,
        lease: Time,
        cause: Cause,
        why: Reason,
        out: &mut Vec<Action>,
    ) {
        out.push(Action::SendAdvert { priority: 0 });
        let until = lease.min(now + self.config.handover_span());
        self.enter(now, State::Resigning { until, next: Next::Initialize(cause) }, why, out);
    }

    /// Leaves Active at once because the link is gone. Priority 0 is tried all the same: an address can be missing
    /// from a link that still carries frames.
    pub(super) fn drop_out(&mut self, now: Time, cause: Cause, out: &mut Vec<Action>) {
        out.push(Action::SendAdvert { priority: 0 });
        self.release(now, State::Initialize { cause }, Reason::Fault(cause), out);
    }

    /// Handles an advert while Resigning: whoever advertises after the resignation is the successor.
    pub(super) fn advert_in_resigning(&mut self, now: Time, next: Next, heard: Heard, out: &mut Vec<Action>) {
        if heard.priority == 0 || heard.at <= self.since || Some(heard.from) == self.source {
            return;
        }
        self.finish(now, next, out);
        match next {
            Next::Initialize(_) => {}
            Next::Backup => self.advert_in_backup(heard),
        }
    }

    /// Ends the handover early when something else breaks; the same fault told again changes nothing.
    pub(super) fn fault_in_resigning(&mut self, now: Time, next: Next, cause: Cause, out: &mut Vec<Action>) {
        if next != Next::Initialize(cause) {
            self.release(now, State::Initialize { cause }, Reason::Fault(cause), out);
        }
    }

    /// Ends the handover.
    pub(super) fn finish(&mut self, now: Time, next: Next, out: &mut Vec<Action>) {
        match next {
            Next::Initialize(cause) => {
                self.release(now, State::Initialize { cause }, Reason::HandedOver, out)
            }
            Next::Backup => {
                out.push(Action::SetLease { until: Time::ZERO });
                out.push(Action::ReleaseVips);
                self.hearing.restart(self.since);
                self.listen(now, Reason::HandedOver, out);
            }
        }
    }

    fn release(&mut self, now: Time, state: State, reason: Reason, out: &mut Vec<Action>) {
        out.push(Action::SetLease { until: Time::ZERO });
        out.push(Action::ReleaseVips);
        self.enter(now, state, reason, out);
    }
}
