//! The election thread's way out: adverts and announcements.

use std::{collections::BTreeMap, io, net::IpAddr, ops::Range, time::Duration};

use super::{announcements::Announcements, clock};
use crate::{
    net::{
        frames::{Message, Outlet},
        packet::PacketSocket,
    },
    proto::Slot,
    units::Time,
};

/// How long announcements wait after the interface's queue was full.
const FULL: Duration = Duration::from_micros(500);

/// All sockets and frames of the election thread.
pub(super) struct Voice {
    /// Adverts have a socket of their own, so that no burst of announcements can fill their buffer.
    adverts: PacketSocket,
    bursts: PacketSocket,
    outlets: BTreeMap<Slot, Box<Outlet>>,
    waiting: Announcements,
    /// Until when announcements wait because the queue was full.
    full_until: Option<Time>,
    /// Routers whose last send failed, so that it is reported once.
    failing: BTreeMap<Slot, &'static str>,
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
            outlets: BTreeMap::new(),
            waiting: Announcements::default(),
            full_until: None,
            failing: BTreeMap::new(),
        })
    }

    /// Gives a router its frames, and returns those it had.
    pub(super) fn set(&mut self, slot: Slot, outlet: Box<Outlet>) -> Option<Box<Outlet>> {
        self.outlets.insert(slot, outlet)
    }

    /// Sends an advert with the router's priority, or with 0.
    ///
    /// # Errors
    ///
    /// When it did not leave, by unicast to no peer at all; the failure is there if it is news.
    pub(super) fn advertise(&mut self, slot: Slot, priority: u8) -> Result<(), Option<Failure>> {
        let Some(outlet) = self.outlets.get(&slot) else { return Err(None) };
        let result = match if priority == 0 { &outlet.resign } else { &outlet.advert } {
            Message::Multicast(frame) => self.adverts.send([frame]).error.map_or(Ok(()), Err),
            Message::Unicast(peers) => {
                let mut result = Err(io::ErrorKind::NotConnected.into());
                for (peer, message) in peers {
                    // One peer out of reach does not keep the others from hearing.
                    let sent = outlet.socket.send(message, *peer);
                    if result.is_err() {
                        result = sent;
                    }
                }
                result
            }
        };
        match result {
            Ok(()) => {
                self.failing.remove(&slot);
                Ok(())
            }
            Err(error) => Err(self.failed(slot, "advert", error)),
        }
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
        let vips = self.outlets.get(&slot).map(|outlet| outlet.vips.as_slice()).unwrap_or_default();
        if let Some(index) = vips.iter().position(|vip| *vip == addr) {
            self.waiting.push(slot, index..index + 1, 1);
        }
    }

    /// Drops a router's queued announcements: it is no longer Active.
    pub(super) fn hush(&mut self, slot: Slot) {
        self.waiting.cancel(slot);
    }

    /// Sends one slice of the queued announcements; the failure is there if it is news.
    pub(super) fn speak(&mut self) -> Option<Failure> {
        if self.full_until.is_some_and(|until| clock::now() < until) {
            return None;
        }
        self.full_until = None;
        let (slot, vips) = self.waiting.front()?;
        let Some(frames) = self.outlets.get(&slot).and_then(|outlet| outlet.announcements.get(vips)) else {
            self.waiting.cancel(slot);
            return None;
        };
        let sent = self.bursts.send(frames);
        match sent.error {
            None => self.waiting.sent(sent.count),
            Some(error) if matches!(error.raw_os_error(), None | Some(libc::EAGAIN | libc::ENOBUFS)) => {
                self.waiting.sent(sent.count);
                self.full_until = Some(clock::now() + FULL);
            }
            Some(error) => {
                // The interface went; its routers hear of that over netlink.
                self.waiting.cancel(slot);
                return self.failed(slot, "announcement", error);
            }
        }
        None
    }

    /// Returns when [`speak`](Self::speak) has something to do: now is [`Time::ZERO`].
    pub(super) fn next(&self) -> Option<Time> {
        (!self.waiting.is_empty()).then(|| self.full_until.unwrap_or(Time::ZERO))
    }
}
