//! What was last ordered for a router, and what that left behind.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    sync::Arc,
};

use crate::{
    net::{
        addr::Placed,
        address_set::{AddressSet, Change},
    },
    proto::Slot,
};

/// What was last ordered for a router, and for which addresses.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) addresses: Arc<AddressSet>,
    pub(super) wanted: Change,
    /// Whether the router has left: nothing is to stay of it.
    pub(super) has_left: bool,
    /// Addresses that could not be taken off, of this set or of one before it.
    left: Vec<Placed>,
}

impl Place {
    pub(super) fn new(addresses: Arc<AddressSet>) -> Self {
        Self { addresses, wanted: Change::Add, has_left: false, left: Vec::new() }
    }

    /// Takes over what a place before it left behind, but for what is wanted again.
    pub(super) fn inherit(&mut self, old: &Self) {
        let wanted: BTreeSet<_> = self.addresses.placed().iter().map(Placed::key).collect();
        self.left = old.left.iter().filter(|left| !wanted.contains(&left.key())).cloned().collect();
    }

    /// Notes that these addresses were taken off, but for those on which it failed.
    pub(super) fn taken_off(&mut self, these: &[Placed], failed: Vec<Placed>) {
        if !self.left.is_empty() {
            let these: BTreeSet<_> = these.iter().map(Placed::key).collect();
            self.left.retain(|left| !these.contains(&left.key()));
        }
        self.left.extend(failed);
    }

    /// Tells whether something is still there that should not be.
    pub(super) fn leaves_something(&self) -> bool {
        !self.left.is_empty()
    }

    /// Hands out what was left behind, to be taken off; what fails again comes back.
    pub(super) fn take_left(&mut self) -> Vec<Placed> {
        std::mem::take(&mut self.left)
    }

    /// Returns everything of the router that may be on interfaces.
    pub(super) fn all(&self) -> Arc<AddressSet> {
        if self.left.is_empty() {
            return Arc::clone(&self.addresses);
        }
        let gone = AddressSet::new(self.left.clone()).without(&self.addresses);
        Arc::new(AddressSet::new([self.addresses.placed(), gone.placed()].concat()))
    }
}

/// Returns those of a router's addresses that no other router has on the same interface: the kernel has one of them for all.
pub(super) fn own(places: &BTreeMap<Slot, Place>, slot: Slot, addresses: &[Placed]) -> Vec<Placed> {
    if addresses.is_empty() {
        return Vec::new();
    }
    let held = |(other, place): &(&Slot, &Place)| **other != slot && place.wanted == Change::Add;
    let placed = places.iter().filter(held).flat_map(|(_, place)| place.addresses.placed());
    let others: BTreeSet<(u32, IpAddr)> = placed.map(|placed| (placed.ifindex, placed.vip.addr)).collect();
    let is_own = |placed: &&Placed| !others.contains(&(placed.ifindex, placed.vip.addr));
    addresses.iter().filter(is_own).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Scope, Vip};

    fn placed(last: u8) -> Placed {
        let addr = IpAddr::from([10, 77, 0, last]);
        let (broadcast, dev, label, peer) = (None, "eth0".to_owned(), None, None);
        let vip = Vip { addr, prefix: 16, broadcast, dev, scope: Scope::GLOBAL, label, peer };
        Placed { ifindex: 3, vip }
    }

    fn list(lasts: &[u8]) -> Vec<Placed> {
        lasts.iter().map(|last| placed(*last)).collect()
    }

    fn place(lasts: &[u8]) -> Place {
        Place::new(Arc::new(AddressSet::new(list(lasts))))
    }

    #[test]
    fn what_could_not_be_taken_off_is_not_forgotten() {
        let mut old = place(&[1, 2, 3]);
        assert!(!old.leaves_something());
        old.taken_off(&list(&[1, 2, 3]), list(&[1, 2]));
        assert!(old.leaves_something());
        assert_eq!(old.all().placed(), list(&[1, 2, 3]), "each once");
        let mut new = place(&[2, 4]);
        new.inherit(&old);
        assert_eq!(new.all().placed(), list(&[2, 4, 1]), "2 is wanted again");
        new.taken_off(&list(&[9]), vec![]);
        assert!(new.leaves_something());
        let again = new.take_left();
        assert_eq!(again, list(&[1]));
        new.taken_off(&again, again.clone());
        assert!(new.leaves_something(), "it failed again");
        new.taken_off(&again, vec![]);
        assert!(!new.leaves_something());
    }

    #[test]
    fn an_address_that_another_router_has_by_now_stays() {
        let slots = [0, 1, 2].map(|index| Slot::new(index).unwrap());
        let mut places: BTreeMap<_, _> =
            slots.into_iter().zip([place(&[1, 2]), place(&[2, 5]), place(&[1])]).collect();
        places.get_mut(&slots[2]).unwrap().wanted = Change::Remove;
        assert_eq!(own(&places, slots[0], &list(&[1, 2])), list(&[1]));
        let elsewhere = Placed { ifindex: 4, ..placed(2) };
        assert_eq!(own(&places, slots[0], std::slice::from_ref(&elsewhere)), [elsewhere]);
    }
}
