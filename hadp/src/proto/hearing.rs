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
#[cfg_attr(feature = "daemon", derive(serde::Deserialize, serde::Serialize))]
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
        if Some(heard.from) == own || heard.at < self.since || !self.remember(heard.from, heard.at) {
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

    /// Returns when the advert arrived that has set Active_Down_Timer.
    pub(super) fn applied(&self) -> Time {
        self.applied
    }

    /// Discounts what a router said until `at`: it was found dead then. What it says later counts.
    pub(super) fn bury(&mut self, from: IpAddr, at: Time) {
        self.remember(from, at);
    }

    /// Returns the last advert heard.
    pub(super) fn last(&self) -> Option<&Heard> {
        self.last.as_ref()
    }

    /// Returns when this sender was last heard, if that is known.
    pub(super) fn heard_at(&self, from: IpAddr) -> Option<Time> {
        self.senders.iter().flatten().find(|(known, _)| *known == from).map(|(_, at)| *at)
    }

    /// Remembers until when this sender has been heard, in place of the sender heard longest ago when there is no room;
    /// false if it has been heard as late, or later, before.
    fn remember(&mut self, from: IpAddr, at: Time) -> bool {
        if let Some((_, last)) = self.senders.iter_mut().flatten().find(|(known, _)| *known == from) {
            let news = at > *last;
            *last = at.max(*last);
            return news;
        }
        // `None` is before every `Some`, so a free place comes first.
        if let Some(place) = self.senders.iter_mut().min_by_key(|place| place.map(|(_, at)| at)) {
            *place = Some((from, at));
        }
        true
    }
}
