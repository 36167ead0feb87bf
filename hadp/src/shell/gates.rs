//! Announcements of a takeover that wait until the addresses are in place.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
};

use super::announcements::Burst;
use crate::{proto::Slot, units::Time};

/// One gate for each router whose addresses are on their way: it lets announcements of those pass that are in place,
/// and, when its time has come, all the others.
#[derive(Debug, Default)]
pub(super) struct Gates {
    gates: BTreeMap<Slot, Gate>,
    /// When which gate opens at the latest.
    ends: BTreeSet<(Time, Slot)>,
}

#[derive(Debug)]
struct Gate {
    /// Which acquisition it waits for.
    number: u64,
    /// How many addresses there are.
    total: usize,
    /// How many are in place, from the front.
    placed: usize,
    /// When it opens at the latest.
    opens: Time,
    held: Vec<(Range<usize>, u32)>,
}

impl Gates {
    /// Closes the gate of a router until acquisition `number` of `total` addresses is done, or until `opens`.
    pub(super) fn close(&mut self, slot: Slot, number: u64, total: usize, opens: Time) {
        self.take(slot);
        self.gates.insert(slot, Gate { number, total, placed: 0, opens, held: Vec::new() });
        self.ends.insert((opens, slot));
    }

    /// Has a closed gate open later.
    pub(super) fn postpone(&mut self, slot: Slot, opens: Time) {
        if let Some(gate) = self.gates.get_mut(&slot) {
            self.ends.remove(&(gate.opens, slot));
            gate.opens = opens;
            self.ends.insert((opens, slot));
        }
    }

    fn take(&mut self, slot: Slot) -> Option<Gate> {
        let gate = self.gates.remove(&slot)?;
        self.ends.remove(&(gate.opens, slot));
        Some(gate)
    }

    /// Holds announcements back, if the router has a gate.
    pub(super) fn hold(&mut self, slot: Slot, vips: &Range<usize>, rounds: u32) -> bool {
        let Some(gate) = self.gates.get_mut(&slot) else { return false };
        match gate.held.iter_mut().find(|(held, _)| held == vips) {
            Some((_, held)) => *held = rounds.max(*held),
            None => gate.held.push((vips.clone(), rounds)),
        }
        true
    }

    /// Notes that the first `count` addresses are in place, and lets their announcements go.
    pub(super) fn placed(&mut self, slot: Slot, number: u64, count: usize, mut go: impl FnMut(Burst)) {
        let Some(gate) = self.gates.get_mut(&slot).filter(|gate| gate.number == number) else { return };
        if count < gate.total {
            for (vips, _) in &gate.held {
                let part = vips.start.max(gate.placed)..vips.end.min(count);
                if !part.is_empty() {
                    go(Burst::new(slot, part, 1));
                }
            }
            gate.placed = gate.placed.max(count);
        } else {
            self.open(slot, go);
        }
    }

    /// Opens every gate whose time has come.
    pub(super) fn expire(&mut self, now: Time, mut go: impl FnMut(Burst)) {
        while let Some((_, slot)) = self.ends.first().copied().filter(|(opens, _)| *opens <= now) {
            self.open(slot, &mut go);
        }
    }

    /// Lets all that is left go: the rest of the first round, then the other rounds.
    fn open(&mut self, slot: Slot, mut go: impl FnMut(Burst)) {
        let Some(gate) = self.take(slot) else { return };
        for (vips, rounds) in gate.held {
            if let Some(burst) = Burst::begun(slot, vips, gate.placed, rounds) {
                go(burst);
            }
        }
    }

    /// Forgets what a router had to announce, and tells whether that was anything.
    pub(super) fn cancel(&mut self, slot: Slot) -> bool {
        self.take(slot).is_some_and(|gate| !gate.held.is_empty())
    }

    /// Returns when the next gate opens.
    pub(super) fn next(&self) -> Option<Time> {
        self.ends.first().map(|(opens, _)| *opens)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPENS: Time = Time::from_nanos(1_000_000);

    fn slot() -> Slot {
        Slot::new(1).unwrap()
    }

    fn closed(held: &[(Range<usize>, u32)]) -> Gates {
        let mut gates = Gates::default();
        gates.close(slot(), 7, 100, OPENS);
        for (vips, rounds) in held {
            assert!(gates.hold(slot(), vips, *rounds));
        }
        gates
    }

    fn bursts(act: impl FnOnce(&mut dyn FnMut(Burst))) -> Vec<(Range<usize>, usize, u32)> {
        let mut seen = Vec::new();
        act(&mut |burst: Burst| seen.push((burst.vips, burst.next, burst.rounds)));
        seen
    }

    #[test]
    fn announcements_follow_the_addresses() {
        let mut gates = closed(&[(0..100, 5)]);
        assert_eq!(bursts(|go| gates.placed(slot(), 7, 32, go)), [(0..32, 0, 1)]);
        assert_eq!(bursts(|go| gates.placed(slot(), 6, 96, go)), [], "of an earlier takeover");
        assert_eq!(bursts(|go| gates.placed(slot(), 7, 64, go)), [(32..64, 32, 1)]);
        assert_eq!(bursts(|go| gates.placed(slot(), 7, 100, go)), [(0..100, 64, 5)], "the round goes on");
        assert!(!gates.hold(slot(), &(0..1), 1), "open");
        assert_eq!(bursts(|go| gates.expire(OPENS, go)), []);
    }

    #[test]
    fn they_do_not_wait_for_long() {
        let mut gates = closed(&[(0..100, 2), (3..4, 1), (3..4, 1)]);
        assert_eq!(bursts(|go| gates.placed(slot(), 7, 32, go)), [(0..32, 0, 1), (3..4, 3, 1)]);
        assert_eq!(bursts(|go| gates.expire(Time::from_nanos(999_999), go)), []);
        assert_eq!(gates.next(), Some(OPENS));
        assert_eq!(bursts(|go| gates.expire(OPENS, go)), [(0..100, 32, 2)]);
        assert_eq!(gates.next(), None);
    }

    #[test]
    fn in_a_handover_they_wait_longer() {
        let mut gates = closed(&[(0..100, 1)]);
        let later = Time::from_nanos(9_000_000);
        gates.postpone(slot(), later);
        assert_eq!(gates.next(), Some(later));
        assert_eq!(bursts(|go| gates.expire(OPENS, go)), []);
        assert_eq!(bursts(|go| gates.expire(later, go)), [(0..100, 0, 1)]);
    }

    #[test]
    fn a_router_that_yields_announces_nothing() {
        let mut gates = closed(&[(0..100, 2)]);
        gates.cancel(slot());
        assert_eq!(bursts(|go| gates.placed(slot(), 7, 100, go)), []);
        assert_eq!(bursts(|go| gates.expire(OPENS, go)), []);
        assert!(!gates.hold(slot(), &(0..100), 2));
    }
}
