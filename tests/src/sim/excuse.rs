//! What BFD excuses: takeovers from a router that lives, and is not heard.

use std::time::Duration;

use hadp::{model::LowerPriority, proto::Reason, units::Time};

use super::{
    audit::{Excuse, Span},
    faults::Fault,
    world::World,
};

/// The longest that a Backup leaves others their turn before it takes over by BFD.
const TURNS: Duration = Duration::from_micros(2_550);

impl World {
    /// A Backup takes over from a living router while the BFD path from there is wholly lost. The living one learns that from
    /// the next BFD packet that comes back, or where none does, from the next advert. The same where the path from another
    /// node is lost, which had just taken over in error itself.
    pub(super) fn bfd_excuse(
        &self,
        slot: usize,
        (one, first): (usize, &Span),
        (other, second): (usize, &Span),
        overlap: Duration,
    ) -> Option<Excuse> {
        self.plan.bfd?;
        let until = first.end.min(second.end);
        match second.reason {
            Some(Reason::BfdDown) => {}
            Some(Reason::Resigned) => return self.unanswered(one, (second.start, until), overlap),
            Some(Reason::Preempted) => return self.in_its_turn(slot, one, (other, second), overlap),
            Some(_) | None => return None,
        }
        let (_, delay) = self.plan.bfd_delays();
        let since = second.start - self.plan.detection() - TURNS;
        let margin = (self.plan.max_delay + self.plan.lateness()) * 2 + delay;
        let stands = |host: usize| {
            self.plan.faults.iter().filter(move |fault| {
                let stops = matches!(fault.fault, Fault::Starve | Fault::Stop | Fault::Freeze);
                stops && fault.host == host && fault.at <= until
            })
        };
        // Found late, by a node that stood still: the other one's adverts of now go unheard for a moment.
        if stands(other).any(|fault| fault.until + margin + TURNS >= second.start) && overlap <= margin {
            return Some(Excuse::UnderWay);
        }
        let lost: Vec<usize> =
            (0..self.hosts.len()).filter(|from| self.is_lost((*from, other), second)).collect();
        // Where the living one's own session had fallen before, it is not told.
        let back = self.network.packets_within((other, one), since - delay, until);
        // To go on behind a lapse takes that nothing got through in either direction, since the takeover at the latest.
        if second.reopened && back.iter().any(|(at, arrives)| *arrives && *at <= second.start) {
            return None;
        }
        let told = lost.contains(&one)
            && self.heeds(one, other, second.start)
            && back.iter().all(|(_, arrives)| *arrives)
            && back.iter().any(|(at, _)| *at >= second.start - delay);
        let bound = if told {
            // Its datapath ends what it owns with the packet that says so, which leaves before the other one owns anything.
            let says_so = back.iter().find(|(at, _)| *at >= second.start);
            says_so.map_or(margin + TURNS, |(at, _)| at.since(second.start) + delay)
        } else if stands(one).any(|fault| fault.until >= second.start) {
            // Its lease ends, with the guard going on.
            margin + self.plan.longest_down()
        } else {
            margin + self.plan.interval()
        };
        (!lost.is_empty() && overlap <= bound).then_some(Excuse::Partitioned)
    }

    /// Of two Backups that have found a living router dead by BFD, the one whose turn came later preempts the other: it takes over
    /// from the living one as well.
    fn in_its_turn(
        &self,
        slot: usize,
        one: usize,
        (other, second): (usize, &Span),
        overlap: Duration,
    ) -> Option<Excuse> {
        let spans =
            self.spans.get(slot)?.iter().enumerate().filter(|(third, _)| ![one, other].contains(third));
        let just_before = |span: &Span| {
            let near =
                span.start <= second.start && span.start + TURNS + self.plan.lateness() >= second.start;
            near && span.reason == Some(Reason::BfdDown)
        };
        let preempts = spans.flat_map(|(_, spans)| spans).any(just_before);
        let answer = (self.plan.max_delay + self.plan.lateness()) * 2;
        let bound = if self.answers_no_lower_priority() { answer + self.plan.interval() } else { answer };
        let excused = preempts && self.is_lost((one, other), second) && overlap <= bound;
        excused.then_some(Excuse::Partitioned)
    }

    /// Tells whether a host's datapath heeds what another one says of it: it does not while the host itself takes that one for
    /// dead, and takes over from it.
    fn heeds(&self, host: usize, neighbor: usize, at: Time) -> bool {
        let changes = self.session_changes.iter().rev();
        let mut before =
            changes.filter(|change| (change.host, change.neighbor) == (host, neighbor) && change.at <= at);
        before.next().is_none_or(|change| !change.takes_over)
    }

    /// Tells whether an Active router leaves an advert of lower rank unanswered.
    fn answers_no_lower_priority(&self) -> bool {
        let mut configs = self.plan.routers.iter().flatten();
        configs.any(|config| config.lower_priority == LowerPriority::Discard)
    }

    /// Tells whether a BFD path was wholly lost for the detection time before this takeover.
    fn is_lost(&self, path: (usize, usize), second: &Span) -> bool {
        let (_, delay) = self.plan.bfd_delays();
        let since = second.start - self.plan.detection();
        // What was sent shortly before may be under way, or came while others had their turn; clocks are 1 permil apart.
        let silence = since + self.plan.detection() / 500;
        let heard = self.network.packets_within(path, silence, second.start - delay - TURNS);
        let lost = self.network.packets_within(path, since - delay - TURNS, second.start);
        // A sender whose own session is down says so three times at its pace, and then is silent for longer than that.
        let before = self.network.packets_within(path, Time::ZERO, silence);
        let unsaid = before.last().is_some_and(|(_, arrives)| !arrives);
        heard.iter().all(|(_, arrives)| !arrives) && (unsaid || lost.iter().any(|(_, arrives)| !arrives))
    }

    /// Priority 0 of a router that stepped down sets the timers of all Backups, also of those that follow its successor
    /// already. Where the successor's answer is lost, or overtakes it, a third router takes over; and where lower priorities
    /// are not answered, it hears the successor's next advert first.
    fn unanswered(
        &self,
        successor: usize,
        (start, until): (Time, Time),
        overlap: Duration,
    ) -> Option<Excuse> {
        let since = start - self.plan.longest_down() - self.plan.lateness() * 2;
        let bound = self.plan.interval() + self.plan.max_delay + self.plan.lateness();
        let unanswered = self.answers_no_lower_priority();
        let mut taken = self.network.taken.iter();
        let lost = taken.any(|taken| taken.to == successor && taken.at >= since && taken.at <= until);
        ((lost || unanswered) && overlap <= bound).then_some(Excuse::Partitioned)
    }
}
