//! One session, as the heartbeat sees it.

use std::{io, sync::Arc, time::Duration};

use hadp_common::wire::bfd::{BFD_LEN, Control};

use super::keeping::{Keeping, Kept};
use crate::{
    model::BfdAuth,
    net::bfd::BfdSender,
    proto::bfd::{AUTH_PACKET_LEN, Luck, Schedule, Sealer, SessionId, Transmission},
    units::Time,
};

/// The share of an interval by which a packet is late before the reserve sends it, as a divisor: what is left must do for
/// waking up, and a neighbour that can miss `multiplier` - 1 packets notices nothing.
const LATE: u32 = 8;
/// The least such time: the first thread has woken up and sent by then, where nothing holds it.
const LEAST_LATE: Duration = Duration::from_micros(30);

/// A session that is sent for.
pub(super) struct Beat {
    pub(super) id: SessionId,
    pub(super) socket: Option<Arc<BfdSender>>,
    /// The guards it counts for.
    pub(super) guards: Vec<u32>,
    what: Option<Transmission>,
    schedule: Schedule,
    keeping: Keeping,
    packet: Packet,
    /// Signs, where the session is authenticated.
    sealer: Option<Sealer>,
    /// When a packet left beside those at their pace, since the last of those.
    beside: Option<Time>,
    /// Whether its last packet was refused, so that this is told once.
    failing: bool,
}

/// What became of a packet.
pub(super) enum Outcome {
    /// It left.
    Left,
    /// The kernel did not take it, as it did not take the one before.
    Refused,
    /// The kernel did not take it, which is news.
    Failed(io::Error),
}

impl Beat {
    /// Starts silent.
    pub(super) fn new(id: SessionId) -> Self {
        Self {
            id,
            socket: None,
            guards: Vec::new(),
            what: None,
            schedule: Schedule::default(),
            keeping: Keeping::default(),
            packet: Packet::Plain([0; BFD_LEN]),
            sealer: None,
            beside: None,
            failing: false,
        }
    }

    /// Returns when the next packet is due.
    pub(super) fn next(&self) -> Option<Time> {
        self.schedule.next()
    }

    /// Returns when the next packet is so late that another thread has to send it.
    pub(super) fn overdue(&self) -> Option<Time> {
        let late = LEAST_LATE.max(self.what.as_ref()?.every / LATE);
        self.schedule.next().map(|next| next + late)
    }

    /// Notes that a packet was due, and returns the interval that was asked for and what became of it.
    pub(super) fn keep(&mut self, now: Time) -> Option<(Duration, Kept)> {
        let every = self.what.as_ref()?.every;
        Some((every, self.keeping.sent(every, now)))
    }

    /// Returns how long after a packet the neighbour waits for the next, if it does.
    pub(super) fn detected_after(&self) -> Option<Duration> {
        self.what.and_then(|what| what.detected_after)
    }

    /// Takes up a new transmission.
    pub(super) fn change(&mut self, what: Option<Transmission>, luck: Luck, now: Time) {
        if let Some(what) = &what {
            self.packet = Packet::Plain(what.control.encode(BFD_LEN as u8));
        }
        self.schedule.change(self.what.as_ref(), what.as_ref(), luck, now);
        self.what = what;
    }

    /// Signs packets from now on.
    pub(super) fn seal(&mut self, auth: BfdAuth, sequence: u32) {
        if self.sealer.is_none() {
            self.sealer = Some(Sealer::new(auth, sequence));
        }
    }

    /// Sends the packet that is due, and plans the next one.
    pub(super) fn send_due(&mut self, luck: Luck, now: Time) -> Outcome {
        self.beside = None;
        let Some(what) = &self.what else { return Outcome::Refused };
        self.schedule.advance(what, luck, now);
        if let Some(sealer) = &mut self.sealer {
            self.packet = Packet::Sealed(sealer.seal(&what.control));
        }
        send(self.socket.as_deref(), self.packet.octets(), &mut self.failing)
    }

    /// Sends a packet beside those at their pace.
    pub(super) fn send_now(&mut self, control: &Control, now: Time) -> Outcome {
        let packet = match &mut self.sealer {
            Some(sealer) => Packet::Sealed(sealer.seal(control)),
            None => Packet::Plain(control.encode(BFD_LEN as u8)),
        };
        let outcome = send(self.socket.as_deref(), packet.octets(), &mut self.failing);
        if matches!(outcome, Outcome::Left) {
            self.beside = Some(now);
        }
        outcome
    }

    /// Takes the time a packet left at beside those at their pace, once: the neighbour may go by what it said already.
    pub(super) fn take_beside(&mut self) -> Option<Time> {
        self.beside.take()
    }
}

/// A packet that is ready.
enum Packet {
    Plain([u8; BFD_LEN]),
    Sealed([u8; AUTH_PACKET_LEN]),
}

impl Packet {
    fn octets(&self) -> &[u8] {
        match self {
            Self::Plain(octets) => octets,
            Self::Sealed(octets) => octets,
        }
    }
}

fn send(socket: Option<&BfdSender>, packet: &[u8], failing: &mut bool) -> Outcome {
    // Without a socket nothing leads to the neighbour, which the supervisor knows.
    let Some(socket) = socket else { return Outcome::Refused };
    match socket.send(packet) {
        Ok(()) => {
            *failing = false;
            Outcome::Left
        }
        Err(_) if *failing => Outcome::Refused,
        Err(error) => {
            *failing = true;
            Outcome::Failed(error)
        }
    }
}
