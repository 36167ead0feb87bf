//! One session, as the heartbeat sees it.

use std::{io, time::Duration};

use hadp_common::wire::bfd::{BFD_LEN, Control};

use super::pace::{Luck, Pace};
use crate::{
    net::bfd::BfdSender,
    proto::bfd::{SessionId, Transmission},
    units::Time,
};

/// A session that is sent for.
pub(super) struct Beat {
    pub(super) id: SessionId,
    pub(super) socket: Option<BfdSender>,
    /// The guards it counts for.
    pub(super) guards: Vec<u32>,
    what: Option<Transmission>,
    pace: Pace,
    packet: [u8; BFD_LEN],
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
            pace: Pace::default(),
            packet: [0; BFD_LEN],
            failing: false,
        }
    }

    /// Returns when the next packet is due.
    pub(super) fn next(&self) -> Option<Time> {
        self.pace.next()
    }

    /// Returns how long after a packet the neighbour waits for the next, if it does.
    pub(super) fn detected_after(&self) -> Option<Duration> {
        self.what.and_then(|what| what.detected_after)
    }

    /// Takes up a new transmission.
    pub(super) fn change(&mut self, what: Option<Transmission>, luck: Luck, now: Time) {
        if let Some(what) = &what {
            self.packet = encode(&what.control);
        }
        self.pace.change(what.as_ref(), luck, now);
        self.what = what;
    }

    /// Sends the packet that is due, and plans the next one.
    pub(super) fn send_due(&mut self, luck: Luck, now: Time) -> Outcome {
        if let Some(what) = &self.what {
            self.pace.advance(what, luck, now);
        }
        let packet = self.packet;
        self.send(&packet)
    }

    /// Sends a packet beside those at their pace.
    pub(super) fn send_now(&mut self, control: &Control) -> Outcome {
        self.send(&encode(control))
    }

    fn send(&mut self, packet: &[u8]) -> Outcome {
        // Without a socket nothing leads to the neighbour, which the supervisor knows.
        let Some(socket) = &self.socket else { return Outcome::Refused };
        match socket.send(packet) {
            Ok(()) => {
                self.failing = false;
                Outcome::Left
            }
            Err(_) if self.failing => Outcome::Refused,
            Err(error) => {
                self.failing = true;
                Outcome::Failed(error)
            }
        }
    }
}

fn encode(control: &Control) -> [u8; BFD_LEN] {
    control.encode(BFD_LEN as u8)
}
