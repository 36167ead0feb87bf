//! Taking over in two steps: the lease and the advert, and all the rest once that advert has left.
//!
//! A node that cannot send would otherwise announce the addresses of a router that goes on working.

use std::time::Duration;

use super::{Action, Event, Reason, Router, State, announce::Announcer, lease::Grant};
use crate::units::Time;

/// How long a takeover whose first advert did not leave waits for its second try: a full queue or buffer (ENOBUFS,
/// EAGAIN) has room again by then.
const RETRY: Duration = Duration::from_millis(1);

impl Router {
    /// Becomes Active: what clients wait for comes first. Where another router still answers, that one is to hear of it
    /// first, and the lease comes once the advert has left: its datapath gives way on the spot, and no two answer. The addresses
    /// come even before: from the lease on ARP is answered, and who asked sends at once.
    pub(super) fn take_over(&mut self, now: Time, reason: Reason, out: &mut Vec<Action>) {
        self.easing = None;
        let lease = now + self.config.lease_span();
        let is_first = !is_handover(reason);
        if is_first {
            out.push(Action::SetLease { until: lease });
        } else {
            self.hold(out);
        }
        self.active_interval = self.config.interval;
        let next_advert = self.advertise(now, out);
        if is_first {
            self.forget_drain(out);
        }
        self.grant = Grant { since: now, lease: Time::ZERO, kept: false };
        // What was owed when the router was last Active is void.
        self.announcer = Announcer::default();
        self.state = State::Active { next_advert, lease };
        self.takeover = Some(reason);
        self.following = None;
        self.owner = self.source;
        self.deferring = false;
    }

    /// Tells whether a takeover waits for its advert to leave before it owns anything.
    pub(super) fn awaits_lease(&self) -> bool {
        self.takeover.is_some_and(is_handover)
    }

    /// Orders the rest of a takeover whose first advert has left; for any later advert there is none.
    pub(super) fn complete(&mut self, now: Time, out: &mut Vec<Action>) {
        let Some(reason) = self.takeover.take() else { return };
        self.unsendable = false;
        if !is_handover(reason) {
            self.hold(out);
        }
        self.announcer.begin(now, &self.config, out);
        self.enter(now, self.state, reason, out);
    }

    /// Gives up a takeover none of whose adverts has left as far as is known: it is told to have failed, or something
    /// else is told first.
    pub(super) fn unanswered(&mut self, now: Time, event: Event, out: &mut Vec<Action>) {
        let Some(reason) = self.takeover else { return };
        match event {
            Event::AdvertSent { .. } | Event::Revoked | Event::Timeout => {}
            Event::AdvertFailed if !self.retrying => self.retry(now, reason, out),
            // A queue that does not send is not empty a moment later.
            Event::AdvertStuck { .. }
            | Event::AdvertFailed
            | Event::Startup { .. }
            | Event::Fault(_)
            | Event::Shutdown
            | Event::Resign
            | Event::Resume { .. }
            | Event::ActiveDown { .. }
            | Event::Priority(_)
            | Event::Advert(_) => self.abandon(now, out),
        }
    }

    /// Waits a moment to try once more, without owning anything meanwhile: peers know nothing of this takeover.
    fn retry(&mut self, now: Time, reason: Reason, out: &mut Vec<Action>) {
        self.takeover = None;
        self.retrying = true;
        out.push(Action::SetLease { until: Time::ZERO });
        self.cut_drain(out);
        self.let_go(out);
        self.outlook = reason;
        self.state = State::Backup { active_down: now + RETRY };
    }

    /// Returns from a takeover to Backup, which tries again after Active_Down_Interval.
    ///
    /// That is news once, and again only when an advert has left, or the router was started, in between.
    pub(super) fn abandon(&mut self, now: Time, out: &mut Vec<Action>) {
        self.takeover = None;
        self.retrying = false;
        out.push(Action::SetLease { until: Time::ZERO });
        self.cut_drain(out);
        self.let_go(out);
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

/// Tells whether a takeover is from a router that is there and answers until it hears of it.
fn is_handover(reason: Reason) -> bool {
    matches!(reason, Reason::Preempted | Reason::Resigned)
}
