//! The announcements that wait to leave.

use std::{collections::VecDeque, ops::Range, time::Duration};

use super::gates::Gates;
use crate::{net::packet::BATCH, proto::Slot, units::Time};

/// How long a burst rests between two rounds. Who has heard the first one sends at once, and what is to serve it, the addresses
/// and the answers, does not wait for repetitions; nor are those lost where the first one was, in a queue that was full.
const REST: Duration = Duration::from_millis(10);

/// A queue of announcement bursts, drained in slices, so that a burst for a thousand addresses never keeps an advert
/// waiting for longer than one system call.
#[derive(Debug, Default)]
pub(crate) struct Announcements {
    bursts: VecDeque<Burst>,
    /// Bursts between two rounds, with the times when they go on, the earliest first.
    resting: VecDeque<(Time, Burst)>,
    gates: Gates,
}

/// What is left of one burst.
#[derive(Debug)]
pub(super) struct Burst {
    pub(super) slot: Slot,
    pub(super) vips: Range<usize>,
    pub(super) next: usize,
    pub(super) rounds: u32,
}

impl Burst {
    /// Starts a burst.
    pub(super) fn new(slot: Slot, vips: Range<usize>, rounds: u32) -> Self {
        Self { slot, next: vips.start, vips, rounds }
    }

    /// Goes on with a burst whose first round has come as far as `next`; `None` if that was all of it.
    pub(super) fn begun(slot: Slot, vips: Range<usize>, next: usize, rounds: u32) -> Option<Self> {
        if next < vips.end {
            return Some(Self { slot, next: next.max(vips.start), vips, rounds });
        }
        (rounds > 1).then(|| Self::new(slot, vips, rounds - 1))
    }
}

impl Announcements {
    /// Queues a burst of `rounds` rounds over `vips`.
    ///
    /// One that waits already for the same addresses serves both: the queue cannot grow with what others send.
    pub(crate) fn push(&mut self, slot: Slot, vips: Range<usize>, rounds: u32) {
        if vips.is_empty() || rounds == 0 || self.gates.hold(slot, &vips, rounds) {
            return;
        }
        let is_same = |burst: &Burst| burst.slot == slot && burst.vips == vips;
        if let Some(index) = self.resting.iter().position(|(_, burst)| is_same(burst)) {
            // At the beginning of a round, which this one wants now.
            self.bursts.extend(self.resting.remove(index).map(|(_, burst)| burst));
        }
        match self.bursts.iter_mut().find(|burst| is_same(burst)) {
            Some(burst) if burst.next == burst.vips.start => burst.rounds = burst.rounds.max(rounds),
            // In the middle of a round: the addresses before it want their rounds whole.
            Some(burst) => burst.rounds = burst.rounds.max(rounds + 1),
            None => self.bursts.push_back(Burst::new(slot, vips, rounds)),
        }
    }

    /// Holds a router's announcements back, those that wait included, until acquisition `number` of its `total`
    /// addresses has come to each of them, or until `opens`: who hears an announcement finds the address served.
    pub(crate) fn close(&mut self, slot: Slot, number: u64, total: usize, opens: Time) {
        let mut held = Vec::new();
        let mut keep = |burst: &Burst| {
            let other = burst.slot != slot;
            if !other {
                held.push((burst.vips.clone(), burst.rounds));
            }
            other
        };
        self.bursts.retain(&mut keep);
        self.resting.retain(|(_, burst)| keep(burst));
        self.gates.close(slot, number, total, opens);
        for (vips, rounds) in held {
            self.gates.hold(slot, &vips, rounds);
        }
    }

    /// Has a router's announcements wait longer for what they wait for.
    pub(crate) fn postpone(&mut self, slot: Slot, opens: Time) {
        self.gates.postpone(slot, opens);
    }

    /// Notes that the first `count` addresses of acquisition `number` are in place.
    pub(crate) fn placed(&mut self, slot: Slot, number: u64, count: usize) {
        let bursts = &mut self.bursts;
        self.gates.placed(slot, number, count, |burst| bursts.push_back(burst));
    }

    /// Lets go what has waited long enough.
    pub(crate) fn expire(&mut self, now: Time) {
        let bursts = &mut self.bursts;
        self.gates.expire(now, |burst| bursts.push_back(burst));
        while let Some((_, burst)) = self.resting.pop_front_if(|(until, _)| *until <= now) {
            bursts.push_back(burst);
        }
    }

    /// Forgets what a router had queued, and tells whether that was anything.
    pub(crate) fn cancel(&mut self, slot: Slot) -> bool {
        let before = self.bursts.len() + self.resting.len();
        self.bursts.retain(|burst| burst.slot != slot);
        self.resting.retain(|(_, burst)| burst.slot != slot);
        self.gates.cancel(slot) || self.bursts.len() + self.resting.len() < before
    }

    /// Tells whether nothing can be sent now.
    pub(crate) fn is_empty(&self) -> bool {
        self.bursts.is_empty()
    }

    /// Returns when something is let go that waits now.
    pub(crate) fn next(&self) -> Option<Time> {
        self.resting.front().map(|(until, _)| *until).into_iter().chain(self.gates.next()).min()
    }

    /// Returns the next slice to send: a router, and which of its addresses.
    pub(crate) fn front(&self) -> Option<(Slot, Range<usize>)> {
        let burst = self.bursts.front()?;
        Some((burst.slot, burst.next..burst.vips.end.min(burst.next + BATCH)))
    }

    /// Notes that `count` of the slice were sent by `now`, and lets the next burst have its turn.
    pub(crate) fn sent(&mut self, count: usize, now: Time) {
        let Some(mut burst) = self.bursts.pop_front() else { return };
        burst.next += count;
        if burst.next < burst.vips.end {
            self.bursts.push_back(burst);
        } else if burst.rounds > 1 {
            let next = Burst { next: burst.vips.start, rounds: burst.rounds - 1, ..burst };
            self.resting.push_back((now + REST, next));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slot(index: u32) -> Slot {
        Slot::new(index).unwrap()
    }

    /// Returns the next slice, at the time when it can be sent.
    fn next(queue: &mut Announcements, now: &mut Time) -> Option<(Slot, Range<usize>)> {
        if queue.is_empty() {
            *now = queue.next()?;
            queue.expire(*now);
        }
        queue.front()
    }

    #[test]
    fn every_address_of_every_round_is_sent_once() {
        let mut queue = Announcements::default();
        queue.push(slot(1), 0..150, 2);
        queue.push(slot(2), 3..4, 1);
        queue.push(slot(3), 0..0, 5);
        let mut sent = [vec![0; 150], vec![0; 4]];
        let mut now = Time::ZERO;
        while let Some((slot, vips)) = next(&mut queue, &mut now) {
            assert!(vips.len() <= BATCH);
            let taken = vips.len().min(50); // the socket takes part of a slice
            let counts = &mut sent[slot.index() as usize - 1];
            counts[vips.start..vips.start + taken].iter_mut().for_each(|count| *count += 1);
            queue.sent(taken, now);
        }
        assert_eq!(sent[0], [2; 150]);
        assert_eq!(sent[1], [0, 0, 0, 1]);
        assert_eq!(now, Time::ZERO + REST, "the second round waits");
    }

    #[test]
    fn the_queue_does_not_grow_with_the_same_burst() {
        let mut queue = Announcements::default();
        let mut sent = 0;
        let mut now = Time::ZERO;
        for _ in 0..1000 {
            queue.push(slot(1), 0..100, 5);
            queue.sent(50, now);
            sent += 50;
        }
        while let Some((_, vips)) = next(&mut queue, &mut now) {
            sent += vips.len();
            queue.sent(vips.len(), now);
        }
        assert!(sent <= 1000 * 50 + 6 * 100, "{sent}");
        assert!(queue.is_empty());
    }

    #[test]
    fn a_router_that_yields_stops_announcing() {
        let mut queue = Announcements::default();
        queue.push(slot(1), 0..10, 5);
        queue.push(slot(2), 0..10, 1);
        queue.push(slot(1), 0..3, 5);
        queue.sent(10, Time::ZERO); // and the rest between two rounds
        queue.cancel(slot(1));
        assert_eq!(queue.front(), Some((slot(2), 0..10)));
        queue.sent(10, Time::ZERO);
        assert_eq!((queue.is_empty(), queue.next()), (true, None));
    }

    #[test]
    fn one_that_rests_goes_on_where_it_is_wanted_at_once_or_waits_for_its_addresses() {
        let (mut queue, opens) = (Announcements::default(), Time::from_nanos(50_000_000));
        queue.push(slot(1), 0..10, 3);
        queue.sent(10, Time::ZERO);
        assert_eq!((queue.front(), queue.next()), (None, Some(Time::ZERO + REST)));
        queue.push(slot(1), 0..10, 1);
        assert_eq!((queue.front(), queue.next()), (Some((slot(1), 0..10)), None));
        queue.sent(10, Time::ZERO);
        assert_eq!(queue.next(), Some(Time::ZERO + REST), "the last of the three");
        queue.close(slot(1), 1, 10, opens);
        assert_eq!((queue.front(), queue.next()), (None, Some(opens)));
        queue.placed(slot(1), 1, 10);
        assert_eq!(queue.front(), Some((slot(1), 0..10)));
    }

    #[test]
    fn what_waits_for_addresses_waits_behind_the_gate() {
        let mut queue = Announcements::default();
        let opens = Time::from_nanos(1_000_000);
        queue.push(slot(1), 0..100, 2);
        queue.push(slot(2), 0..1, 1);
        queue.close(slot(1), 1, 100, opens);
        assert_eq!(queue.front(), Some((slot(2), 0..1)));
        queue.sent(1, Time::ZERO);
        assert!(queue.is_empty());
        queue.placed(slot(1), 1, 32);
        assert_eq!(queue.front(), Some((slot(1), 0..32)));
        queue.sent(32, Time::ZERO);
        assert_eq!((queue.is_empty(), queue.next()), (true, Some(opens)));
        let (mut sent, mut now) = (32, Time::ZERO);
        while let Some((_, vips)) = next(&mut queue, &mut now) {
            sent += vips.len();
            queue.sent(vips.len(), now);
        }
        assert_eq!(sent, 200);
    }
}
