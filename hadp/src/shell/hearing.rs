//! What the election thread hears.

use std::net::IpAddr;

use super::{
    attached::Attached,
    driver::{Driver, EVENTS_A_TURN},
    messages::Notice,
};
use crate::{
    datapath::{Datapath, EventRecord, Events},
    proto::{Event, Heard, Slot},
    units::Time,
};

impl<D: Datapath> Driver<D> {
    /// Takes what XDP reported, and returns how much that was.
    pub(super) fn hear(&mut self, events: &mut Events) -> usize {
        events.drain(EVENTS_A_TURN, |record| match record {
            EventRecord::Advert { slot, heard, .. } => self.feed_advert(slot, heard),
            EventRecord::Conflict { slot, addr, mac, .. } => self.defend(slot, addr, mac),
            EventRecord::Rejected { ifindex, from, mac, vrid, reason, .. } => {
                self.tell(Notice::Rejected { ifindex, from, mac, vrid, reason });
            }
            EventRecord::Bfd { session, received } => self.hear_session(session, received),
        })
    }

    /// Defends an address that somebody claims while this node is Active (RFC 5227 §2.4): the claim may have reached
    /// the neighbours' caches. In a handover the successor's claim is as it should be.
    fn defend(&mut self, slot: Slot, addr: IpAddr, mac: [u8; 6]) {
        if self.is_active(slot) {
            self.voice.announce_address(slot, addr);
            self.tell(Notice::Conflict { slot, addr, mac });
        }
    }

    /// Tells a state machine of what the datapath has heard and may not have told.
    pub(super) fn tell_heard(&mut self, slot: Slot) {
        let heard = self.take_heard(slot);
        for advert in &heard {
            self.feed_advert(slot, *advert);
        }
        self.heard = heard;
    }

    /// Returns what the datapath has heard for a router, in memory that is to be put back into `heard`.
    pub(super) fn take_heard(&mut self, slot: Slot) -> Vec<Heard> {
        let since = self.routers.get(slot).map_or(Time::ZERO, Attached::since);
        let mut heard = std::mem::take(&mut self.heard);
        heard.clear();
        self.datapath.heard_since(slot, since, &mut heard);
        heard
    }

    /// Tells a state machine of an advert; one that it knows changes nothing.
    pub(super) fn feed_advert(&mut self, slot: Slot, heard: Heard) {
        let Some(attached) = self.routers.get_mut(slot) else { return };
        let interval = self.node.get(slot).map(|router| router.config().interval);
        if let Some(what) = attached.note_mismatch(&heard, interval) {
            self.tell(Notice::Mismatch { slot, from: heard.from, what });
        }
        self.feed(slot, Event::Advert(heard));
    }
}
