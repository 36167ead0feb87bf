//! Which routers share a guard.

use std::collections::{BTreeMap, BTreeSet};

use hadp_common::router::MAX_GUARDS;

use super::SessionId;
use crate::proto::Slot;

/// The entries of `GUARDS` in use: one for each set of sessions that routers with `fast_failover` follow.
///
/// A router's guard covers every session it follows: over any of them a neighbour may be waiting for this node, and take
/// the router over when it hears nothing.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Guards {
    /// By number, from 1.
    sets: BTreeMap<u32, BTreeSet<SessionId>>,
    routers: BTreeMap<Slot, u32>,
    refused: Vec<Slot>,
}

/// Why a router has no fast failover.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("fast_failover follows more than {} different sets of bfd_instances", MAX_GUARDS - 1)]
pub struct TooManyGuards;

impl Guards {
    /// Numbers the sets as they first appear, so that routers that are added later do not renumber those before them. A
    /// router that follows no session needs no guard.
    ///
    /// A set that had a number `before` keeps it, and no other set gets that number now: an Active router whose guard is in
    /// force is not to lose it to a reload.
    pub fn assign(routers: impl IntoIterator<Item = (Slot, BTreeSet<SessionId>)>, before: &Self) -> Self {
        let mut guards = Self::default();
        let mut numbers: BTreeMap<&BTreeSet<SessionId>, u32> =
            before.sets.iter().map(|(number, set)| (set, *number)).collect();
        let routers: Vec<_> = routers.into_iter().filter(|(_, set)| !set.is_empty()).collect();
        let mut free = (1..MAX_GUARDS).filter(|number| !before.sets.contains_key(number));
        for (slot, set) in &routers {
            match numbers.get(set).copied().or_else(|| free.next()) {
                Some(number) => {
                    numbers.insert(set, number);
                    guards.sets.entry(number).or_insert_with(|| set.clone());
                    guards.routers.insert(*slot, number);
                }
                None => guards.refused.push(*slot),
            }
        }
        guards
    }

    /// Returns the guard of a router, 0 for none; or why it has no fast failover although it is configured.
    ///
    /// # Errors
    ///
    /// There are more sets than entries of `GUARDS`, and its set came too late.
    pub fn of(&self, slot: Slot) -> Result<u32, TooManyGuards> {
        match self.routers.get(&slot) {
            Some(guard) => Ok(*guard),
            None if self.refused.contains(&slot) => Err(TooManyGuards),
            None => Ok(0),
        }
    }

    /// Returns every guard with the sessions it stands for, by ascending number.
    pub fn iter(&self) -> impl Iterator<Item = (u32, &BTreeSet<SessionId>)> {
        self.sets.iter().map(|(number, set)| (*number, set))
    }

    /// Tells whether a guard stands for all the sessions that one of `others` stands for.
    pub fn covers(&self, guard: u32, others: &Self, other: u32) -> bool {
        let none = BTreeSet::new();
        others.sets.get(&other).unwrap_or(&none).is_subset(self.sets.get(&guard).unwrap_or(&none))
    }

    /// Returns the guards that a session counts for.
    pub fn of_session(&self, id: SessionId) -> impl Iterator<Item = u32> {
        self.iter().filter(move |(_, set)| set.contains(&id)).map(|(guard, _)| guard)
    }

    /// Returns the routers on a guard, by ascending slot.
    pub fn routers(&self, guard: u32) -> impl Iterator<Item = Slot> {
        self.routers.iter().filter(move |(_, number)| **number == guard).map(|(slot, _)| *slot)
    }

    /// Returns the sessions that a guard stands for.
    pub fn sessions(&self, guard: u32) -> impl Iterator<Item = SessionId> {
        self.sets.get(&guard).into_iter().flatten().copied()
    }

    /// Returns the routers that have no fast failover because there are too many sets.
    pub fn refused(&self) -> &[Slot] {
        &self.refused
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slot(index: u32) -> Slot {
        Slot::new(index).unwrap()
    }

    fn set(ids: &[u32]) -> BTreeSet<SessionId> {
        ids.iter().filter_map(|id| SessionId::new(*id)).collect()
    }

    #[test]
    fn routers_of_the_same_sessions_share_a_guard() {
        let sets = [(3, &[2, 1][..]), (0, &[1]), (4, &[]), (5, &[1, 2]), (6, &[1])];
        let guards = Guards::assign(sets.map(|(index, ids)| (slot(index), set(ids))), &Guards::default());
        let numbers = [0, 3, 4, 5, 6].map(|index| guards.of(slot(index)));
        assert_eq!(numbers, [Ok(2), Ok(1), Ok(0), Ok(1), Ok(2)]);
        assert_eq!(guards.iter().collect::<Vec<_>>(), [(1, &set(&[1, 2])), (2, &set(&[1]))]);
        assert_eq!(guards.routers(2).collect::<Vec<_>>(), [slot(0), slot(6)]);
        assert!(guards.refused().is_empty());
    }

    #[test]
    fn a_thousand_routers_on_one_session_need_one_guard() {
        let guards = Guards::assign((0..1_000).map(|index| (slot(index), set(&[9]))), &Guards::default());
        assert_eq!((guards.iter().count(), guards.routers(1).count()), (1, 1_000));
    }

    #[test]
    fn too_many_sets_leave_the_last_ones_without() {
        // Slots 63 and 64 come too late for a set of their own; slot 65 shares an early one.
        let routers = (0..65).map(|index| (slot(index), set(&[index + 1])));
        let guards = Guards::assign(routers.chain([(slot(65), set(&[1]))]), &Guards::default());
        assert_eq!(guards.of(slot(62)), Ok(63));
        assert_eq!(guards.of(slot(63)), Err(TooManyGuards));
        assert_eq!(guards.of(slot(65)), Ok(1));
        assert_eq!(guards.refused(), [slot(63), slot(64)]);
        assert!(guards.iter().all(|(guard, _)| (1..MAX_GUARDS).contains(&guard)));
        assert_eq!(
            TooManyGuards.to_string(),
            "fast_failover follows more than 63 different sets of bfd_instances"
        );
    }

    #[test]
    fn a_set_keeps_its_number_and_a_number_its_set() {
        let assign = |sets: &[(u32, &[u32])], before: &Guards| {
            Guards::assign(sets.iter().map(|(index, ids)| (slot(*index), set(ids))), before)
        };
        let numbers =
            |guards: &Guards| guards.iter().map(|(number, set)| (number, set.clone())).collect::<Vec<_>>();
        let first = assign(&[(0, &[1]), (1, &[2]), (2, &[3])], &Guards::default());
        // Guard 1 is not needed any more: it is not given away in the same step.
        let second = assign(&[(0, &[4]), (1, &[2]), (2, &[3])], &first);
        assert_eq!(numbers(&second), [(2, set(&[2])), (3, set(&[3])), (4, set(&[4]))]);
        assert_eq!(second.of(slot(0)), Ok(4));
        assert!(second.covers(2, &first, 2) && second.covers(4, &first, 0));
        assert!(!second.covers(4, &first, 1) && !second.covers(0, &first, 1));
        let third = assign(&[(5, &[7]), (1, &[2])], &second);
        assert_eq!(numbers(&third), [(1, set(&[7])), (2, set(&[2]))]);
        assert_eq!(assign(&[(5, &[7]), (1, &[2])], &third), third);
    }
}
