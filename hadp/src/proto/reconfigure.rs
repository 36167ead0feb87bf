//! A configuration that changes while the router runs (a reload): no transition, and nothing promised that peers do not know.
//!
//! # A lease and two intervals
//!
//! Peers wait as long as the interval of the last advert they have *heard* tells them. So, where an Active router changes
//! its own:
//!
//! ```text
//!   shorter:  lease cut ─► advert with the new interval ─► adverts and leases by the new one
//!                          who hears it waits for less from here on, and the lease is no longer than that already
//!   longer:   adverts with the new interval, at the pace and with leases of the old one ─────► the new pace, long leases
//!             |<-- as long as somebody can wait who has heard none of them, at the old one -->|
//! ```
//!
//! One lost advert is thus worth no more than in any other moment.

use std::{ops::Range, time::Duration};

use super::{Action, Config, Reason, Router, State};
use crate::{
    model::{Preempt, Version},
    units::{Priority, Time},
};

/// What a reload makes of a router.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Reconfiguration {
    /// The new configuration: of the same version, and of the address owner only where it was one before.
    pub config: Config,
    /// Whether the virtual addresses are others.
    pub addresses: Addresses,
}

/// What becomes of a router's virtual addresses.
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "daemon", derive(serde::Deserialize, serde::Serialize))]
pub enum Addresses {
    /// They stay as they are, on their interfaces, in their order.
    Same,
    /// Others are to be on the interfaces.
    Changed {
        /// Which of them are new there, as places in the new list.
        new: Vec<Range<usize>>,
    },
}

/// In Active, after the interval became longer: the pace and the leases before, for as long as peers may go by them.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "daemon", derive(serde::Deserialize, serde::Serialize))]
pub(super) struct Easing {
    #[cfg_attr(feature = "daemon", serde(with = "crate::units::nanos"))]
    every: Duration,
    #[cfg_attr(feature = "daemon", serde(with = "crate::units::nanos"))]
    span: Duration,
    /// How long a peer can wait that knows nothing of the new interval.
    #[cfg_attr(feature = "daemon", serde(with = "crate::units::nanos"))]
    wait: Duration,
    /// When that is over, once an advert with the new interval has left.
    until: Option<Time>,
}

impl Router {
    /// Takes up a changed configuration. The frames are the new ones already; what became of every advert before them has been
    /// told.
    ///
    /// A router of another version, or one that becomes the address owner or ceases to be it, is another router to its peers:
    /// nothing happens then.
    pub fn reconfigure(&mut self, now: Time, change: Reconfiguration, out: &mut Vec<Action>) {
        let Reconfiguration { config, addresses } = change;
        let is_owner = |config: &Config| config.priority == Priority::OWNER;
        if config.version.number() != self.config.version.number()
            || is_owner(&config) != is_owner(&self.config)
        {
            return;
        }
        match self.state {
            // It starts with what is configured then; a lease that is being handed over is not renewed.
            State::Initialize { .. } | State::Resigning { .. } => self.config = config,
            State::Backup { active_down } => self.reconfigure_in_backup(active_down, config),
            State::Active { lease, .. } => self.reconfigure_in_active(now, lease, config, &addresses, out),
        }
    }

    /// Counts the wait for silence by the new configuration, from when it began.
    ///
    /// Who is followed has told its interval, in v3; where nobody is, the own one counts. After an advert that gave
    /// [`patience`](Self::patience) the wait may come out longer than it had to be, never shorter.
    fn reconfigure_in_backup(&mut self, active_down: Time, config: Config) {
        let old = std::mem::replace(&mut self.config, config);
        let before = self.active_interval;
        let is_learned = match self.config.version {
            Version::V2(_) => false,
            Version::V3(_) => self.following.is_some() || self.outlook != Reason::ActiveDown,
        };
        if !is_learned && before == old.interval {
            self.active_interval = self.config.interval;
        }
        self.preempt_at = match (old.preempt, self.config.preempt) {
            (Preempt::After(old), Preempt::After(new)) => self.preempt_at.map(|at| at - old + new),
            // It begins with the next advert of lower priority.
            (Preempt::Always | Preempt::Never, Preempt::After(_)) | (_, Preempt::Always | Preempt::Never) => {
                None
            }
        };
        let active_down = if !self.is_waiting_for_silence() {
            active_down // not the protocol's wait
        } else if self.outlook == Reason::Resigned {
            active_down - old.skew(before) + self.config.skew(self.active_interval)
        } else {
            let since = active_down - old.active_down_interval(before);
            let silent = since + self.config.silence(self.active_interval);
            silent.max(self.patience) + self.config.skew(self.active_interval)
        };
        self.state = State::Backup { active_down };
    }

    fn reconfigure_in_active(
        &mut self,
        now: Time,
        lease: Time,
        config: Config,
        addresses: &Addresses,
        out: &mut Vec<Action>,
    ) {
        let (every, span) = (self.advert_every(), self.lease_span());
        let wait = self.config.silence(self.config.interval) + self.config.interval.duration();
        let wait = wait.max(self.easing.map_or(Duration::ZERO, |easing| easing.wait));
        let old = std::mem::replace(&mut self.config, config);
        self.active_interval = self.config.interval;
        let mut lease = lease;
        if self.config.lease_span() > span {
            let every = every.min(self.config.advert_every());
            self.easing = Some(Easing { every, span, wait, until: None });
        } else {
            self.easing = None;
            let shorter = now + self.config.lease_span();
            if shorter < lease {
                // Before the advert: were this process stopped behind it, the lease would outlive its peers' patience.
                lease = shorter;
                out.push(Action::RenewLease { until: lease });
            }
        }
        let next_advert = self.advertise(now, out);
        self.state = State::Active { next_advert, lease };
        self.announcer.reconfigure(now, &old, &self.config, out);
        if let Addresses::Changed { new } = addresses {
            if self.holding {
                self.hold(out);
            }
            if self.takeover.is_none() {
                self.announcer.added(now, new, &self.config, out);
            }
        }
    }

    /// Returns how long Adver_Timer runs now.
    pub(super) fn advert_every(&self) -> Duration {
        let every = self.config.advert_every();
        self.easing.map_or(every, |easing| every.min(easing.every))
    }

    /// Returns how long a lease lasts from an advert on.
    pub(super) fn lease_span(&self) -> Duration {
        let span = self.config.lease_span();
        self.easing.map_or(span, |easing| span.min(easing.span))
    }

    /// Notes that an advert left at `at`: peers know the new interval, or have given up waiting by the old one.
    pub(super) fn ease(&mut self, at: Time) {
        let Some(easing) = &mut self.easing else { return };
        let until = *easing.until.get_or_insert(at + easing.wait);
        if at >= until {
            self.easing = None;
        }
    }
}
