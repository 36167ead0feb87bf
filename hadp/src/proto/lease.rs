//! Ownership is a lease: renewed by adverts that left, and over when it is over.
//!
//! # Why no two routers own the addresses
//!
//! With `n` the intervals that peers wait (`down_timer_adverts`, 3 at the most) and `I` the interval:
//!
//! ```text
//!   sent                                   lease ends
//!    |<---------------- n x I ----------------->|
//!    '- transit -> heard                        .     Backup takes over
//!                    |<---------------- n x I --.------>|<- Skew_Time ->|
//! ```
//!
//! The lease runs from *before* the advert was handed to the kernel, a Backup's timer from its arrival: the time between
//! the two, in queues or on the way, only adds to what lies between the end of the lease and the takeover. What is left
//! in the worst case, an advert that takes no time, is the Backup's Skew_Time: at least 2/256 of the interval, since a
//! Backup's priority is 254 at most, and that is all there is for an error of the clocks.
//!
//! - Their *offset* does not matter: every span is measured by one clock, the CLOCK_MONOTONIC of one node.
//! - Their *rates* do: NTP slews each by at most 500 ppm, so two of them are 1 permil apart at most, and a lease of 3
//!   intervals ends by 3 permil of an interval late. Skew_Time is 7.8 permil of it. In v2 it is 2/256 of a second
//!   whatever the interval, so from 2 s on the lease is shortened by what is missing.
//! - Rounding does not: skews are computed in nanoseconds, and the datapath compares the clock itself, or a tick that
//!   is never behind it.
//! - What the kernel takes it may keep: see [`cut_back`](Router::cut_back).
//! - Scheduling does not: the datapath needs nobody to end a lease, and a Backup that is late takes over later.

use super::{Action, Event, Reason, Router, State};
use crate::units::Time;

/// How long an advert may be on its way, as a share of a lease, which is three intervals as a rule.
const FLIGHT: u32 = 24;

/// What a router owns by before any advert of its own has left.
#[derive(Clone, Copy, Debug, Default)]
#[cfg_attr(feature = "daemon", derive(serde::Deserialize, serde::Serialize))]
pub(super) struct Grant {
    /// Since when it is Active, and its adverts count.
    pub(super) since: Time,
    /// The lease that another daemon left it.
    pub(super) lease: Time,
    /// Whether adverts were kept from leaving, and none has renewed the lease since.
    #[cfg_attr(feature = "daemon", serde(default))]
    pub(super) kept: bool,
}

impl Router {
    /// Takes back what adverts have renewed that have not left:
    ///
    /// ```text
    ///   left        kept          due
    ///    |----- I ----|----- I ----|            lease ends
    ///    |<---------------- n x I --------------->|     Backup takes over
    ///    '--- heard --|<---------- n x I --------.------->|<- Skew_Time ->|
    ///                 '- renewed until ---------------- n x I ->|  taken back when the next one is due
    /// ```
    ///
    /// The advert that is kept is found out an interval later, before the lease by the one that left has ended: with `n` of 1,
    /// too, since adverts then go twice as often.
    pub(super) fn cut_back(&mut self, event: Event, out: &mut Vec<Action>) {
        let Event::AdvertStuck { left } = event else { return };
        // Of an earlier reign, it says nothing of this one: a resignation may have followed it.
        let end = match left >= self.grant.since {
            true => left + self.lease_span(),
            false => self.grant.lease.max(self.grant.since),
        };
        match self.state {
            State::Active { next_advert, lease } if end < lease && self.takeover.is_none() => {
                self.state = State::Active { next_advert, lease: end };
                self.grant.kept = true;
                out.push(Action::RenewLease { until: end });
            }
            State::Resigning { until, next } => {
                self.state = State::Resigning { until: until.min(end), next };
            }
            State::Initialize { .. } | State::Backup { .. } | State::Active { .. } => {}
        }
    }

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
        self.ease(at);
        let until = at + self.lease_span();
        if self.awaits_lease() && until >= lease {
            self.state = State::Active { next_advert, lease: until };
            out.push(Action::SetLease { until });
            self.forget_drain(out);
        } else if until > lease && self.arrives(at, lease) {
            self.grant.kept = false;
            self.state = State::Active { next_advert, lease: until };
            out.push(Action::RenewLease { until });
        }
        if until >= lease {
            self.complete(now, out);
        }
        if let (Some(to), State::Active { lease, .. }) = (self.leaving, self.state) {
            self.hand_over(now, lease, to, out);
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
                // No priority 0: who has waited as long as this lease takes over by itself, and is not to be made to wait
                // anew; and who has taken over already may not be able to contradict.
                self.break_off(out);
                // What arrived while this process did not run still counts.
                self.hearing.restart(lease);
                self.listen(now, Reason::LeaseExpired, out);
            }
            State::Resigning { until, next } if now >= until => self.expire(now, next, event, out),
            State::Initialize { .. }
            | State::Backup { .. }
            | State::Active { .. }
            | State::Resigning { .. } => {}
        }
    }

    /// Handles the end of a lease before its time. Whoever the datapath yielded to is told, if not yet, afterwards.
    pub(super) fn revoked_in_active(&mut self, now: Time, out: &mut Vec<Action>) {
        self.takeover = None;
        out.push(Action::SetLease { until: Time::ZERO });
        out.push(Action::Drain { until: Time::ZERO });
        // The lease would have run on: Backups are not to wait for that.
        out.push(Action::SendAdvert { priority: 0 });
        self.let_go(out);
        self.listen(now, Reason::Revoked, out);
    }

    /// Tells whether an event reports late an advert that left in time: no peer has taken over then.
    fn renews(&self, now: Time, lease: Time, event: Event) -> bool {
        let Event::AdvertSent { at } = event else { return false };
        at < lease && self.arrives(at, lease) && at + self.lease_span() > now
    }

    /// Tells whether an advert that leaves at `at` is with the peers before their patience is over. As a rule it has two
    /// intervals for that; behind others that were kept from leaving, what is left of the lease.
    fn arrives(&self, at: Time, lease: Time) -> bool {
        !self.grant.kept || at + self.lease_span() / FLIGHT <= lease
    }
}
