//! Taking over in two steps: the lease and the advert, and all the rest once that advert has left.
//!
//! A node that cannot send would otherwise announce the addresses of a router that goes on working.

use super::{Action, Event, Reason, Router, State, announce::Announcer};
use crate::units::Time;

impl Router {
    /// Becomes Active: what clients wait for comes first.
    pub(super) fn take_over(&mut self, now: Time, reason: Reason, out: &mut Vec<Action>) {
        let lease = now + self.config.lease_span();
        out.push(Action::SetLease { until: lease });
        self.active_interval = self.config.interval;
        let next_advert = self.advertise(now, out);
        // What was owed when the router was last Active is void.
        self.announcer = Announcer::default();
        self.state = State::Active { next_advert, lease };
        self.takeover = Some(reason);
    }

    /// Orders the rest of a takeover whose first advert has left; for any later advert there is none.
    pub(super) fn complete(&mut self, now: Time, out: &mut Vec<Action>) {
        let Some(reason) = self.takeover.take() else { return };
        self.unsendable = false;
        self.announcer.begin(now, &self.config, out);
        out.push(Action::AcquireVips);
        self.enter(now, self.state, reason, out);
    }

    /// Gives up a takeover none of whose adverts has left as far as is known: it is told to have failed, or something
    /// else is told first.
    pub(super) fn unanswered(&mut self, now: Time, event: Event, out: &mut Vec<Action>) {
        match event {
            Event::AdvertSent { .. } | Event::Timeout => {}
            Event::AdvertFailed
            | Event::Startup { .. }
            | Event::Fault(_)
            | Event::Shutdown
            | Event::Resign
            | Event::Resume { .. }
            | Event::ActiveDown { .. }
            | Event::Revoked
            | Event::Priority(_)
            | Event::Advert(_) => {
                if self.takeover.is_some() {
                    self.abandon(now, out);
                }
            }
        }
    }

    /// Returns from a takeover to Backup, which tries again after Active_Down_Interval.
    ///
    /// That is news once, and again only when an advert has left, or the router was started, in between.
    pub(super) fn abandon(&mut self, now: Time, out: &mut Vec<Action>) {
        self.takeover = None;
        out.push(Action::SetLease { until: Time::ZERO });
        let active_down = now + self.config.active_down_interval(self.active_interval);
        let state = State::Backup { active_down };
        self.outlook = Reason::ActiveDown;
        if self.unsendable {
            self.state = state;
        } else {
            self.unsendable = true;
            self.enter(now, state, Reason::Unsendable, out);
        }
    }
}
