//! One virtual router's state machine.

use std::net::IpAddr;

use enum_map::EnumMap;

use super::{
    Action, Cause, Config, Event, Heard, Next, Reason, State, Transition, active::Provoking,
    announce::Announcer, hearing::Hearing, lease::Grant, reconfigure::Easing, state::Name,
};
use crate::units::{Centis, Time};

/// A virtual router (RFC 9568 §6).
///
/// The time it is told must not go backwards. The actions of a call are carried out in order before the next call.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "daemon", derive(serde::Deserialize, serde::Serialize))]
pub struct Router {
    pub(super) config: Config,
    pub(super) state: State,
    /// Since when it has been in the state last told.
    pub(super) since: Time,
    /// The state last told, by name: Active is told once an advert has left.
    pub(super) told: Name,
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
    /// Whether the takeover that failed last is to be tried once more, after a moment, or is being tried.
    pub(super) retrying: bool,
    /// In Backup: the router taken for the Active one, unless it has resigned or died.
    pub(super) following: Option<IpAddr>,
    /// Whether it handed over on request, and so does not preempt the successor.
    pub(super) deferring: bool,
    /// Whether the addresses are on their interface, or ordered to be.
    pub(super) holding: bool,
    /// In any state but Active: when they come off because a successor has taken over.
    pub(super) drain: Option<Time>,
    /// Who was last known to be Active, this router included.
    #[cfg_attr(feature = "daemon", serde(default))]
    pub(super) owner: Option<IpAddr>,
    /// In Backup: until when whoever has taken over from that one may be silent.
    #[cfg_attr(feature = "daemon", serde(default))]
    pub(super) patience: Time,
    /// In Active: where to go, and why, once the advert that makes the lease last has left.
    pub(super) leaving: Option<(Next, Reason)>,
    /// In Active and Resigning: what it owns by before any advert of its own has left.
    #[cfg_attr(feature = "daemon", serde(default))]
    pub(super) grant: Grant,
    /// Whether a takeover has failed because no advert left, and this was told.
    pub(super) unsendable: bool,
    /// In Active: from when on another advert of this kind may be answered at once.
    pub(super) answer_at: EnumMap<Provoking, Time>,
    /// In Active: the advert of lower rank that it has just answered, until it is told whether the answer has left.
    #[cfg_attr(feature = "daemon", serde(default))]
    pub(super) contradicted: Option<Heard>,
    /// In Active: the announcements ahead. In other states nobody asks it.
    pub(super) announcer: Announcer,
    /// In Active: the pace that peers may still go by. A takeover begins without.
    #[cfg_attr(feature = "daemon", serde(default))]
    pub(super) easing: Option<Easing>,
}

impl Router {
    /// Builds a router in Initialize.
    pub fn new(config: Config, now: Time) -> Self {
        let state = State::Initialize { cause: Cause::NotStarted };
        Self {
            active_interval: config.interval,
            config,
            told: Name(state.name()),
            state,
            since: now,
            source: None,
            hearing: Hearing::default(),
            preempt_at: None,
            outlook: Reason::ActiveDown,
            takeover: None,
            leaving: None,
            grant: Grant::default(),
            retrying: false,
            following: None,
            deferring: false,
            holding: false,
            drain: None,
            owner: None,
            patience: Time::ZERO,
            unsendable: false,
            answer_at: EnumMap::default(),
            contradicted: None,
            announcer: Announcer::default(),
            easing: None,
        }
    }

    /// Applies one event and appends the actions it orders, to be carried out in that order.
    ///
    /// Reads no clock and never blocks: `now` is the only time it knows. An [`Event::Timeout`] before
    /// [`Self::next_deadline`] is a no-op, so a spurious wake-up is harmless.
    pub fn handle(&mut self, now: Time, event: Event, out: &mut Vec<Action>) {
        let contradicted = self.contradicted.take();
        self.drained(now, out);
        self.cut_back(event, out);
        self.lapse(now, event, out);
        self.stay_no_longer(now, event, out);
        self.unanswered(now, event, out);
        self.cut_short(event, out);
        match (self.state, event) {
            (State::Initialize { .. }, Event::Startup { source }) => self.start(now, source, out),
            (State::Initialize { .. }, Event::Resume { source, lease }) => {
                self.resume(now, source, lease, out)
            }
            (State::Initialize { cause }, Event::Fault(new)) => {
                self.fault_in_initialize(now, cause, new, out)
            }
            (State::Initialize { cause }, Event::Shutdown) => self.shutdown_in_initialize(now, cause, out),
            (
                State::Initialize { .. },
                Event::Advert(_)
                | Event::AdvertSent { .. }
                | Event::AdvertFailed
                | Event::AdvertStuck { .. }
                | Event::Timeout
                | Event::Resign
                | Event::ActiveDown { .. }
                | Event::Revoked,
            ) => {}

            (State::Backup { .. }, Event::Startup { source }) => self.source = Some(source),
            (State::Backup { .. }, Event::Fault(cause)) => {
                self.stop_listening(now, cause, Reason::Fault(cause), out)
            }
            (State::Backup { .. }, Event::Shutdown) => {
                self.stop_listening(now, Cause::Stopped, Reason::Shutdown, out);
            }
            (State::Backup { .. }, Event::Advert(heard)) => self.advert_in_backup(heard),
            (State::Backup { active_down }, Event::ActiveDown { from, wait }) => {
                self.active_down_in_backup(now, active_down, (from, wait), out);
            }
            (State::Backup { active_down }, Event::Timeout) if now >= active_down => {
                self.take_over(now, self.outlook, out);
            }
            (
                State::Backup { .. },
                Event::AdvertSent { .. }
                | Event::AdvertFailed
                | Event::AdvertStuck { .. }
                | Event::Timeout
                | Event::Resign
                | Event::Resume { .. }
                | Event::Revoked,
            ) => {}

            (State::Active { lease, .. }, Event::Startup { source }) => {
                self.restart_in_active(now, lease, source, out);
            }
            (State::Active { .. }, Event::Fault(cause)) if cause.is_link() => self.drop_out(now, cause, out),
            (State::Active { lease, .. }, Event::Fault(cause)) => {
                self.hand_over(now, lease, (Next::Initialize(cause), Reason::Fault(cause)), out);
            }
            (State::Active { lease, .. }, Event::Shutdown) => {
                self.hand_over(now, lease, (Next::Initialize(Cause::Stopped), Reason::Shutdown), out);
            }
            // Whoever takes over keeps the router; if nobody does, this one goes on.
            (State::Active { lease, .. }, Event::Resign) => {
                self.hand_over(now, lease, (Next::Available, Reason::Requested), out);
            }
            (State::Active { next_advert, lease }, Event::Advert(heard)) => {
                self.advert_in_active(now, next_advert, lease, heard, out)
            }
            (State::Active { next_advert, lease }, Event::AdvertSent { at }) => {
                self.renew(now, next_advert, lease, at, out);
            }
            (State::Active { .. }, Event::Revoked) => self.revoked_in_active(now, out),
            (State::Active { next_advert, lease }, Event::Timeout) => {
                self.timeout_in_active(now, next_advert, lease, out);
            }
            (State::Active { .. }, Event::AdvertFailed) => self.give_way(now, contradicted, out),
            // The lease runs out unless a later advert leaves.
            (
                State::Active { .. },
                Event::AdvertStuck { .. } | Event::Resume { .. } | Event::ActiveDown { .. },
            ) => {}

            (State::Resigning { until, next }, Event::Startup { source }) => {
                self.restart_in_resigning(until, next, source);
            }
            (State::Resigning { until, next }, Event::Fault(cause)) => {
                self.fault_in_resigning(now, until, next, cause, out)
            }
            (State::Resigning { until, .. }, Event::Shutdown) => {
                self.state = State::Resigning { until, next: Next::Initialize(Cause::Stopped) };
            }
            (State::Resigning { next, .. }, Event::Advert(heard)) => {
                self.advert_in_resigning(now, next, heard, out);
            }
            (State::Resigning { next, .. }, Event::Revoked) => self.revoked_in_resigning(now, next, out),
            (
                State::Resigning { .. },
                Event::AdvertSent { .. }
                | Event::AdvertFailed
                | Event::AdvertStuck { .. }
                | Event::Timeout
                | Event::Resign
                | Event::Resume { .. }
                | Event::ActiveDown { .. },
            ) => {}

            (
                State::Initialize { .. }
                | State::Backup { .. }
                | State::Active { .. }
                | State::Resigning { .. },
                Event::Priority(priority),
            ) => self.reprioritise(now, priority, out),
        }
    }

    /// Returns when [`Event::Timeout`] is due; after one handled then, it is later or `None`.
    pub fn next_deadline(&self) -> Option<Time> {
        let first = match self.state {
            State::Initialize { .. } => None,
            State::Backup { active_down } => Some(active_down),
            State::Active { next_advert, lease } => {
                self.announcer.next_deadline().into_iter().chain([next_advert, lease]).min()
            }
            State::Resigning { until, .. } => Some(until),
        };
        first.into_iter().chain(self.drain).min()
    }

    /// Tells whether the router neither runs nor has anything left to do: what it held, it has given up.
    pub fn is_idle(&self) -> bool {
        matches!(self.state, State::Initialize { .. }) && self.drain.is_none()
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

    /// In Active: returns when the router decided to be, before any advert of it had left.
    pub fn active_since(&self) -> Time {
        self.grant.since
    }

    /// In Active: tells whether somebody else said that it is, since this router has been.
    pub fn is_contested_by(&self, heard: &Heard) -> bool {
        heard.priority > 0 && heard.at > self.grant.since && Some(heard.from) != self.source
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

    /// Ends a drain at once when there is nothing to drain any more.
    fn cut_short(&mut self, event: Event, out: &mut Vec<Action>) {
        let is_gone = matches!(event, Event::Fault(cause) if cause.is_final());
        if is_gone || event == Event::Revoked {
            self.cut_drain(out);
        }
    }

    /// Changes the state and orders that it be told.
    pub(super) fn enter(&mut self, now: Time, state: State, reason: Reason, out: &mut Vec<Action>) {
        let transition = Transition { from: self.told.0, to: state.name(), reason };
        if transition.from != transition.to {
            self.since = now;
        }
        self.state = state;
        self.told = Name(transition.to);
        out.push(Action::Notify(transition));
    }
}
