//! How other threads speak to the heartbeat, and what they can read of it.

use std::{
    io,
    net::IpAddr,
    os::fd::{AsFd, BorrowedFd},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, Sender, channel},
    },
    time::Duration,
};

use hadp_common::{bfd::MAX_BFD_SESSIONS, wire::bfd::Control};
use nix::sys::eventfd::{EfdFlags, EventFd};
use tokio::sync::oneshot;

use super::haste::{Hands, Lines};
use crate::{
    model::BfdAuth,
    net::{bfd::BfdSender, bfd_receive::BfdReceiver},
    proto::bfd::{SessionId, Transmission},
    shell::lateness::Lateness,
    units::Time,
};

/// An order to the heartbeat.
pub(crate) enum Order {
    /// The session's packets go by this socket from now on; without one they cannot leave.
    Socket(SessionId, Option<Arc<BfdSender>>),
    /// The session counts for these guards.
    Guards(SessionId, Vec<u32>),
    /// The session's packets are signed, and those of its neighbour verified.
    Authenticate(SessionId, Box<Heard>),
    /// From now on send this; `None` stops sending.
    Transmit(SessionId, Option<Transmission>),
    /// Send one packet at once, beside those at their pace.
    SendNow(SessionId, Control),
    /// The answer to a lapse that was told: every router of this guard that it concerned has stepped down, so it may count again.
    Rearm(u32),
    /// This guard counts again although its routers go on: they have taken over from the dead. Not after this time: who says so
    /// has gone on, and may know better by then.
    Reopen(u32, Time),
    /// The datapath may have ended this guard: look, if nothing is to be renewed that would show it.
    Ended(u32),
    /// The session is no more: nothing of it is kept.
    Forget(SessionId),
    /// Say so once all that was ordered before has been obeyed.
    Obeyed(oneshot::Sender<()>),
    /// The sockets to hear authenticated packets with.
    Listen(Vec<BfdReceiver>),
    /// End the thread.
    Stop,
}

/// Whose authenticated packets a session takes, and by which key.
#[derive(Clone, Debug)]
pub(crate) struct Heard {
    /// The neighbour.
    pub(crate) addr: IpAddr,
    /// The address its packets are sent to; `None` for any of this node's.
    pub(crate) local: Option<IpAddr>,
    /// The interface they must arrive on; 0 for any.
    pub(crate) ifindex: u32,
    /// The smallest TTL or hop limit accepted.
    pub(crate) min_ttl: u8,
    /// Whether the session runs over several hops.
    pub(crate) multihop: bool,
    /// The local discriminator.
    pub(crate) discriminator: u32,
    /// Required Min RX Interval.
    pub(crate) min_rx: Duration,
    /// The key.
    pub(crate) auth: BfdAuth,
}

/// What the heartbeat counts of one session.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Sent {
    /// Packets that left.
    pub(crate) packets: u64,
    /// Packets that the kernel did not take.
    pub(crate) failures: u64,
    /// The interval that its packets have, where that is far longer than asked.
    pub(crate) kept: Option<Duration>,
}

/// What the heartbeat shows of itself.
#[derive(Debug)]
pub(crate) struct Shown {
    /// How late it wakes up.
    pub(crate) lateness: Lateness,
    /// Packets that the reserve sent, as the first thread did not.
    relieved: AtomicU64,
    sent: Vec<Counts>,
}

/// What is counted of a session.
#[derive(Debug, Default)]
struct Counts {
    left: AtomicU64,
    failed: AtomicU64,
    /// The interval that its packets have, in nanoseconds, where that is far longer than asked; else 0.
    kept_ns: AtomicU64,
}

impl Shown {
    /// Counts a packet.
    pub(super) fn count(&self, session: SessionId, left: bool) {
        if let Some(counts) = self.counts(session) {
            let count = if left { &counts.left } else { &counts.failed };
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Begins to count anew, for another session in the place of one that is no more.
    pub(super) fn forget(&self, session: SessionId) {
        if let Some(counts) = self.counts(session) {
            for count in [&counts.left, &counts.failed, &counts.kept_ns] {
                count.store(0, Ordering::Relaxed);
            }
        }
    }

    /// Counts a packet that the reserve sent.
    pub(super) fn count_relief(&self) {
        self.relieved.fetch_add(1, Ordering::Relaxed);
    }

    /// Notes the interval that a session's packets have, if it is far longer than asked.
    pub(super) fn keep(&self, session: SessionId, kept: Option<Duration>) {
        if let Some(counts) = self.counts(session) {
            let nanos = kept.map_or(0, |kept| u64::try_from(kept.as_nanos()).unwrap_or(u64::MAX));
            counts.kept_ns.store(nanos, Ordering::Relaxed);
        }
    }

    /// Returns how many packets the reserve sent, as the first thread did not.
    pub(crate) fn relieved(&self) -> u64 {
        self.relieved.load(Ordering::Relaxed)
    }

    /// Returns what was sent for a session.
    pub(crate) fn sent(&self, session: SessionId) -> Sent {
        let Some(counts) = self.counts(session) else { return Sent::default() };
        let kept = counts.kept_ns.load(Ordering::Relaxed);
        Sent {
            packets: counts.left.load(Ordering::Relaxed),
            failures: counts.failed.load(Ordering::Relaxed),
            kept: (kept > 0).then(|| Duration::from_nanos(kept)),
        }
    }

    fn counts(&self, session: SessionId) -> Option<&Counts> {
        self.sent.get(usize::try_from(session.index()).ok()?)
    }
}

/// The other threads' end.
#[derive(Clone)]
pub(crate) struct Heartbeat {
    orders: Sender<Order>,
    wake: Arc<EventFd>,
    shown: Arc<Shown>,
    pub(super) lines: Lines,
    pub(super) hands: Option<Arc<dyn Hands>>,
}

/// The heartbeat's end.
pub(super) struct Inbox {
    pub(super) orders: Receiver<Order>,
    pub(super) shown: Arc<Shown>,
}

/// What the heartbeat waits for, to be told of orders.
#[derive(Debug)]
pub(super) struct Bell(Arc<EventFd>);

/// Makes both ends.
///
/// # Errors
///
/// When no descriptor is left.
pub(super) fn channels() -> io::Result<(Heartbeat, Inbox, Bell)> {
    let flags = EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK;
    let wake = Arc::new(EventFd::from_value_and_flags(0, flags)?);
    let (orders, obeyed) = channel();
    let sent = (0..MAX_BFD_SESSIONS).map(|_| Default::default()).collect();
    let shown = Arc::new(Shown { lateness: Lateness::default(), relieved: AtomicU64::new(0), sent });
    let inbox = Inbox { orders: obeyed, shown: Arc::clone(&shown) };
    let bell = Bell(Arc::clone(&wake));
    Ok((Heartbeat { orders, wake, shown, lines: Lines::default(), hands: None }, inbox, bell))
}

impl Heartbeat {
    /// Lets callers lend a hand.
    pub(super) fn with_hands(self, hands: Arc<dyn Hands>) -> Self {
        Self { hands: Some(hands), ..self }
    }

    /// Gives an order, which is obeyed at once.
    pub(crate) fn order(&self, order: Order) {
        self.queue(order);
        self.ring();
    }

    /// Gives an order, which is obeyed when the heartbeat wakes up next.
    pub(crate) fn queue(&self, order: Order) {
        // A heartbeat that is gone sends nothing; its sessions' neighbours find that out, and guards have lapsed.
        drop(self.orders.send(order));
    }

    /// Wakes the heartbeat.
    pub(crate) fn ring(&self) {
        // The counter is full: it wakes up in any case.
        let _: nix::Result<usize> = self.wake.write(1);
    }

    /// Returns what the heartbeat shows of itself.
    pub(crate) fn shown(&self) -> &Shown {
        &self.shown
    }
}

impl Bell {
    /// Takes note of having been rung.
    pub(super) fn heard(&self) {
        // It fails when nobody has rung, which is as good.
        let _: nix::Result<u64> = self.0.read();
    }
}

impl AsFd for Bell {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
