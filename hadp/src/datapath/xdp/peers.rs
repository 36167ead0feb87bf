//! Reading `PEERS`: whom a router heard.

use std::{
    mem::offset_of,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use hadp_common::{
    peer::{PEERS_PER_ROUTER, Peer},
    router::MAX_ROUTERS,
};

use super::{election::Election, mapped::Entry, open::Xdp};
use crate::{
    proto::{AddressList, Heard, Slot},
    units::{Centis, Time},
};

impl Xdp {
    /// Returns the senders heard for the router in `slot`, in no order.
    pub fn peers(&self, slot: Slot) -> Vec<Peer> {
        let Some(entry) = self.maps.peers.entry(slot.index()) else { return Vec::new() };
        (0..PEERS_PER_ROUTER).filter_map(|index| load(entry, index)).collect()
    }
}

impl Election {
    /// Appends the last advert of every sender heard for `slot` later than `after`, oldest first.
    pub(super) fn append_heard(&self, slot: Slot, after: Time, out: &mut Vec<Heard>) {
        let first = out.len();
        let Some(entry) = self.peers.entry(slot.index()) else { return };
        let peers = (0..PEERS_PER_ROUTER).filter_map(|index| load(entry, index));
        let later = peers.filter(|peer| peer.last_seen_ns > after.as_nanos());
        out.extend(later.filter_map(|peer| self.heard(slot, &peer)));
        if let Some(appended) = out.get_mut(first..) {
            appended.sort_by_key(|heard| heard.at);
        }
    }

    /// Forgets the senders of a slot.
    pub(super) fn clear_peers(&self, slot: u32) {
        let Some(entry) = self.peers.entry(slot) else { return };
        for index in 0..PEERS_PER_ROUTER {
            entry.set_word(index * WORDS + LAST_SEEN, 0, Ordering::Release);
        }
        entry.store(&hadp_common::peer::Peers::default());
    }

    fn heard(&self, slot: Slot, peer: &Peer) -> Option<Heard> {
        Some(Heard {
            at: Time::from_nanos(peer.last_seen_ns),
            from: peer.addr.into(),
            priority: peer.priority,
            interval: Centis::new(peer.interval_cs)?,
            addresses: self.fingerprints.compare(slot, peer.addresses_hash),
        })
    }
}

const WORDS: usize = size_of::<Peer>() / 8;
const LAST_SEEN: usize = offset_of!(Peer, last_seen_ns) / 8;

/// How often an entry is read again that changed meanwhile.
const RETRIES: u32 = 4;

/// Reads one entry, or returns `None` if it is free.
///
/// The program stores the time last. A time that stayed the same while the rest was read thus belongs to the same advert,
/// or the rest is a little newer; a sender that is only now being put in place still has no time.
fn load(entry: Entry<'_>, index: usize) -> Option<Peer> {
    let first = index * WORDS;
    let mut peer = Peer::default();
    for _ in 0..RETRIES {
        let before = entry.word(first + LAST_SEEN, Ordering::Acquire);
        peer = entry.load_at(first);
        peer.last_seen_ns = before;
        std::sync::atomic::fence(Ordering::Acquire);
        if entry.word(first + LAST_SEEN, Ordering::Relaxed) == before {
            break;
        }
    }
    (peer.last_seen_ns != 0).then_some(peer)
}

/// The fingerprint that each slot's address list should have.
#[derive(Clone, Debug)]
pub(super) struct Fingerprints(Arc<[AtomicU32]>);

impl Default for Fingerprints {
    fn default() -> Self {
        Self((0..MAX_ROUTERS).map(|_| AtomicU32::new(0)).collect())
    }
}

impl Fingerprints {
    /// Sets the fingerprint of a slot.
    pub(super) fn set(&self, slot: Slot, hash: u32) {
        if let Some(word) = self.word(slot) {
            word.store(hash, Ordering::Relaxed);
        }
    }

    /// Compares an advert's list with the configured one.
    pub(super) fn compare(&self, slot: Slot, hash: u32) -> AddressList {
        match self.word(slot) {
            Some(word) if word.load(Ordering::Relaxed) == hash => AddressList::Same,
            _ => AddressList::Differs,
        }
    }

    fn word(&self, slot: Slot) -> Option<&AtomicU32> {
        self.0.get(usize::try_from(slot.index()).ok()?)
    }
}
