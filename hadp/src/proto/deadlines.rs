//! Which router is due next.

use super::{BySlot, Slot};
use crate::units::Time;

/// Every router's deadline: a binary heap that knows where each slot is, so that to move a deadline looks at a handful of
/// neighbouring entries and never allocates.
#[derive(Clone, Debug, Default)]
pub(super) struct Deadlines {
    /// The parent of entry `n` is entry `(n - 1) / 2`, and not later.
    heap: Vec<(Time, Slot)>,
    /// Where in the heap a slot is.
    places: BySlot<usize>,
}

impl Deadlines {
    /// Returns the earliest deadline and whose it is; of equal ones, that of the lowest slot.
    pub(super) fn first(&self) -> Option<(Time, Slot)> {
        self.heap.first().copied()
    }

    /// Gives a slot another deadline, or none.
    pub(super) fn set(&mut self, slot: Slot, deadline: Option<Time>) {
        match (self.places.get(slot).copied(), deadline) {
            (Some(place), Some(at)) => {
                if let Some(entry) = self.heap.get_mut(place) {
                    *entry = (at, slot);
                }
                self.settle(place);
            }
            (None, Some(at)) => {
                self.heap.push((at, slot));
                self.places.insert(slot, self.heap.len() - 1);
                self.settle(self.heap.len() - 1);
            }
            (Some(place), None) => {
                self.heap.swap_remove(place);
                self.places.remove(slot);
                self.settle(place);
            }
            (None, None) => {}
        }
    }

    /// Moves what is at `place` to where it belongs.
    fn settle(&mut self, place: usize) {
        let Some(&entry) = self.heap.get(place) else { return };
        let mut place = place;
        while place > 0
            && let parent = (place - 1) / 2
            && let Some(&above) = self.heap.get(parent)
            && entry < above
        {
            self.put(place, above);
            place = parent;
        }
        loop {
            let children = [2 * place + 1, 2 * place + 2];
            let least = children.into_iter().filter_map(|child| Some((*self.heap.get(child)?, child))).min();
            let Some((below, child)) = least.filter(|(below, _)| *below < entry) else { break };
            self.put(place, below);
            place = child;
        }
        self.put(place, entry);
    }

    fn put(&mut self, place: usize, entry: (Time, Slot)) {
        if let Some(there) = self.heap.get_mut(place) {
            *there = entry;
        }
        let (_, slot) = entry;
        self.places.insert(slot, place);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn the_first_is_always_the_least() {
        let mut deadlines = Deadlines::default();
        let mut expected: BTreeMap<Slot, Time> = BTreeMap::new();
        let mut seed = 1u64;
        let mut roll = |below: u64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (seed >> 33) % below
        };
        for _ in 0..20_000 {
            let slot = Slot::new(roll(50) as u32).unwrap();
            let deadline = (roll(4) > 0).then(|| Time::from_nanos(roll(300)));
            deadlines.set(slot, deadline);
            match deadline {
                Some(at) => expected.insert(slot, at),
                None => expected.remove(&slot),
            };
            let least = expected.iter().map(|(slot, at)| (*at, *slot)).min();
            assert_eq!(deadlines.first(), least);
        }
        for slot in (0..50).map(|index| Slot::new(index).unwrap()) {
            deadlines.set(slot, None);
        }
        assert_eq!(deadlines.first(), None);
    }
}
