//! Queues that take adverts and do not send them.

use std::time::Duration;

use hadp::{proto::Event, units::Time};

use super::{
    faults::{Fault, Planned},
    mutation::Mutation,
    plan::Plan,
    rng::Rng,
    world::World,
};

/// One run in so many has such queues, and no other fault: what they do together with others is not promised.
const SHARE: u64 = 16;

/// An advert that is kept, and since when by the node's clock.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kept {
    slot: usize,
    priority: u8,
    at: Time,
}

/// Tells whether a run has queues that do not send.
pub fn has_jam(seed: u64) -> bool {
    seed % SHARE == 7
}

/// Puts such queues into a plan: each comes when whoever is Active has been so for a while, since the first advert of a
/// takeover has none before it that could tell.
pub(super) fn draw(plan: &mut Plan) {
    if !has_jam(plan.seed) {
        return;
    }
    let mut rng = Rng::new(!plan.seed);
    (plan.loss, plan.duplicates) = (0, 0);
    plan.faults.clear();
    let interval = plan.interval();
    let settled = interval * 16 + plan.longest_down() * 3;
    let longest = interval.as_nanos() as u64 * 10;
    let mut at = Time::ZERO + settled;
    for _ in 0..1 + rng.below(4) {
        at = at + Duration::from_nanos(rng.below(interval.as_nanos() as u64));
        let until = at + Duration::from_nanos(1 + rng.below(longest));
        let host = rng.below(plan.hosts() as u64) as usize;
        plan.faults.push(Planned { at, until, host, fault: Fault::Jam });
        at = until + settled;
    }
    plan.quiet_at = at;
    plan.rng = rng;
}

impl World {
    /// A host's queue keeps what it takes from now on.
    pub(super) fn jam(&mut self, host: usize) {
        if let Some(this) = self.hosts.get_mut(host) {
            this.jammed = true;
        }
    }

    /// It sends again: what it has kept, or it was emptied.
    pub(super) fn unjam(&mut self, host: usize) {
        let sends = self.rng.below(2) == 0;
        let Some(this) = self.hosts.get_mut(host) else { return };
        this.jammed = false;
        let kept = std::mem::take(&mut this.kept);
        for Kept { slot, priority, .. } in kept.into_iter().filter(|_| sends) {
            self.send(host, slot, priority);
        }
    }

    /// Keeps an advert if the host's queue does; notes when one leaves.
    pub(super) fn keep(&mut self, host: usize, slot: usize, priority: u8) -> bool {
        let at = self.local(host);
        let Some(this) = self.hosts.get_mut(host) else { return false };
        if this.jammed {
            this.kept.push(Kept { slot, priority, at });
        } else if let Some(left) = this.left.get_mut(slot).filter(|_| priority > 0) {
            *left = at;
        }
        this.jammed
    }

    /// Returns what a router is told of its advert if something has been kept for most of an interval.
    pub(super) fn stuck(&self, host: usize, slot: usize, now: Time) -> Option<Event> {
        let this = self.hosts.get(host)?;
        let patience = this.configs.get(slot)?.advert_every() * 3 / 4;
        let is_stuck = this.kept.iter().any(|kept| now.since(kept.at) >= patience);
        match self.mutation {
            _ if !is_stuck => None,
            Some(Mutation::QueueTrusted) => None,
            Some(Mutation::LeaseNotCutBack) => Some(Event::AdvertFailed),
            Some(_) | None => Some(Event::AdvertStuck { left: this.left.get(slot).copied()? }),
        }
    }
}
