//! What the election thread knows of a router besides its state machine.

use std::{collections::BTreeMap, net::IpAddr, sync::Arc, time::Duration};

use hadp_common::peer::PEERS_PER_ROUTER;
use tokio::sync::oneshot;

use super::{
    clock,
    messages::{Handover, Mismatch, Takeover},
    placer::Placed,
};
use crate::{
    net::address_set::AddressSet,
    proto::{AddressList, Heard},
    units::{Centis, Time},
};

/// How long after a reported difference the next one is reported at the earliest.
const MISMATCH_PAUSE: Duration = Duration::from_secs(1);

/// One router's surroundings; its state machine is in the node.
#[derive(Debug, Default)]
pub(super) struct Attached {
    /// Since when adverts count. What was told before is not remembered here: the state machine knows each sender's
    /// last advert.
    since: Time,
    /// The difference last reported of each sender, so that it is reported once.
    mismatches: BTreeMap<IpAddr, Mismatch>,
    /// When the next one may be reported.
    mismatch_after: Time,
    /// The lease as it was last stored.
    lease: Time,
    /// How the last takeover went.
    takeover: Option<Takeover>,
    /// How many announcements have left since.
    announced: usize,
    /// The addresses, as they are put on and taken off.
    pub(super) addresses: Option<Arc<AddressSet>>,
    /// The number of the last acquisition.
    acquisition: u64,
    /// Whether it takes over where nobody serves any more.
    pub(super) alone: bool,
    /// Who waits to hear what becomes of a handover, and since when, the first one first.
    pub(super) asked: Vec<(Time, oneshot::Sender<Handover>)>,
}

impl Attached {
    /// Starts without a lease; adverts count from `since` on.
    pub(super) fn new(since: Time) -> Self {
        Self { since, ..Self::default() }
    }

    /// Notes the lease that another daemon left; to go on with it is no takeover.
    pub(super) fn resume(&mut self, lease: Time) {
        self.lease = lease;
    }

    /// Returns since when adverts count.
    pub(super) fn since(&self) -> Time {
        self.since
    }

    /// Returns how the last takeover went.
    pub(super) fn takeover(&self) -> Option<Takeover> {
        self.takeover
    }

    /// Notes when a takeover was decided and stored; a renewal is none.
    pub(super) fn note_lease(&mut self, until: Time, decided: Time) {
        if self.lease == Time::ZERO && until != Time::ZERO {
            self.announced = 0;
            let (stored, advertised, placed, announced) = (clock::now(), None, None, None);
            self.takeover = Some(Takeover { decided, stored, advertised, placed, announced });
        }
        self.lease = until;
    }

    /// Tells whether it owned when its lease was last stored.
    pub(super) fn has_lease(&self) -> bool {
        self.lease != Time::ZERO
    }

    /// Tells whether the first advert of a takeover has yet to leave.
    pub(super) fn is_taking_over(&self) -> bool {
        self.has_lease() && self.takeover.is_some_and(|takeover| takeover.advertised.is_none())
    }

    /// Notes when the first advert of a takeover had left.
    pub(super) fn note_advert(&mut self, at: Time) {
        if let Some(takeover) = &mut self.takeover {
            takeover.advertised.get_or_insert(at);
        }
    }

    /// Numbers the next acquisition of the addresses.
    pub(super) fn acquire(&mut self) -> u64 {
        self.acquisition += 1;
        self.acquisition
    }

    /// Notes how far an acquisition has come.
    pub(super) fn note_placed(&mut self, placed: Placed) {
        let total = self.addresses.as_ref().map_or(0, |addresses| addresses.len());
        if let Some(takeover) = &mut self.takeover
            && placed.number == self.acquisition
            && placed.count >= total
        {
            takeover.placed.get_or_insert(placed.at);
        }
    }

    /// Notes that `count` more of `total` announcements had left by `at`.
    pub(super) fn note_announced(&mut self, count: usize, total: usize, at: Time) {
        self.announced = self.announced.saturating_add(count);
        if let Some(takeover) = &mut self.takeover
            && self.announced >= total
        {
            takeover.announced.get_or_insert(at);
        }
    }

    /// Returns how an advert differs, if that is to be reported: once for each sender and difference, and at most once a
    /// second, however many senders somebody makes up.
    pub(super) fn note_mismatch(&mut self, heard: &Heard, interval: Option<Centis>) -> Option<Mismatch> {
        let differs = if heard.addresses == AddressList::Differs {
            Some(Mismatch::Addresses)
        } else if interval.is_some_and(|interval| interval != heard.interval) {
            Some(Mismatch::Interval { theirs_cs: heard.interval.get() })
        } else {
            None
        };
        let Some(what) = differs.filter(|_| heard.priority > 0) else {
            if differs.is_none() {
                self.mismatches.remove(&heard.from);
            }
            return None;
        };
        if self.mismatches.get(&heard.from) == Some(&what) || heard.at < self.mismatch_after {
            return None;
        }
        if self.mismatches.len() >= PEERS_PER_ROUTER {
            self.mismatches.clear();
        }
        self.mismatches.insert(heard.from, what);
        self.mismatch_after = heard.at + MISMATCH_PAUSE;
        Some(what)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(at: u64, last: u8, centis: u16, addresses: AddressList) -> Heard {
        let interval = Centis::new(centis).unwrap();
        Heard {
            at: Time::from_nanos(at),
            from: IpAddr::from([10, 77, 0, last]),
            priority: 100,
            interval,
            addresses,
        }
    }

    #[test]
    fn a_difference_is_reported_once_a_sender_and_once_a_second_at_most() {
        const SECOND: u64 = 1_000_000_000;
        let ours = Some(Centis::SECOND);
        let mut attached = Attached::new(Time::ZERO);
        let mut note =
            |at, last, centis, addresses| attached.note_mismatch(&heard(at, last, centis, addresses), ours);
        let interval = Some(Mismatch::Interval { theirs_cs: 50 });
        assert_eq!(note(1, 1, 100, AddressList::Same), None);
        assert_eq!(note(2, 1, 50, AddressList::Same), interval);
        assert_eq!(note(3 * SECOND, 1, 50, AddressList::Same), None, "told already");
        assert_eq!(note(3 * SECOND, 2, 50, AddressList::Same), interval, "another sender");
        assert_eq!(note(3 * SECOND + 1, 3, 50, AddressList::Same), None, "too soon");
        assert_eq!(note(5 * SECOND, 1, 50, AddressList::Differs), Some(Mismatch::Addresses));
        assert_eq!(note(7 * SECOND, 1, 100, AddressList::Same), None, "mended");
        assert_eq!(note(8 * SECOND, 1, 50, AddressList::Same), interval, "and broken again");
    }
}
