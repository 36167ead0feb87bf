//! Which adverts are news.

use std::net::IpAddr;

use hadp_common::peer::PEERS_PER_ROUTER;

use super::Heard;
use crate::units::Time;

/// What a router has heard so far.
///
/// Adverts reach a router twice and out of order: as events when they change an election, and read from `PEERS` when a
/// deadline is due. Their time of arrival tells what is news.
#[derive(Clone, Debug, Default)]
pub(super) struct Hearing {
    since: Time,
    applied: Time,
    last: Option<Heard>,
    senders: [Option<(IpAddr, Time)>; PEERS_PER_ROUTER],
}

impl Hearing {
    /// Forgets the Active_Down_Timer's past: what arrived before `at` is history.
    pub(super) fn restart(&mut self, at: Time) {
        self.since = at;
        self.applied = at;
    }

    /// Tells whether an advert is another router's, and later than all that was heard of that sender.
    pub(super) fn admit(&mut self, heard: &Heard, own: Option<IpAddr>) -> bool {
        if Some(heard.from) == own || heard.at < self.since || !self.note(heard) {
            return false;
        }
        if self.last.is_none_or(|last| last.at <= heard.at) {
            self.last = Some(*heard);
        }
        true
    }

    /// Tells whether an advert may set Active_Down_Timer: it does not undo what a later one did.
    pub(super) fn apply(&mut self, heard: &Heard) -> bool {
        let newest = heard.at >= self.applied;
        if newest {
            self.applied = heard.at;
        }
        newest
    }

    /// Returns the last advert heard.
    pub(super) fn last(&self) -> Option<&Heard> {
        self.last.as_ref()
    }

    /// Remembers when this sender was heard, in place of the sender heard longest ago when there is no room; false if
    /// this advert, or a later one of the same sender, is known already.
    fn note(&mut self, heard: &Heard) -> bool {
        let known = self.senders.iter_mut().flatten().find(|(from, _)| *from == heard.from);
        if let Some((_, at)) = known {
            let news = heard.at > *at;
            *at = heard.at.max(*at);
            return news;
        }
        // `None` is before every `Some`, so a free place comes first.
        if let Some(place) = self.senders.iter_mut().min_by_key(|place| place.map(|(_, at)| at)) {
            *place = Some((heard.from, heard.at));
        }
        true
    }
}
