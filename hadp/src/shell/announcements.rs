//! The announcements that wait to leave.

use std::{collections::VecDeque, ops::Range};

use crate::{net::packet::BATCH, proto::Slot};

/// A queue of announcement bursts, drained in slices, so that a burst for a thousand addresses never keeps an advert
/// waiting for longer than one system call.
#[derive(Debug, Default)]
pub(crate) struct Announcements {
    bursts: VecDeque<Burst>,
}

/// What is left of one burst.
#[derive(Debug)]
struct Burst {
    slot: Slot,
    vips: Range<usize>,
    next: usize,
    rounds: u32,
}

impl Announcements {
    /// Queues a burst of `rounds` rounds over `vips`.
    ///
    /// One that waits already for the same addresses serves both: the queue cannot grow with what others send.
    pub(crate) fn push(&mut self, slot: Slot, vips: Range<usize>, rounds: u32) {
        if vips.is_empty() || rounds == 0 {
            return;
        }
        match self.bursts.iter_mut().find(|burst| burst.slot == slot && burst.vips == vips) {
            Some(burst) if burst.next == burst.vips.start => burst.rounds = burst.rounds.max(rounds),
            // In the middle of a round: the addresses before it want their rounds whole.
            Some(burst) => burst.rounds = burst.rounds.max(rounds + 1),
            None => self.bursts.push_back(Burst { slot, next: vips.start, vips, rounds }),
        }
    }

    /// Forgets what a router that is no longer Active had queued.
    pub(crate) fn cancel(&mut self, slot: Slot) {
        self.bursts.retain(|burst| burst.slot != slot);
    }

    /// Tells whether nothing waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.bursts.is_empty()
    }

    /// Returns the next slice to send: a router, and which of its addresses.
    pub(crate) fn front(&self) -> Option<(Slot, Range<usize>)> {
        let burst = self.bursts.front()?;
        Some((burst.slot, burst.next..burst.vips.end.min(burst.next + BATCH)))
    }

    /// Notes that `count` of the slice were sent, and lets the next burst have its turn.
    pub(crate) fn sent(&mut self, count: usize) {
        let Some(mut burst) = self.bursts.pop_front() else { return };
        burst.next += count;
        if burst.next >= burst.vips.end {
            burst.next = burst.vips.start;
            burst.rounds -= 1;
        }
        if burst.rounds > 0 {
            self.bursts.push_back(burst);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slot(index: u32) -> Slot {
        Slot::new(index).unwrap()
    }

    #[test]
    fn every_address_of_every_round_is_sent_once() {
        let mut queue = Announcements::default();
        queue.push(slot(1), 0..150, 2);
        queue.push(slot(2), 3..4, 1);
        queue.push(slot(3), 0..0, 5);
        let mut sent = [vec![0; 150], vec![0; 4]];
        while let Some((slot, vips)) = queue.front() {
            assert!(vips.len() <= BATCH);
            let taken = vips.len().min(50); // the socket takes part of a slice
            let counts = &mut sent[slot.index() as usize - 1];
            counts[vips.start..vips.start + taken].iter_mut().for_each(|count| *count += 1);
            queue.sent(taken);
        }
        assert_eq!(sent[0], [2; 150]);
        assert_eq!(sent[1], [0, 0, 0, 1]);
    }

    #[test]
    fn the_queue_does_not_grow_with_the_same_burst() {
        let mut queue = Announcements::default();
        let mut sent = 0;
        for _ in 0..1000 {
            queue.push(slot(1), 0..100, 5);
            queue.sent(50);
            sent += 50;
        }
        while let Some((_, vips)) = queue.front() {
            sent += vips.len();
            queue.sent(vips.len());
        }
        assert!(sent <= 1000 * 50 + 6 * 100, "{sent}");
        assert!(queue.is_empty());
    }

    #[test]
    fn a_router_that_yields_stops_announcing() {
        let mut queue = Announcements::default();
        queue.push(slot(1), 0..10, 5);
        queue.push(slot(2), 0..10, 1);
        queue.cancel(slot(1));
        assert_eq!(queue.front(), Some((slot(2), 0..10)));
    }
}
