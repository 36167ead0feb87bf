//! How another thread has a packet leave at once, whatever the heartbeat is at.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use hadp_common::wire::bfd::{BFD_LEN, Control};

use super::order::{Heartbeat, Order};
use crate::{net::bfd::BfdSender, proto::bfd::SessionId, shell::clock};

/// For how long a thread tries that cannot send by itself: about what is left of a packet, if the heartbeat is at one on another
/// CPU.
const HASTE: Duration = Duration::from_micros(15);

/// A heart that other threads can have obey what waits, in their own time.
pub(super) trait Hands: Send + Sync {
    /// Obeys every order there is; false, and nothing is done, where a thread of the heartbeat is at it, or panicked at it.
    fn obey(&self) -> bool;
}

/// The sockets of sessions whose packets any thread can send. Those of authenticated ones carry numbers in a row, which the
/// heart alone counts.
#[derive(Clone, Default)]
pub(super) struct Lines(Arc<Mutex<BTreeMap<SessionId, Arc<BfdSender>>>>);

impl Lines {
    fn set(&self, session: SessionId, socket: Option<Arc<BfdSender>>) {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match socket {
            Some(socket) => drop(lines.insert(session, socket)),
            None => drop(lines.remove(&session)),
        }
    }

    /// Sends a packet; false where it did not leave, or another thread has the table.
    fn send(&self, session: SessionId, control: &Control) -> bool {
        let Ok(lines) = self.0.try_lock() else { return false };
        lines.get(&session).is_some_and(|socket| socket.send(&control.encode(BFD_LEN as u8)).is_ok())
    }
}

impl Heartbeat {
    /// Has a session's packets go by this socket from now on, `sealed` where they are authenticated; without one they cannot
    /// leave.
    pub(crate) fn connect(&self, session: SessionId, socket: Option<BfdSender>, sealed: bool) {
        let socket = socket.map(Arc::new);
        self.lines.set(session, socket.clone().filter(|_| !sealed));
        self.order(Order::Socket(session, socket));
    }

    /// Has a session's packet, which was queued, leave before it returns, by this thread: no other one has to be woken for it.
    ///
    /// Where the heartbeat has a turn, this thread sends a copy: the turn may be that of a thread on this CPU, which the caller
    /// keeps it from, or on one that stands still. Packets of before may follow, and the queued one does; a neighbour that
    /// is told of the end of a session takes no notice of the former (RFC 5880 §6.8.6). False where it is not known to have left: it
    /// was refused, or it is authenticated and the turn does not end: then it leaves when the heartbeat goes on.
    ///
    /// The caller still has to [`ring`](Self::ring), since the next packet may be due at another time.
    pub(crate) fn hasten(&self, session: SessionId, control: &Control) -> bool {
        let Some(hands) = &self.hands else { return false };
        let until = clock::now() + HASTE;
        let left = || self.shown().sent(session).packets;
        let before = left();
        loop {
            // Where nothing more has left, a thread of the heartbeat had obeyed already, or the kernel did not take it.
            if (hands.obey() && left() > before) || self.lines.send(session, control) {
                return true;
            }
            if clock::now() >= until {
                return false;
            }
            std::hint::spin_loop();
        }
    }
}

impl Heartbeat {
    /// Has what was ordered obeyed by this thread; false where the heartbeat is at something.
    pub(crate) fn obey_now(&self) -> bool {
        self.hands.as_ref().is_some_and(|hands| hands.obey())
    }
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;

    use super::*;
    use crate::{net::bfd::BfdPath, shell::heartbeat::order::channels};

    /// A heartbeat that is stopped in its turn.
    struct Stopped;

    impl Hands for Stopped {
        fn obey(&self) -> bool {
            false
        }
    }

    #[test]
    fn a_packet_leaves_although_the_heartbeat_is_stopped_in_its_turn() {
        let session = SessionId::new(1).unwrap();
        let neighbor = UdpSocket::bind("127.0.0.1:0").unwrap();
        neighbor.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
        let path = BfdPath {
            neighbor: neighbor.local_addr().unwrap().ip(),
            source: None,
            interface: None,
            multihop: false,
            ttl: 255,
        };
        let (heartbeat, _inbox, _bell) = channels().unwrap();
        let heartbeat = heartbeat.with_hands(Arc::new(Stopped));
        let control = Control { my_discriminator: 7, ..Control::default() };
        assert!(!heartbeat.hasten(session, &control), "there is no socket");
        for (sealed, leaves) in [(false, true), (true, false)] {
            let socket = BfdSender::open(&path, None).unwrap();
            socket.redirect(neighbor.local_addr().unwrap()).unwrap();
            heartbeat.connect(session, Some(socket), sealed);
            assert_eq!(heartbeat.hasten(session, &control), leaves, "sealed: {sealed}");
            let mut packet = [0; 64];
            let heard = neighbor.recv(&mut packet).ok();
            assert_eq!(heard.is_some(), leaves, "sealed: {sealed}");
            assert!(!leaves || packet.starts_with(&control.encode(BFD_LEN as u8)));
        }
        heartbeat.connect(session, None, false);
        assert!(!heartbeat.hasten(session, &control), "the socket is gone");
    }
}
