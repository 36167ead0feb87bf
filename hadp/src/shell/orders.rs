//! What the state machines have ordered and the election thread has not carried out yet.

use std::collections::VecDeque;

use crate::{
    net::packet::BATCH,
    proto::{Action, BySlot, Slot},
};

/// An advert that waits to leave: whose, and with which priority.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Due {
    /// The router.
    pub(super) slot: Slot,
    /// The priority; 0 resigns.
    pub(super) priority: u8,
}

/// How much a router orders at once, besides adverts: to announce, to put addresses on, to tell of the change.
const ORDERS: usize = 3;

/// Adverts in two queues that take turns, and what comes after all adverts.
///
/// A wake-up that concerns a thousand routers orders a thousand adverts. They leave batch by batch, and half of each
/// batch is for the routers that go on as before, whose peers' timers run: they are never more than one batch behind
/// what they would be alone. A router has one advert waiting at most.
#[derive(Debug, Default)]
pub(super) struct Orders {
    /// Of routers that go on as Active.
    periodic: VecDeque<Due>,
    /// Of those that take over or resign.
    changes: VecDeque<Due>,
    waiting: BySlot<()>,
    rest: VecDeque<(Slot, Action)>,
}

impl Orders {
    /// Makes room for what `routers` order in one turn: memory that has to be found then is time that they wait.
    pub(super) fn reserve(&mut self, routers: usize) {
        for queue in [&mut self.periodic, &mut self.changes] {
            queue.reserve(routers.saturating_sub(queue.len()));
        }
        self.rest.reserve((routers * ORDERS).saturating_sub(self.rest.len()));
    }

    /// Queues an advert of a router that goes on as it was.
    pub(super) fn go_on(&mut self, due: Due) {
        self.waiting.insert(due.slot, ());
        self.periodic.push_back(due);
    }

    /// Queues an advert that announces a change.
    pub(super) fn change(&mut self, due: Due) {
        self.waiting.insert(due.slot, ());
        self.changes.push_back(due);
    }

    /// Queues what waits for the adverts of this turn.
    pub(super) fn later(&mut self, slot: Slot, action: Action) {
        self.rest.push_back((slot, action));
    }

    /// Takes the next batch of adverts.
    pub(super) fn batch(&mut self, out: &mut Vec<Due>) {
        let reserved = (BATCH / 2).min(self.changes.len());
        let periodic = self.periodic.len().min(BATCH - reserved);
        let changes = self.changes.len().min(BATCH - periodic);
        out.extend(self.periodic.drain(..periodic).chain(self.changes.drain(..changes)));
        for due in out.iter() {
            self.waiting.remove(due.slot);
        }
    }

    /// Takes the advert that waits for one router out of its turn.
    pub(super) fn take(&mut self, slot: Slot) -> Option<Due> {
        self.waiting.remove(slot)?;
        [&mut self.periodic, &mut self.changes].into_iter().find_map(|queue| {
            let place = queue.iter().position(|due| due.slot == slot)?;
            queue.remove(place)
        })
    }

    /// Tells whether an advert of a router waits.
    pub(super) fn waits(&self, slot: Slot) -> bool {
        self.waiting.get(slot).is_some()
    }

    /// Takes what comes next after the adverts.
    pub(super) fn next(&mut self) -> Option<(Slot, Action)> {
        self.rest.pop_front()
    }

    /// Tells whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.periodic.is_empty() && self.changes.is_empty() && self.rest.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn due(index: u32) -> Due {
        Due { slot: Slot::new(index).unwrap(), priority: 100 }
    }

    fn batch(orders: &mut Orders) -> Vec<Due> {
        let mut batch = Vec::new();
        orders.batch(&mut batch);
        batch
    }

    #[test]
    fn neither_queue_waits_for_the_other() {
        let mut orders = Orders::default();
        for index in 0..1000 {
            orders.change(due(index));
        }
        for index in 1000..1040 {
            orders.go_on(due(index));
        }
        let first = batch(&mut orders);
        assert_eq!(first.len(), BATCH);
        assert_eq!(first.iter().filter(|due| due.slot.index() >= 1000).count(), 32, "half is theirs");
        let second = batch(&mut orders);
        assert_eq!(second.iter().filter(|due| due.slot.index() >= 1000).count(), 8);
        assert_eq!(second.len(), BATCH, "what is not used the others have");
        let mut left = 0;
        while !orders.is_empty() {
            left += batch(&mut orders).len();
        }
        assert_eq!(left, 1040 - 2 * BATCH);
    }

    #[test]
    fn a_waiting_advert_can_go_first() {
        let mut orders = Orders::default();
        for index in 0..100 {
            orders.change(due(index));
        }
        assert_eq!(orders.take(due(99).slot), Some(due(99)));
        assert_eq!(orders.take(due(99).slot), None);
        assert_eq!(orders.take(due(200).slot), None);
        assert_eq!(batch(&mut orders).len() + batch(&mut orders).len(), 99);
        assert!(orders.is_empty());
    }
}
