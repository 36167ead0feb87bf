//! Ownership is a lease: renewed by adverts that left, and over when it is over.

use super::{Action, Event, Reason, Router, State};
use crate::units::Time;

impl Router {
    /// Extends the lease after an advert left at `at`: peers wait this long from there before they take over.
    ///
    /// An older report does not shorten it, and is not about an advert of this takeover.
    pub(super) fn renew(
        &mut self,
        now: Time,
        next_advert: Time,
        lease: Time,
        at: Time,
        out: &mut Vec<Action>,
    ) {
        let until = at + self.config.lease_span();
        if until > lease {
            self.state = State::Active { next_advert, lease: until };
            out.push(Action::SetLease { until });
        }
        if until >= lease {
            self.complete(now, out);
        }
    }

    /// Catches up with a lease that has run out, before anything else is considered.
    ///
    /// The datapath has stopped answering already, and a Backup may have taken over: adverts could not be sent, or this
    /// process did not run.
    pub(super) fn lapse(&mut self, now: Time, event: Event, out: &mut Vec<Action>) {
        match self.state {
            State::Active { lease, .. } if now >= lease && !self.renews(now, lease, event) => {
                if self.takeover.is_some() {
                    return self.abandon(now, out);
                }
                out.push(Action::SetLease { until: Time::ZERO });
                out.push(Action::ReleaseVips);
                // What arrived while this process did not run still counts.
                self.hearing.restart(lease);
                self.listen(now, Reason::LeaseExpired, out);
            }
            State::Resigning { until, next } if now >= until => self.finish(now, next, out),
            State::Initialize { .. }
            | State::Backup { .. }
            | State::Active { .. }
            | State::Resigning { .. } => {}
        }
    }

    /// Tells whether an event reports late an advert that left in time: no peer has taken over then.
    fn renews(&self, now: Time, lease: Time, event: Event) -> bool {
        match event {
            Event::AdvertSent { at } => at < lease && at + self.config.lease_span() > now,
            Event::Startup { .. }
            | Event::Fault(_)
            | Event::Shutdown
            | Event::Advert(_)
            | Event::AdvertFailed
            | Event::Resign
            | Event::Resume { .. }
            | Event::ActiveDown { .. }
            | Event::Revoked
            | Event::Priority(_)
            | Event::Timeout => false,
        }
    }
}
