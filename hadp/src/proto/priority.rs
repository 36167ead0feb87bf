//! A priority that changes with what is tracked.

use super::{Action, Reason, Router, State};
use crate::units::{Priority, Time};

impl Router {
    /// Takes another priority: from now on it decides who preempts whom, and Skew_Time. The address owner's does not
    /// change (RFC 9568 §6.1).
    pub(super) fn reprioritise(&mut self, now: Time, priority: Priority, out: &mut Vec<Action>) {
        if self.config.priority == Priority::OWNER || priority == Priority::OWNER {
            return;
        }
        let old = self.config.skew(self.active_interval);
        let is_news = std::mem::replace(&mut self.config.priority, priority) != priority;
        match self.state {
            State::Backup { active_down } if self.is_waiting_for_silence() => {
                let active_down = active_down - old + self.config.skew(self.active_interval);
                self.state = State::Backup { active_down };
            }
            // At once: it may be that another router has to take over now.
            State::Active { lease, .. } if is_news => {
                let next_advert = self.advertise(now, out);
                self.state = State::Active { next_advert, lease };
            }
            State::Initialize { .. }
            | State::Backup { .. }
            | State::Active { .. }
            | State::Resigning { .. } => {}
        }
    }

    /// Tells whether the wait in Backup is one of the protocol's, with a Skew_Time in it.
    pub(super) fn is_waiting_for_silence(&self) -> bool {
        self.outlook != Reason::BfdDown && !self.retrying
    }
}
