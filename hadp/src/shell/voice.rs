//! The election thread's way out: adverts and announcements.

use std::{collections::BTreeMap, io, net::IpAddr, ops::Range, time::Duration};

use super::{announcements::Announcements, clock, orders::Due, placer::Placed};
use crate::{
    net::{
        frames::{Line, Message, Outlet},
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
    /// Adverts have a socket of their own, so that no burst of announcements can fill their buffer.
    adverts: PacketSocket,
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
    together: Vec<Due>,
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
            adverts: PacketSocket::open()?,
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
        self.outlets.insert(slot, outlet)
    }

    /// Sends adverts: those by multicast together, as far as one system call goes. Appends what became of each.
    pub(super) fn advertise(&mut self, batch: &[Due], out: &mut Vec<Advertised>) {
        let mut together = std::mem::take(&mut self.together);
        for due in batch {
            match self.outlets.get(due.slot).map(|outlet| outlet.message(due.priority)) {
                Some(Message::Multicast(_)) => together.push(*due),
                Some(Message::Unicast(_)) => out.push(self.unicast(*due)),
                // Without frames nothing leaves, and nothing is news.
                None => out.push(Advertised { due: *due, at: clock::now(), result: Err(None) }),
            }
        }
        let mut left = together.as_slice();
        while !left.is_empty() {
            // Read before they leave: no lease must run from later than the peers' timers do.
            let at = clock::now();
            let sent = self.adverts.send(left.iter().filter_map(|due| {
                match self.outlets.get(due.slot)?.message(due.priority) {
                    Message::Multicast(frame) => Some(frame),
                    Message::Unicast(_) => None,
                }
            }));
            let (done, rest) = left.split_at(sent.count.min(left.len()));
            for due in done {
                self.failing.remove(&due.slot);
                out.push(Advertised { due: *due, at, result: Ok(()) });
            }
            left = rest;
            // Why the kernel stopped in the middle it says when asked again.
            if sent.count == 0
                && let Some((due, rest)) = left.split_first()
            {
                let error = sent.error.unwrap_or_else(|| io::ErrorKind::WriteZero.into());
                let result = Err(self.failed(due.slot, "advert", error));
                out.push(Advertised { due: *due, at, result });
                left = rest;
            }
        }
        together.clear();
        self.together = together;
    }

    /// Sends an advert to each peer; it has left if one of them could be reached.
    fn unicast(&mut self, due: Due) -> Advertised {
        let at = clock::now();
        let mut result = Err(io::ErrorKind::NotConnected.into());
        if let Some(outlet) = self.outlets.get(due.slot)
            && let (Message::Unicast(peers), Line::Peers(socket)) =
                (outlet.message(due.priority), &outlet.line)
        {
            for (peer, message) in peers {
                // One peer out of reach does not keep the others from hearing.
                let sent = socket.send(message, *peer);
                if result.is_err() {
                    result = sent;
                }
            }
        }
        let result = match result {
            Ok(()) => {
                self.failing.remove(&due.slot);
                Ok(())
            }
            Err(error) => Err(self.failed(due.slot, "advert", error)),
        };
        Advertised { due, at, result }
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
