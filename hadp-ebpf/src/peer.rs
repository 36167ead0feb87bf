//! Who was heard, and when.

use core::ptr::{read_volatile, write_volatile};

use hadp_common::{
    addr::Address,
    event::{Event, EventKind},
    key::AdvertKey,
    peer::{PEERS_PER_ROUTER, Peer, Peers},
    router::ROUTER_NO_YIELD,
    stats::Counter,
};

use crate::{ctx::Mac, event, maps::PEERS, owner::Owner, parse::Frame, settings::now_ns, stats::count};

/// What a valid advert says.
pub(crate) struct Heard {
    /// The source address, as loaded.
    pub(crate) source: u32,
    pub(crate) addresses_hash: u32,
    pub(crate) interval_cs: u16,
    pub(crate) priority: u8,
    pub(crate) version: u8,
    /// How many addresses it lists.
    pub(crate) count: u8,
}

/// Records a valid advert, and reports it when it may change the election: the first of a sender, one that differs from
/// its last, a resignation, or any while this node is Active. An Active router of lower rank than the sender ends here.
#[inline(always)]
pub(crate) fn record(frame: &Frame, key: &AdvertKey, heard: &Heard) {
    count(Counter::AdvertHeard);
    let (slot, vrid) = (key.slot, key.vrid);
    let Some(peers) = PEERS.get_ptr_mut(slot) else { return };
    let now = now_ns();
    let advert = Record {
        addr: halves(Address::from_v4_word(heard.source)),
        facts: facts(heard),
        origin: origin(frame.header.mac::<6, 10>(), heard.count),
        now,
    };
    let is_news = match find(peers, advert.addr) {
        Some(peer) => peer.update(&advert),
        None => {
            insert(peers, &advert);
            true
        }
    };
    let active = Owner::of(slot).filter(|router| router.is_leased_at(now));
    if let Some(router) = active
        && outranks(heard, router, key)
    {
        router.revoke(now);
        count(Counter::LeaseRevoked);
    }
    if is_news || heard.priority == 0 || active.is_some() {
        event::send(&Event {
            at_ns: now,
            slot,
            ifindex: frame.ifindex,
            addr: Address::from_v4_word(heard.source),
            addresses_hash: heard.addresses_hash,
            interval_cs: heard.interval_cs,
            mac: frame.header.mac::<6, 10>().octets(),
            kind: EventKind::Advert as u8,
            priority: heard.priority,
            vrid,
            ..Event::default()
        });
    }
}

/// Returns whether this node, Active, must give way to the sender (RFC 9568 §6.4.3): a higher priority, or the same from a
/// greater address. Told by the daemon alone, it would answer beside its successor until it has read the event.
#[inline(always)]
fn outranks(heard: &Heard, router: Owner, key: &AdvertKey) -> bool {
    if router.has_resigned() {
        return heard.priority > 0;
    }
    if router.flags() & ROUTER_NO_YIELD != 0 {
        return false;
    }
    let (theirs, ours) = (u32::from_be(heard.source), u32::from_be(key.source.words()[3]));
    let priority = router.priority();
    heard.priority > priority || (heard.priority == priority && theirs > ours)
}

/// An advert as the words of a [`Peer`].
struct Record {
    addr: [u64; 2],
    facts: u64,
    origin: u64,
    now: u64,
}

// The words of a `Peer`: three counters of 8 octets, the address, what changes the election, where it came from.
const WORDS: usize = size_of::<Peer>() / 8;
const LAST_SEEN: usize = core::mem::offset_of!(Peer, last_seen_ns) / 8;
const FIRST_SEEN: usize = core::mem::offset_of!(Peer, first_seen_ns) / 8;
const ADVERTS: usize = core::mem::offset_of!(Peer, adverts) / 8;
const ADDR: usize = core::mem::offset_of!(Peer, addr) / 8;
const FACTS: usize = core::mem::offset_of!(Peer, addresses_hash) / 8;
const ORIGIN: usize = core::mem::offset_of!(Peer, mac) / 8;
const _: () = assert!(ADDR + 2 == FACTS && FACTS + 1 == ORIGIN && ORIGIN + 1 == WORDS);

/// Returns the word of `addresses_hash`, `interval_cs`, `priority` and `version`: a change of any is news.
#[inline(always)]
fn facts(heard: &Heard) -> u64 {
    let ([a, b, c, d], [e, f]) = (heard.addresses_hash.to_ne_bytes(), heard.interval_cs.to_ne_bytes());
    u64::from_ne_bytes([a, b, c, d, e, f, heard.priority, heard.version])
}

/// Returns the word of `mac`, `count` and `reserved`.
#[inline(always)]
fn origin(mac: Mac, count: u8) -> u64 {
    let [a, b, c, d, e, f] = mac.octets();
    u64::from_ne_bytes([a, b, c, d, e, f, count, 0])
}

/// Returns an address as two words.
#[inline(always)]
fn halves(addr: Address) -> [u64; 2] {
    let [a, b, c, d] = addr.words().map(u32::to_ne_bytes);
    let join = |x: [u8; 4], y: [u8; 4]| u64::from_ne_bytes([x[0], x[1], x[2], x[3], y[0], y[1], y[2], y[3]]);
    [join(a, b), join(c, d)]
}

/// An entry of `PEERS[slot]`, as its words.
#[derive(Clone, Copy)]
struct Entry(*mut u64);

impl Entry {
    /// Returns entry `index`, which is below [`PEERS_PER_ROUTER`].
    #[inline(always)]
    fn new(peers: *mut Peers, index: usize) -> Self {
        Self(peers.cast::<u64>().wrapping_add(index * WORDS))
    }

    #[inline(always)]
    fn word(self, index: usize) -> u64 {
        // SAFETY: every caller's index is one of the constants above, so the word lies inside the map value.
        unsafe { read_volatile(self.0.wrapping_add(index)) }
    }

    /// Stores one word; volatile, so that the stores happen in the order written.
    #[inline(always)]
    fn set(self, index: usize, value: u64) {
        // SAFETY: as in `word`; the daemon reads the words one by one and tolerates any mixture.
        unsafe { write_volatile(self.0.wrapping_add(index), value) }
    }

    /// Stores another advert of the same sender, and returns whether it says anything new.
    #[inline(always)]
    fn update(self, advert: &Record) -> bool {
        let is_news = self.word(FACTS) != advert.facts;
        self.set(FACTS, advert.facts);
        self.set(ORIGIN, advert.origin);
        self.set(ADVERTS, self.word(ADVERTS) + 1);
        self.set(LAST_SEEN, advert.now);
        is_news
    }
}

/// Finds the entry of a sender.
#[inline(always)]
fn find(peers: *mut Peers, addr: [u64; 2]) -> Option<Entry> {
    (0..PEERS_PER_ROUTER)
        .map(|index| Entry::new(peers, index))
        .find(|entry| entry.word(ADDR + 1) == addr[1] && entry.word(ADDR) == addr[0])
}

/// Puts a new sender into a free entry, or in place of the one heard longest ago.
#[inline(never)]
fn insert(peers: *mut Peers, advert: &Record) {
    let mut oldest = Entry::new(peers, 0);
    for index in 1..PEERS_PER_ROUTER {
        let entry = Entry::new(peers, index);
        if entry.word(LAST_SEEN) < oldest.word(LAST_SEEN) {
            oldest = entry; // a free entry was last seen at 0
        }
    }
    oldest.set(LAST_SEEN, 0);
    oldest.set(ADDR, advert.addr[0]);
    oldest.set(ADDR + 1, advert.addr[1]);
    oldest.set(FIRST_SEEN, advert.now);
    oldest.set(ADVERTS, 1);
    oldest.set(FACTS, advert.facts);
    oldest.set(ORIGIN, advert.origin);
    oldest.set(LAST_SEEN, advert.now);
}
