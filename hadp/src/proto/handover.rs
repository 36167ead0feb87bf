//! Giving a router up: make before break where somebody is there to take it.

use std::net::IpAddr;

use super::{Action, Cause, Event, Heard, Next, Reason, Router, State};
use crate::units::Time;

impl Router {
    /// Resigns, and goes on answering until a successor is heard or could not come any more. The lease is not renewed from
    /// here on, since priority 0 may not have left: peers that did not hear it wait no longer than that.
    ///
    /// Where the lease would end before the slowest successor is heard, an advert goes first, which makes it last: peers
    /// wait as much longer.
    pub(super) fn hand_over(&mut self, now: Time, lease: Time, to: (Next, Reason), out: &mut Vec<Action>) {
        let until = now + self.config.handover_span();
        if lease < until && self.leaving.is_none() && self.takeover.is_none() {
            self.leaving = Some(to);
            let next_advert = self.advertise(now, out);
            self.state = State::Active { next_advert, lease };
            return;
        }
        self.leaving = None;
        out.push(Action::SendAdvert { priority: 0 });
        let (next, why) = to;
        self.enter(now, State::Resigning { until: lease.min(until), next }, why, out);
    }

    /// Tells whether this router, still Active, is about to resign: an advert goes first.
    pub fn is_leaving(&self) -> bool {
        self.leaving.is_some()
    }

    /// Resigns before anything else is told, if that was put off for an advert which was not reported on.
    pub(super) fn stay_no_longer(&mut self, now: Time, event: Event, out: &mut Vec<Action>) {
        let (Some(to), State::Active { lease, .. }) = (self.leaving, self.state) else {
            self.leaving = None;
            return;
        };
        if !matches!(event, Event::AdvertSent { .. } | Event::Timeout) {
            self.hand_over(now, lease, to, out);
        }
    }

    /// Leaves Active at once because the link is gone. Priority 0 is tried all the same: an address can be missing
    /// from a link that still carries frames.
    pub(super) fn drop_out(&mut self, now: Time, cause: Cause, out: &mut Vec<Action>) {
        out.push(Action::SendAdvert { priority: 0 });
        self.break_off(out);
        self.enter(now, State::Initialize { cause }, Reason::Fault(cause), out);
    }

    /// Handles an advert while Resigning: whoever advertises after the resignation is the successor.
    pub(super) fn advert_in_resigning(&mut self, now: Time, next: Next, heard: Heard, out: &mut Vec<Action>) {
        if heard.priority == 0 || heard.at <= self.since || Some(heard.from) == self.source {
            return;
        }
        self.pass_on(now, out);
        self.leave(now, next, Reason::HandedOver, out);
        match next {
            Next::Initialize(_) => {}
            Next::Backup | Next::Available => self.advert_in_backup(heard),
        }
    }

    /// Ends the handover early when the link is gone, or when nobody is to be waited for any more; for anything else
    /// there is time until it has ended.
    pub(super) fn fault_in_resigning(
        &mut self,
        now: Time,
        until: Time,
        next: Next,
        cause: Cause,
        out: &mut Vec<Action>,
    ) {
        if cause.is_final() {
            self.break_off(out);
            self.enter(now, State::Initialize { cause }, Reason::Fault(cause), out);
        } else if next != Next::Initialize(Cause::Stopped) {
            self.state = State::Resigning { until, next: Next::Initialize(cause) };
        }
    }

    /// Notes that a router that resigns is to run again afterwards, if it is not to anyway.
    pub(super) fn restart_in_resigning(&mut self, until: Time, next: Next, source: IpAddr) {
        self.source = Some(source);
        let next = match next {
            Next::Initialize(_) | Next::Backup => Next::Backup,
            Next::Available => Next::Available,
        };
        self.state = State::Resigning { until, next };
    }

    /// Ends a handover that nobody took in time. Adverts that arrived are told before a timeout, and perhaps only then.
    pub(super) fn expire(&mut self, now: Time, next: Next, event: Event, out: &mut Vec<Action>) {
        match next {
            Next::Available if event == Event::Timeout => self.take_over(now, Reason::Unclaimed, out),
            Next::Available => {}
            Next::Initialize(_) | Next::Backup => {
                self.break_off(out);
                self.leave(now, next, Reason::HandedOver, out);
            }
        }
    }

    /// Ends a handover because the lease that was left is gone.
    pub(super) fn revoked_in_resigning(&mut self, now: Time, next: Next, out: &mut Vec<Action>) {
        self.break_off(out);
        self.leave(now, next, Reason::Revoked, out);
    }

    /// Goes where a router goes that has handed over.
    fn leave(&mut self, now: Time, next: Next, reason: Reason, out: &mut Vec<Action>) {
        match next {
            Next::Initialize(cause) => self.enter(now, State::Initialize { cause }, reason, out),
            Next::Backup | Next::Available => {
                self.deferring = next == Next::Available;
                self.hearing.restart(self.since);
                self.listen(now, reason, out);
            }
        }
    }
}
