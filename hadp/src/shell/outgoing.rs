//! What the election thread sends out: adverts, then what others are to do, then announcements.

use std::{sync::Arc, time::Duration};

use super::{
    clock,
    driver::Driver,
    messages::Notice,
    orders::Due,
    placer::Placed,
    voice::{Advertised, Stuck},
};
use crate::{
    datapath::Datapath,
    proto::{Action, DRAIN, Event, Reason, Slot},
};

/// How long the announcements of a takeover wait for the addresses. What is not in place then has its clients wait for
/// it, which is no worse than to have them send to the router that is gone.
const PLACING: Duration = Duration::from_millis(1);

impl<D: Datapath> Driver<D> {
    /// Sends one batch of adverts.
    pub(super) fn advertise(&mut self) {
        self.orders.batch(&mut self.batch);
        self.send_batch();
    }

    /// Sends the adverts in `batch`, and tells the state machines when they left.
    pub(super) fn send_batch(&mut self) {
        let mut advertised = std::mem::take(&mut self.advertised);
        self.voice.advertise(&self.batch, &mut advertised);
        self.batch.clear();
        let left = clock::now();
        for Advertised { due: Due { slot, priority }, at, result, stuck, lost } in advertised.drain(..) {
            if lost {
                self.tell(Notice::AdvertsLost(slot));
            }
            if let Some(Stuck { left, is_news }) = stuck {
                self.handle(slot, Event::AdvertStuck { left }, clock::now());
                if is_news {
                    self.tell(Notice::AdvertsStuck(slot));
                }
            }
            match result {
                Ok(()) if stuck.is_some() => {}
                Ok(()) if priority > 0 => {
                    self.handle(slot, Event::AdvertSent { at }, at);
                    // Only now: a takeover from a router that answered until then has its lease by this advert.
                    if let Some(attached) = self.routers.get_mut(slot) {
                        attached.note_advert(left);
                    }
                }
                Ok(()) => {}
                Err(news) => {
                    if priority > 0 && stuck.is_none() {
                        self.handle(slot, Event::AdvertFailed, clock::now());
                    }
                    if let Some(failure) = news {
                        self.tell_failure(failure);
                    }
                }
            }
        }
        self.advertised = advertised;
    }

    /// Carries out what has waited for the adverts.
    pub(super) fn carry_out(&mut self) {
        while let Some((slot, action)) = self.orders.next() {
            match action {
                // Ordered before it lost the lease, it would tell clients what is no longer so.
                Action::Announce { vips, rounds } if self.is_active(slot) => {
                    self.voice.announce(slot, vips, rounds);
                }
                Action::AcquireVips => {
                    self.acquire(slot);
                    self.tell(Notice::AcquiredVips(slot));
                }
                Action::ReleaseVips => {
                    self.placer.release(slot);
                    self.tell(Notice::ReleasedVips(slot));
                }
                Action::Notify(transition) => {
                    if let Reason::Resigned | Reason::Preempted = transition.reason {
                        // The router before still serves those who have not heard of this one.
                        self.voice.wait_longer(slot, clock::now() + DRAIN / 2);
                    }
                    self.tell(Notice::Transition { slot, transition });
                }
                Action::Announce { .. }
                | Action::SetLease { .. }
                | Action::RenewLease { .. }
                | Action::Drain { .. }
                | Action::SendAdvert { .. } => {}
            }
        }
    }

    /// Has a router's addresses put on. Its announcements wait for the addresses where the router before still serves:
    /// clients come only when they are served here. Where it is dead, they do not.
    fn acquire(&mut self, slot: Slot) {
        let Some(attached) = self.routers.get_mut(slot) else { return };
        let (number, owns) = (attached.acquire(), attached.has_lease());
        let alone = std::mem::take(&mut attached.alone) && owns;
        if let Some(addresses) = attached.addresses.as_ref().filter(|addresses| !addresses.is_empty()) {
            if !alone {
                // Its advert may be behind many others, and there is nothing to announce before.
                let wait = if owns { PLACING } else { DRAIN / 2 };
                self.voice.wait_for_addresses(slot, number, addresses.len(), clock::now() + wait);
            }
            self.placer.acquire(slot, Arc::clone(addresses), number);
        }
    }

    pub(super) fn note_placed(&mut self, placed: Placed) {
        self.voice.placed(placed);
        if let Some(attached) = self.routers.get_mut(placed.slot) {
            attached.note_placed(placed);
        }
    }

    /// Sends a batch of announcements.
    pub(super) fn speak(&mut self) {
        match self.voice.speak() {
            Ok(Some((slot, count))) => {
                let total = self.node.get(slot).map_or(0, |router| router.config().vips);
                if let Some(attached) = self.routers.get_mut(slot) {
                    attached.note_announced(count, total, clock::now());
                }
            }
            Ok(None) => {}
            Err(failure) => self.tell_failure(failure),
        }
    }
}
