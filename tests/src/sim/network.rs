//! The links between the nodes: they delay, jitter, lose, duplicate and break.

use std::{collections::BTreeMap, time::Duration};

use hadp::units::Time;

use super::rng::Rng;

/// The network: every two nodes have a path in each direction.
#[derive(Clone, Debug)]
pub(super) struct Network {
    /// The longest a frame takes; the shortest is a quarter of it.
    pub(super) max_delay: Duration,
    /// How many of a thousand frames are lost, while faults go on.
    pub(super) loss: u64,
    /// How many of a thousand frames arrive twice.
    pub(super) duplicates: u64,
    /// Paths that are cut, from one to another.
    cut: BTreeMap<(usize, usize), u32>,
    /// Paths that BFD packets do not get through.
    bfd_cut: BTreeMap<(usize, usize), u32>,
    /// When the last BFD packet of a path arrives.
    bfd_last: BTreeMap<(usize, usize), Time>,
    /// BFD packets: when each was sent, on which path, and whether it gets there.
    pub(super) packets: BTreeMap<(usize, usize), Vec<(Time, bool)>>,
    /// When the last frame of a path arrives: a switch does not reorder.
    last: BTreeMap<(usize, usize), Time>,
    /// Frames that a cut or a loss took, and when: for the audit.
    pub(super) taken: Vec<Taken>,
}

/// A heartbeat that did not arrive.
#[derive(Clone, Copy, Debug)]
pub(super) struct Taken {
    pub(super) at: Time,
    pub(super) from: usize,
    pub(super) to: usize,
}

impl Network {
    pub(super) fn new(max_delay: Duration, loss: u64, duplicates: u64) -> Self {
        Self {
            max_delay,
            loss,
            duplicates,
            cut: BTreeMap::new(),
            bfd_cut: BTreeMap::new(),
            bfd_last: BTreeMap::new(),
            packets: BTreeMap::new(),
            last: BTreeMap::new(),
            taken: Vec::new(),
        }
    }

    /// Cuts or mends the paths from the nodes of `side` to the others, and back where `both`.
    pub(super) fn partition(&mut self, side: u64, hosts: usize, both: bool, cut: bool) {
        let inside = |host: usize| side >> host & 1 == 1;
        for from in 0..hosts {
            for to in 0..hosts {
                if inside(from) == inside(to) || (!inside(from) && !both) {
                    continue;
                }
                let count = self.cut.entry((from, to)).or_default();
                *count = if cut { *count + 1 } else { count.saturating_sub(1) };
            }
        }
    }

    /// Returns when a frame sent now arrives: never, once, or twice.
    pub(super) fn carry(&mut self, now: Time, from: usize, to: usize, rng: &mut Rng) -> Vec<Time> {
        let is_cut = self.cut.get(&(from, to)).is_some_and(|count| *count > 0);
        if is_cut || rng.happens(self.loss) {
            self.taken.push(Taken { at: now, from, to });
            return Vec::new();
        }
        let copies = if rng.happens(self.duplicates) { 2 } else { 1 };
        (0..copies)
            .map(|_| {
                let max = self.max_delay.as_nanos() as u64;
                let delay = Duration::from_nanos(max / 4 + rng.below(max * 3 / 4));
                let last = self.last.entry((from, to)).or_default();
                *last = (now + delay).max(*last + Duration::from_nanos(1));
                *last
            })
            .collect()
    }

    /// Cuts or mends the paths of a node's BFD packets to the others, and back where `both`.
    pub(super) fn lose_bfd(&mut self, host: usize, hosts: usize, both: bool, cut: bool) {
        for other in (0..hosts).filter(|other| *other != host) {
            for path in [(host, other), (other, host)].into_iter().take(if both { 2 } else { 1 }) {
                let count = self.bfd_cut.entry(path).or_default();
                *count = if cut { *count + 1 } else { count.saturating_sub(1) };
            }
        }
    }

    /// Returns when a BFD packet sent now arrives, if it does.
    pub(super) fn carry_bfd(
        &mut self,
        now: Time,
        path: (usize, usize),
        up: bool,
        (least, most): (Duration, Duration),
        rng: &mut Rng,
    ) -> Option<Time> {
        let is_cut = |cut: &BTreeMap<_, u32>| cut.get(&path).is_some_and(|count| *count > 0);
        let arrives = up && !is_cut(&self.cut) && !is_cut(&self.bfd_cut) && !rng.happens(self.loss);
        self.packets.entry(path).or_default().push((now, arrives));
        if !arrives {
            return None;
        }
        let delay = least + Duration::from_nanos(rng.below((most - least).as_nanos() as u64));
        let last = self.bfd_last.entry(path).or_default();
        *last = (now + delay).max(*last + Duration::from_nanos(1));
        Some(*last)
    }

    /// Returns the BFD packets of a path that were sent within a span, and whether each gets there.
    pub(super) fn packets_within(&self, path: (usize, usize), since: Time, until: Time) -> &[(Time, bool)] {
        let all = self.packets.get(&path).map_or(&[][..], Vec::as_slice);
        let first = all.partition_point(|(at, _)| *at < since);
        let end = all.partition_point(|(at, _)| *at <= until);
        all.get(first..end).unwrap_or_default()
    }

    /// Notes a frame that a dead link took.
    pub(super) fn take(&mut self, at: Time, from: usize, to: usize) {
        self.taken.push(Taken { at, from, to });
    }

    /// Tells whether a heartbeat from one node to another was taken between two times.
    pub(super) fn took(&self, from: usize, to: usize, since: Time, until: Time) -> bool {
        self.taken
            .iter()
            .any(|taken| taken.from == from && taken.to == to && taken.at >= since && taken.at <= until)
    }
}
