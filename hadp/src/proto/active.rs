//! Active (RFC 9568 §6.4.3).

use std::{cmp::Ordering, net::IpAddr};

use enum_map::Enum;

use super::{Action, Heard, Reason, Router, State, timers::next_tick};
use crate::{model::LowerPriority, units::Time};

/// An advert that an Active router answers.
#[derive(Clone, Copy, Debug, Enum)]
#[cfg_attr(feature = "daemon", derive(serde::Deserialize, serde::Serialize))]
pub(super) enum Provoking {
    /// Priority 0.
    Resignation,
    /// A lower priority, or the same and a lower address.
    LowerPriority,
}

impl Router {
    /// Advertises and announces once more: the source address, the frames or the MAC clients know are new.
    pub(super) fn restart_in_active(
        &mut self,
        now: Time,
        lease: Time,
        source: IpAddr,
        out: &mut Vec<Action>,
    ) {
        self.source = Some(source);
        let next_advert = self.advertise(now, out);
        self.state = State::Active { next_advert, lease };
        self.announcer.again(now, &self.config, out);
    }

    /// Does everything that is due; the lease has been looked after already.
    pub(super) fn timeout_in_active(&mut self, now: Time, due: Time, lease: Time, out: &mut Vec<Action>) {
        if now >= due {
            self.advertise(now, out);
            let next_advert = next_tick(due, self.advert_every(), now);
            self.state = State::Active { next_advert, lease };
        }
        self.announcer.run(now, &self.config, out);
    }

    /// Handles an advert while Active: one of the two routers has to go.
    pub(super) fn advert_in_active(
        &mut self,
        now: Time,
        due: Time,
        lease: Time,
        heard: Heard,
        out: &mut Vec<Action>,
    ) {
        if !self.hearing.admit(&heard, self.source) {
            return;
        }
        if heard.priority == 0 {
            return self.answer(now, due, lease, Provoking::Resignation, out);
        }
        match self.rank(&heard) {
            Ordering::Less => self.assert(now, due, lease, heard, out),
            Ordering::Greater => self.yield_to(now, &heard, out),
            // Only this router's own advert has its address; answering that one would never end.
            Ordering::Equal => {}
        }
    }

    /// Tells whether this router has just answered an Active router of lower rank, which yields when it hears that.
    pub fn has_answered_lower_priority(&self, now: Time) -> bool {
        now < self.answer_at[Provoking::LowerPriority]
    }

    /// Compares another Active router with this one: by priority, then by address, unsigned.
    fn rank(&self, heard: &Heard) -> Ordering {
        heard.priority.cmp(&self.config.priority.get()).then_with(|| Some(heard.from).cmp(&self.source))
    }

    /// Asserts this router against one of lower rank: new in RFC 9568, and what keepalived has always done.
    fn assert(&mut self, now: Time, due: Time, lease: Time, heard: Heard, out: &mut Vec<Action>) {
        match self.config.lower_priority {
            LowerPriority::Advertise => {
                let at_once = now >= self.answer_at[Provoking::LowerPriority];
                self.answer(now, due, lease, Provoking::LowerPriority, out);
                self.contradicted = at_once.then_some(heard);
            }
            LowerPriority::Discard => {}
        }
        self.announcer.lower_priority(now, &self.config, out);
    }

    /// Yields to a router of lower rank whose advert could not be answered: it is heard, and this one is not. It may have
    /// preempted a priority that has been raised since, of which nobody was told. Any other advert that did not leave changes
    /// nothing: the lease runs out unless a later one leaves.
    pub(super) fn give_way(&mut self, now: Time, to: Option<Heard>, out: &mut Vec<Action>) {
        if let Some(heard) = to {
            self.yield_to(now, &heard, out);
        }
    }

    /// Answers an advert with one of its own, at once; but no flood with a flood: a second answer, which is for all that
    /// came after the first, waits for a moment. It is not left out, because who hears priority 0 waits for less than an
    /// interval.
    ///
    /// No answer to a lower priority puts one to a resignation off: two routers that were Active together, one of which
    /// ends that by priority 0, would make a third take over.
    fn answer(&mut self, now: Time, due: Time, lease: Time, what: Provoking, out: &mut Vec<Action>) {
        let answer_at = self.answer_at[what];
        let next_advert = if now >= answer_at {
            self.answer_at[what] = now + self.config.answer_pause();
            self.advertise(now, out)
        } else {
            due.min(answer_at)
        };
        self.state = State::Active { next_advert, lease };
    }

    /// Becomes Backup of a router of higher rank, whatever Preempt_Mode says.
    fn yield_to(&mut self, now: Time, heard: &Heard, out: &mut Vec<Action>) {
        self.pass_on(now, out);
        if self.config.advert_on_yield {
            // The other one hears a lower priority, and announces the addresses once more.
            out.push(Action::SendAdvert { priority: self.config.priority.get() });
        }
        self.hearing.restart(heard.at);
        self.listen(now, Reason::Yielded { from: heard.from, priority: heard.priority }, out);
        self.follow(heard);
    }

    /// Sends an advert and returns when the next one is due if Adver_Timer starts now.
    pub(super) fn advertise(&self, now: Time, out: &mut Vec<Action>) -> Time {
        out.push(Action::SendAdvert { priority: self.config.priority.get() });
        now + self.advert_every()
    }
}
