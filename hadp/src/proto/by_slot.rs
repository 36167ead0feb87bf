//! What belongs to virtual routers, by their slots.

use super::Slot;

/// A table by slot, in one piece of memory.
///
/// Slots are given from zero on. A thousand routers may have to change hands in one turn, and then each step of a search
/// for one of them is a wait for memory that nobody has touched since the last advert; here there is none.
#[derive(Clone, Debug)]
pub struct BySlot<T> {
    entries: Vec<Option<T>>,
}

impl<T> BySlot<T> {
    /// Puts a value in a slot and returns the one that was there.
    pub fn insert(&mut self, slot: Slot, value: T) -> Option<T> {
        let index = index(slot);
        if self.entries.len() <= index {
            self.entries.resize_with(index + 1, || None);
        }
        self.entries.get_mut(index).and_then(|entry| entry.replace(value))
    }

    /// Takes the value out of a slot.
    pub fn remove(&mut self, slot: Slot) -> Option<T> {
        self.entries.get_mut(index(slot))?.take()
    }

    /// Returns the value in a slot.
    pub fn get(&self, slot: Slot) -> Option<&T> {
        self.entries.get(index(slot))?.as_ref()
    }

    /// Returns the value in a slot, to be changed.
    pub fn get_mut(&mut self, slot: Slot) -> Option<&mut T> {
        self.entries.get_mut(index(slot))?.as_mut()
    }

    /// Returns how many slots there are up to the highest that was ever in use.
    pub fn extent(&self) -> usize {
        self.entries.len()
    }

    /// Returns all values, by ascending slot.
    pub fn iter(&self) -> impl Iterator<Item = (Slot, &T)> {
        let slots = (0..).map_while(Slot::new);
        slots.zip(&self.entries).filter_map(|(slot, entry)| Some((slot, entry.as_ref()?)))
    }

    /// Returns the slots that hold a value, ascending.
    pub fn slots(&self) -> impl Iterator<Item = Slot> {
        self.iter().map(|(slot, _)| slot)
    }

    /// Returns all values, by ascending slot.
    pub fn values(&self) -> impl Iterator<Item = &T> {
        self.entries.iter().flatten()
    }
}

impl<T> Default for BySlot<T> {
    fn default() -> Self {
        Self { entries: Vec::new() }
    }
}

/// A slot is below [`MAX_ROUTERS`](hadp_common::router::MAX_ROUTERS): on every machine this is lossless.
fn index(slot: Slot) -> usize {
    slot.index() as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_holds_one_value_a_slot_and_lists_them_in_order() {
        let slot = |index| Slot::new(index).unwrap();
        let mut table = BySlot::default();
        assert_eq!(table.insert(slot(7), 'a'), None);
        assert_eq!(table.insert(slot(2), 'b'), None);
        assert_eq!(table.insert(slot(7), 'c'), Some('a'));
        assert_eq!(table.extent(), 8);
        assert_eq!(table.iter().collect::<Vec<_>>(), [(slot(2), &'b'), (slot(7), &'c')]);
        assert_eq!(table.slots().collect::<Vec<_>>(), [slot(2), slot(7)]);
        assert_eq!(table.get(slot(3)), None);
        assert_eq!(table.get_mut(slot(900)), None);
        assert_eq!(table.remove(slot(900)), None);
        assert_eq!(table.remove(slot(2)), Some('b'));
        assert_eq!(table.values().collect::<Vec<_>>(), [&'c']);
    }
}
