//! One virtual router's state machine.

use std::net::IpAddr;

use super::{
    Action, Cause, Config, Event, Heard, Next, Reason, State, Transition, announce::Announcer,
    hearing::Hearing,
};
use crate::units::{Centis, Time};

/// A virtual router (RFC 9568 §6).
///
/// The time it is told must not go backwards. The actions of a call are carried out in order before the next call.
#[derive(Clone, Debug)]
pub struct Router {
    pub(super) config: Config,
    pub(super) state: State,
    /// Since when it has been in the state last told.
    pub(super) since: Time,
    /// The state last told, by name: Active is told once an advert has left.
    pub(super) told: &'static str,
    /// The address adverts are sent from, once started.
    pub(super) source: Option<IpAddr>,
    /// Active_Adver_Interval: the interval of the Active router, as far as known.
    pub(super) active_interval: Centis,
    pub(super) hearing: Hearing,
    /// In Backup with `preempt_delay`: from when on adverts of lower priority no longer reset the timer. `None` until
    /// the wait has begun.
    pub(super) preempt_at: Option<Time>,
    /// In Backup: what a takeover would be for.
    pub(super) outlook: Reason,
    /// In Active until an advert of this takeover has left: why it takes over.
    pub(super) takeover: Option<Reason>,
    /// Whether a takeover has failed because no advert left, and this was told.
    pub(super) unsendable: bool,
    /// In Active: from when on another advert may be answered at once.
    pub(super) answer_at: Time,
    /// In Active: the announcements ahead. In other states nobody asks it.
    pub(super) announcer: Announcer,
}

impl Router {
    /// Builds a router in Initialize.
    pub fn new(config: Config, now: Time) -> Self {
        let state = State::Initialize { cause: Cause::NotStarted };
        Self {
            active_interval: config.interval,
            config,
            told: state.name(),
            state,
            since: now,
            source: None,
            hearing: Hearing::default(),
            preempt_at: None,
            outlook: Reason::ActiveDown,
            takeover: None,
            unsendable: false,
            answer_at: Time::ZERO,
            announcer: Announcer::default(),
        }
    }

    /// Applies one event and appends the actions it orders, to be carried out in that order.
    ///
    /// Reads no clock and never blocks: `now` is the only time it knows. An [`Event::Timeout`] before
    /// [`Self::next_deadline`] is a no-op, so a spurious wake-up is harmless.
    pub fn handle(&mut self, now: Time, event: Event, out: &mut Vec<Action>) {
        self.lapse(now, event, out);
        self.unanswered(now, event, out);
        match (self.state, event) {
            (State::Initialize { .. }, Event::Startup { source }) => self.start(now, source, out),
            (State::Initialize { cause }, Event::Fault(new)) => {
                self.fault_in_initialize(now, cause, new, out)
            }
            (State::Initialize { cause }, Event::Shutdown) => self.shutdown_in_initialize(now, cause, out),
            (
                State::Initialize { .. },
                Event::Advert(_)
                | Event::AdvertSent { .. }
                | Event::AdvertFailed
                | Event::Timeout
                | Event::Resign
                | Event::Resume { .. }
                | Event::ActiveDown { .. }
                | Event::Revoked
                | Event::Priority(_),
            ) => {}

            (State::Backup { .. }, Event::Startup { source }) => self.source = Some(source),
            (State::Backup { .. }, Event::Fault(cause)) => {
                self.stop_listening(now, cause, Reason::Fault(cause), out)
            }
            (State::Backup { .. }, Event::Shutdown) => {
                self.stop_listening(now, Cause::Stopped, Reason::Shutdown, out);
            }
            (State::Backup { .. }, Event::Advert(heard)) => self.advert_in_backup(heard),
            (State::Backup { active_down }, Event::Timeout) if now >= active_down => {
                self.take_over(now, self.outlook, out);
            }
            (
                State::Backup { .. },
                Event::AdvertSent { .. }
                | Event::AdvertFailed
                | Event::Timeout
                | Event::Resign
                | Event::Resume { .. }
                | Event::ActiveDown { .. }
                | Event::Revoked
                | Event::Priority(_),
            ) => {}

            (State::Active { lease, .. }, Event::Startup { source }) => {
                self.restart_in_active(now, lease, source, out);
            }
            (State::Active { .. }, Event::Fault(cause)) if cause.is_link() => self.drop_out(now, cause, out),
            (State::Active { lease, .. }, Event::Fault(cause)) => {
                self.resign(now, lease, cause, Reason::Fault(cause), out);
            }
            (State::Active { lease, .. }, Event::Shutdown) => {
                self.resign(now, lease, Cause::Stopped, Reason::Shutdown, out);
            }
            (State::Active { next_advert, lease }, Event::Advert(heard)) => {
                self.advert_in_active(now, next_advert, lease, heard, out)
            }
            (State::Active { next_advert, lease }, Event::AdvertSent { at }) => {
                self.renew(now, next_advert, lease, at, out);
            }
            // The lease runs out unless a later advert leaves.
            (
                State::Active { .. },
                Event::AdvertFailed
                | Event::Resign
                | Event::Resume { .. }
                | Event::ActiveDown { .. }
                | Event::Revoked
                | Event::Priority(_),
            ) => {}
            (State::Active { next_advert, lease }, Event::Timeout) => {
                self.timeout_in_active(now, next_advert, lease, out);
            }

            (State::Resigning { until, .. }, Event::Startup { source }) => {
                self.source = Some(source);
                self.state = State::Resigning { until, next: Next::Backup };
            }
            (State::Resigning { next, .. }, Event::Fault(cause)) => {
                self.fault_in_resigning(now, next, cause, out)
            }
            (State::Resigning { until, .. }, Event::Shutdown) => {
                self.state = State::Resigning { until, next: Next::Initialize(Cause::Stopped) };
            }
            (State::Resigning { next, .. }, Event::Advert(heard)) => {
                self.advert_in_resigning(now, next, heard, out);
            }
            (
                State::Resigning { .. },
                Event::AdvertSent { .. }
                | Event::AdvertFailed
                | Event::Timeout
                | Event::Resign
                | Event::Resume { .. }
                | Event::ActiveDown { .. }
                | Event::Revoked
                | Event::Priority(_),
            ) => {}
        }
    }

    /// Returns when [`Event::Timeout`] is due; after one handled then, it is later or `None`.
    pub fn next_deadline(&self) -> Option<Time> {
        match self.state {
            State::Initialize { .. } => None,
            State::Backup { active_down } => Some(active_down),
            State::Active { next_advert, lease } => {
                let first = next_advert.min(lease);
                Some(self.announcer.next_deadline().map_or(first, |announce| announce.min(first)))
            }
            State::Resigning { until, .. } => Some(until),
        }
    }

    /// Returns the state.
    pub fn state(&self) -> State {
        self.state
    }

    /// Returns the configuration.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Returns since when the router has been in this state.
    pub fn since(&self) -> Time {
        self.since
    }

    /// Returns the address adverts are sent from, `None` before the first start.
    pub fn source(&self) -> Option<IpAddr> {
        self.source
    }

    /// Returns Active_Adver_Interval: the Active router's interval, learned from its adverts in v3.
    pub fn active_interval(&self) -> Centis {
        self.active_interval
    }

    /// Returns the last advert heard of another router, which in Backup is the Active router's; priority 0 says that
    /// it resigned.
    pub fn last_heard(&self) -> Option<&Heard> {
        self.hearing.last()
    }

    /// Changes the state and orders that it be told.
    pub(super) fn enter(&mut self, now: Time, state: State, reason: Reason, out: &mut Vec<Action>) {
        let transition = Transition { from: self.told, to: state.name(), reason };
        if transition.from != transition.to {
            self.since = now;
        }
        self.state = state;
        self.told = transition.to;
        out.push(Action::Notify(transition));
    }
}
