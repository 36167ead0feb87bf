//! The election thread's way out: adverts and announcements.

mod adverts;

use std::{
    collections::{BTreeMap, btree_map::Entry},
    io,
    net::IpAddr,
    ops::Range,
    time::Duration,
};

use self::adverts::lay;
use super::{announcements::Announcements, clock, orders::Due, placer::Placed};
use crate::{
    net::{
        frames::{Message, Outlet},
        lanes::{Lanes, Trail},
        packet::{BATCH, PacketSocket},
        raw::VrrpSocket,
    },
    proto::{BySlot, Slot},
    units::Time,
};

/// How long announcements wait after the interface's queue was full.
const FULL: Duration = Duration::from_micros(500);

/// All sockets and frames of the election thread.
pub(super) struct Voice {
    /// Adverts have sockets of their own, so that no burst of announcements can fill their buffers; kept for an interface that
    /// comes back, since to close one takes milliseconds.
    roads: BTreeMap<Road, Lanes<PacketSocket>>,
    /// What of each router's adverts has left.
    trails: BySlot<Trail>,
    bursts: PacketSocket,
    /// Takes the adverts by unicast that no router of this node sends to: the host would answer them as unreachable.
    _sink: VrrpSocket,
    outlets: BySlot<Box<Outlet>>,
    waiting: Announcements,
    /// Until when announcements wait because the queue was full.
    full_until: Option<Time>,
    /// Routers whose last send failed, so that it is reported once.
    failing: BTreeMap<Slot, &'static str>,
    /// Adverts of one batch that leave by multicast; kept for its memory.
    together: Vec<(u32, Due)>,
}

/// What became of an advert.
#[derive(Debug)]
pub(super) struct Advertised {
    /// The advert.
    pub(super) due: Due,
    /// A time just before it left.
    pub(super) at: Time,
    /// Whether it left, by unicast to one peer at least; the failure is there if it is news.
    pub(super) result: Result<(), Option<Failure>>,
    /// Whether adverts stay in the queue, this one as well.
    pub(super) stuck: Option<Stuck>,
    /// Whether it is news that the interface loses frames and never says so.
    pub(super) lost: bool,
}

/// Adverts stay in the queue.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stuck {
    /// When the router's last advert was sent that has left.
    pub(super) left: Time,
    /// Whether the interface's adverts had left until then.
    pub(super) is_news: bool,
}

/// An interface and how often adverts are sent there: what the lanes are for.
type Road = (u32, Duration);

/// Returns the road that a router's adverts go; `None` where they go to each peer.
fn road(outlet: &Outlet) -> Option<Road> {
    match &outlet.advert {
        Message::Multicast(frame) => Some((frame.ifindex, outlet.every)),
        Message::Unicast(_) => None,
    }
}

/// Tells whether adverts go the same road as before.
fn stays_on_road(before: Option<&Outlet>, now: &Outlet) -> bool {
    road(now).is_some_and(|road_now| before.and_then(road) == Some(road_now))
}

/// Something could not be sent, and this is news.
#[derive(Debug)]
pub(super) struct Failure {
    /// Whose frame it was.
    pub(super) slot: Slot,
    /// `advert` or `announcement`.
    pub(super) what: &'static str,
    /// Why not.
    pub(super) error: io::Error,
}

impl Voice {
    /// Opens the sockets.
    pub(super) fn open() -> io::Result<Self> {
        Ok(Self {
            roads: BTreeMap::new(),
            trails: BySlot::default(),
            bursts: PacketSocket::open()?,
            _sink: VrrpSocket::open()?,
            outlets: BySlot::default(),
            waiting: Announcements::default(),
            full_until: None,
            failing: BTreeMap::new(),
            together: Vec::with_capacity(BATCH),
        })
    }

    /// Gives a router its frames, and returns those it had.
    pub(super) fn set(&mut self, slot: Slot, outlet: Box<Outlet>) -> Option<Box<Outlet>> {
        if let Some(road) = road(&outlet)
            && let Entry::Vacant(none) = self.roads.entry(road)
            && let Ok(lanes) = lay(*none.key())
        {
            none.insert(lanes); // else it is tried again, and told, when there is something to send
        }
        let stays = stays_on_road(self.outlets.get(slot).map(|old| &**old), &outlet);
        match self.trails.get_mut(slot) {
            // Which of the former adverts are still queued is known, and tells of the new ones.
            Some(_) if stays => {}
            Some(trail) => trail.forget(),
            None => drop(self.trails.insert(slot, Trail::default())),
        }
        self.outlets.insert(slot, outlet)
    }

    fn failed(&mut self, slot: Slot, what: &'static str, error: io::Error) -> Option<Failure> {
        let before = self.failing.insert(slot, what);
        (before != Some(what)).then_some(Failure { slot, what, error })
    }

    /// Queues announcements.
    pub(super) fn announce(&mut self, slot: Slot, vips: Range<usize>, rounds: u32) {
        self.waiting.push(slot, vips, rounds);
    }

    /// Queues one announcement of one address, if it is the router's.
    pub(super) fn announce_address(&mut self, slot: Slot, addr: IpAddr) {
        let vips = self.outlets.get(slot).map(|outlet| outlet.vips.as_slice()).unwrap_or_default();
        if let Some(index) = vips.iter().position(|vip| *vip == addr) {
            self.waiting.push(slot, index..index + 1, 1);
        }
    }

    /// Takes the frames of a router that has left.
    pub(super) fn remove(&mut self, slot: Slot) -> Option<Box<Outlet>> {
        self.waiting.cancel(slot);
        self.failing.remove(&slot);
        self.trails.remove(slot);
        self.outlets.remove(slot)
    }

    /// Drops a router's queued announcements: it is no longer Active, or has other addresses now. Tells whether there were any.
    pub(super) fn hush(&mut self, slot: Slot) -> bool {
        self.waiting.cancel(slot)
    }

    /// Holds a router's announcements back until its addresses are in place, or until `opens`.
    pub(super) fn wait_for_addresses(&mut self, slot: Slot, number: u64, total: usize, opens: Time) {
        self.waiting.close(slot, number, total, opens);
    }

    /// Has announcements that wait for addresses wait until `opens` if need be.
    pub(super) fn wait_longer(&mut self, slot: Slot, opens: Time) {
        self.waiting.postpone(slot, opens);
    }

    /// Notes how far an acquisition has come.
    pub(super) fn placed(&mut self, placed: Placed) {
        self.waiting.placed(placed.slot, placed.number, placed.count);
    }

    /// Sends one slice of the queued announcements: whose, and how many; the failure is there if it is news.
    pub(super) fn speak(&mut self) -> Result<Option<(Slot, usize)>, Failure> {
        let now = clock::now();
        self.waiting.expire(now);
        if self.full_until.is_some_and(|until| now < until) {
            return Ok(None);
        }
        self.full_until = None;
        let Some((slot, vips)) = self.waiting.front() else { return Ok(None) };
        let Some(frames) = self.outlets.get(slot).and_then(|outlet| outlet.announcements.get(vips)) else {
            self.waiting.cancel(slot);
            return Ok(None);
        };
        let sent = self.bursts.send(frames);
        match sent.error {
            None => self.waiting.sent(sent.count, now),
            Some(error) if matches!(error.raw_os_error(), None | Some(libc::EAGAIN | libc::ENOBUFS)) => {
                self.waiting.sent(sent.count, now);
                self.full_until = Some(clock::now() + FULL);
            }
            Some(error) => {
                // The interface went; its routers hear of that over netlink.
                self.waiting.cancel(slot);
                return self.failed(slot, "announcement", error).map_or(Ok(None), Err);
            }
        }
        Ok(Some((slot, sent.count)))
    }

    /// Returns when [`speak`](Self::speak) has something to do: now is [`Time::ZERO`].
    pub(super) fn next(&self) -> Option<Time> {
        if self.waiting.is_empty() {
            return self.waiting.next();
        }
        Some(self.full_until.unwrap_or(Time::ZERO))
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::net::{frames::Line, packet::Frame, raw::Membership};

    fn outlet(advert: Message, every: Duration) -> Outlet {
        let resign = Message::Unicast(Vec::new());
        let line = Line::Group(Membership::join(Ipv4Addr::new(224, 0, 0, 18), 1).unwrap());
        Outlet { advert, resign, vips: Vec::new(), announcements: Vec::new(), line, every }
    }

    fn frame(ifindex: u32, octet: u8) -> Message {
        Message::Multicast(Frame { ifindex, octets: [octet].into() })
    }

    #[test]
    fn what_is_known_of_a_queue_is_kept_where_the_road_stays_the_same() {
        const EVERY: Duration = Duration::from_millis(10);
        let before = outlet(frame(4, 100), EVERY);
        for (now, stays) in [
            (outlet(frame(4, 90), EVERY), true),
            (outlet(frame(5, 100), EVERY), false),
            (outlet(frame(4, 100), EVERY * 2), false),
            (outlet(Message::Unicast(Vec::new()), EVERY), false),
        ] {
            assert_eq!(stays_on_road(Some(&before), &now), stays, "{now:?}");
            assert!(!stays_on_road(None, &now));
        }
        let unicast = outlet(Message::Unicast(Vec::new()), EVERY);
        assert!(!stays_on_road(Some(&unicast), &unicast));
    }
}
