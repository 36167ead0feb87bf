//! Initialize and Backup (RFC 9568 §6.4.1, §6.4.2).

use std::{net::IpAddr, time::Duration};

use super::{Action, Cause, DRAIN, Heard, Reason, Router, State};
use crate::{
    model::{Preempt, Version},
    units::{Priority, Time},
};

impl Router {
    /// Starts the protocol: the address owner takes over, any other router listens first.
    pub(super) fn start(&mut self, now: Time, source: IpAddr, out: &mut Vec<Action>) {
        self.set_out(now, source);
        if self.config.priority == Priority::OWNER {
            return self.take_over(now, Reason::Owner, out);
        }
        self.listen(now, Reason::Started, out);
        self.preempt_at = match self.config.preempt {
            Preempt::After(delay) => Some(now + delay),
            Preempt::Always | Preempt::Never => None,
        };
    }

    /// Forgets what was before a start.
    pub(super) fn set_out(&mut self, now: Time, source: IpAddr) {
        self.source = Some(source);
        self.active_interval = self.config.interval;
        self.hearing.restart(now);
        self.unsendable = false;
        self.retrying = false;
        self.following = None;
        self.deferring = false;
        self.owner = None;
        self.patience = Time::ZERO;
    }

    /// Becomes Backup without knowing of an Active router.
    pub(super) fn listen(&mut self, now: Time, reason: Reason, out: &mut Vec<Action>) {
        let active_down = now + self.config.active_down_interval(self.active_interval);
        self.preempt_at = None;
        self.following = None;
        self.retrying = false;
        self.outlook = Reason::ActiveDown;
        self.enter(now, State::Backup { active_down }, reason, out);
    }

    /// Handles an advert while Backup. There is no tie-break by address here (RFC 9568 §6.4.2).
    pub(super) fn advert_in_backup(&mut self, heard: Heard) {
        // Not even noted: whoever is followed was heard last.
        if heard.priority == 0 && self.is_led_by_another(&heard) {
            return;
        }
        if !self.hearing.admit(&heard, self.source) {
            return;
        }
        if heard.priority == 0 {
            if self.hearing.apply(&heard) {
                if self.following == Some(heard.from) {
                    self.following = None;
                    self.deferring = false;
                }
                self.retrying = false;
                let skew = heard.at + self.config.skew(self.active_interval);
                // Who waits for its turn after a death that BFD told is not put off by the last word of the dead.
                let mut active_down = skew;
                if let State::Backup { active_down: turn } = self.state
                    && self.outlook == Reason::BfdDown
                {
                    active_down = turn.min(skew);
                }
                self.outlook = Reason::Resigned;
                self.state = State::Backup { active_down };
            }
        } else if self.preempts(&heard) {
            self.outlook = Reason::Preempted; // the timer runs on, and out
            self.following = self.following.or(Some(heard.from));
        } else if self.hearing.apply(&heard) || self.is_led_on_by(&heard) {
            self.follow(&heard);
        }
    }

    /// Takes a router for the Active one: learns its interval, which v2 does not, and waits for its silence.
    ///
    /// One that has taken over from another has [`DRAIN`] until its silence can be over: it is putting its addresses on, and a
    /// keepalived on a busy machine does not advertise meanwhile, for 40 ms where 10 would be its interval. What clients still
    /// send to the router before is served until then. All who heard its first advert wait alike, and Skew_Time apart.
    pub(super) fn follow(&mut self, heard: &Heard) {
        self.active_interval = match self.config.version {
            Version::V2(_) => self.config.interval,
            Version::V3(_) => heard.interval,
        };
        // Told late, it does not undo that a later one is to be preempted, whose router answers until it hears of that.
        let preempting = self
            .hearing
            .last()
            .is_some_and(|last| last.at > heard.at && last.priority > 0 && self.preempts(last));
        self.outlook = if preempting { Reason::Preempted } else { Reason::ActiveDown };
        self.following = Some(heard.from);
        self.retrying = false;
        self.preempt_at = match self.config.preempt {
            Preempt::After(delay) if heard.priority < self.config.priority.get() => {
                Some(self.preempt_at.unwrap_or(heard.at + delay))
            }
            Preempt::After(_) | Preempt::Always | Preempt::Never => None,
        };
        if self.owner.replace(heard.from).is_some_and(|before| before != heard.from) {
            self.patience = heard.at + DRAIN;
        }
        let silent = heard.at + self.config.silence(self.active_interval);
        let active_down = silent.max(self.patience) + self.config.skew(self.active_interval);
        self.state = State::Backup { active_down };
    }

    /// Handles the death of a router as BFD reports it. What it said before it died does not bring it back.
    ///
    /// An advert that it sends afterwards, or a successor's, calls off what is waited for here. A session that comes up again does
    /// not: the neighbour has been told by then that it was given up, and owns nothing any more.
    pub(super) fn active_down_in_backup(
        &mut self,
        now: Time,
        active_down: Time,
        (from, wait): (IpAddr, Duration),
        out: &mut Vec<Action>,
    ) {
        if self.following != Some(from) {
            return;
        }
        self.following = None;
        self.hearing.bury(from, now);
        self.outlook = Reason::BfdDown;
        let active_down = active_down.min(now + wait);
        self.state = State::Backup { active_down };
        if now >= active_down {
            self.take_over(now, Reason::BfdDown, out);
        }
    }

    /// Stops without a word: a Backup has nothing to give up.
    pub(super) fn stop_listening(&mut self, now: Time, cause: Cause, reason: Reason, out: &mut Vec<Action>) {
        self.enter(now, State::Initialize { cause }, reason, out);
    }

    /// Replaces the cause in Initialize and tells it when it is news; what was shut down on purpose stays so.
    pub(super) fn fault_in_initialize(&mut self, now: Time, old: Cause, new: Cause, out: &mut Vec<Action>) {
        if new != old && old != Cause::Stopped {
            self.enter(now, State::Initialize { cause: new }, Reason::Fault(new), out);
        }
    }

    /// Notes that a router that was not running is not to run.
    pub(super) fn shutdown_in_initialize(&mut self, now: Time, old: Cause, out: &mut Vec<Action>) {
        if old != Cause::Stopped {
            self.enter(now, State::Initialize { cause: Cause::Stopped }, Reason::Shutdown, out);
        }
    }

    /// Tells whether who resigns here is not the Active router: another one is followed, and was heard within its interval.
    ///
    /// RFC 9568 §6.4.2 has any priority 0 set Skew_Time. One that was taken over from says it too, as when BFD told it that it
    /// had been given up, and whoever did is alive: the next one would take over from it. One that is overdue may be the one
    /// that was taken over from, whose successor was not heard: then the letter of the RFC counts.
    fn is_led_by_another(&self, heard: &Heard) -> bool {
        let leader =
            self.following.filter(|leader| *leader != heard.from && self.outlook == Reason::ActiveDown);
        let last = leader.and_then(|leader| self.hearing.heard_at(leader));
        last.is_some_and(|last| heard.at < last + self.active_interval.duration())
    }

    /// Tells whether this advert, told late, shows the same of a resignation that has been applied: who is followed was not
    /// overdue then. Adverts that change nothing are told when a timer is due, so that what is known of it is up to
    /// Active_Down_Interval old.
    fn is_led_on_by(&self, heard: &Heard) -> bool {
        self.outlook == Reason::Resigned
            && self.following == Some(heard.from)
            && self.hearing.applied() < heard.at + self.active_interval.duration()
    }

    /// Tells whether this advert is to be discarded so that the timer runs out and this router takes over. The address
    /// owner always preempts (RFC 9568 §6.1).
    fn preempts(&self, heard: &Heard) -> bool {
        let own = self.config.priority;
        !self.deferring
            && heard.priority < own.get()
            && match self.config.preempt {
                _ if own == Priority::OWNER => true,
                Preempt::Always => true,
                Preempt::Never => false,
                Preempt::After(_) => self.preempt_at.is_some_and(|at| heard.at >= at),
            }
    }
}
