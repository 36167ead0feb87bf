//! What the placer has still to do.

use std::{collections::VecDeque, sync::Arc};

use crate::{
    net::address_set::{AddressSet, Change},
    proto::Slot,
};

/// A change of all of a router's addresses.
#[derive(Debug)]
pub(super) struct Job {
    /// Whose.
    pub(super) slot: Slot,
    /// The addresses.
    pub(super) addresses: Arc<AddressSet>,
    /// What to do with them.
    pub(super) change: Change,
    /// The next chunk.
    pub(super) next: usize,
    /// Under which number progress is reported.
    pub(super) number: Option<u64>,
    /// Whether everything should be in place already.
    pub(super) is_repair: bool,
}

impl Job {
    pub(super) fn new(slot: Slot, addresses: Arc<AddressSet>, change: Change) -> Self {
        Self { slot, addresses, change, next: 0, number: None, is_repair: false }
    }

    pub(super) fn reporting(self, number: u64) -> Self {
        Self { number: Some(number), ..self }
    }

    pub(super) fn repairing(self) -> Self {
        Self { is_repair: true, ..self }
    }
}

/// The jobs, at most one for each router; they take turns, a chunk each.
#[derive(Debug, Default)]
pub(super) struct Jobs {
    queue: VecDeque<Job>,
}

impl Jobs {
    /// Adds a job, in place of what was to be done for this router so far: each goes over all the addresses.
    pub(super) fn push(&mut self, job: Job) {
        self.queue.retain(|other| other.slot != job.slot);
        self.queue.push_back(job);
    }

    /// Puts back a job whose turn is over.
    pub(super) fn resume(&mut self, job: Job) {
        self.queue.push_back(job);
    }

    /// Takes the job whose turn it is.
    pub(super) fn pop(&mut self) -> Option<Job> {
        self.queue.pop_front()
    }

    /// Tells whether there is something to do for a router.
    pub(super) fn has(&self, slot: Slot) -> bool {
        self.queue.iter().any(|job| job.slot == slot)
    }

    /// Tells whether there is nothing to do.
    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_word_on_a_router_counts() {
        let addresses = Arc::new(AddressSet::new(Vec::new()));
        let job = |slot, change| Job::new(Slot::new(slot).unwrap(), Arc::clone(&addresses), change);
        let mut jobs = Jobs::default();
        jobs.push(job(1, Change::Add).reporting(5));
        jobs.push(job(2, Change::Add));
        jobs.push(job(1, Change::Remove));
        let mut order = Vec::new();
        while let Some(job) = jobs.pop() {
            order.push((job.slot.index(), job.change, job.number));
        }
        assert_eq!(order, [(2, Change::Add, None), (1, Change::Remove, None)]);
    }

    #[test]
    fn routers_take_turns() {
        let addresses = Arc::new(AddressSet::new(Vec::new()));
        let mut jobs = Jobs::default();
        for slot in 1..=2 {
            jobs.push(Job::new(Slot::new(slot).unwrap(), Arc::clone(&addresses), Change::Add));
        }
        let mut turns = Vec::new();
        for _ in 0..4 {
            let mut job = jobs.pop().unwrap();
            job.next += 1;
            turns.push(job.slot.index());
            jobs.resume(job);
        }
        assert_eq!(turns, [1, 2, 1, 2]);
        assert!(jobs.has(Slot::new(2).unwrap()) && !jobs.has(Slot::new(3).unwrap()));
    }
}
