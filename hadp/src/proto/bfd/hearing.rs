//! What was heard of the neighbour, and when.

use hadp_common::wire::bfd::{Control, FINAL, POLL};

use super::Received;
use crate::units::Time;

/// The neighbour's last packet.
///
/// Packets reach a session twice and out of order: as events when they change something, and read from `BFD_SESSIONS`
/// when a deadline is due. Their time of arrival tells what is news.
#[derive(Clone, Debug, Default)]
pub(super) struct Hearing {
    /// The arrival of the last packet told as such.
    told: Option<Time>,
    /// The last arrival known of.
    at: Option<Time>,
    last: Option<Control>,
    /// Whether the neighbour was silent for a detection time since.
    forgotten: bool,
}

impl Hearing {
    /// Takes in a packet, unless it or a later one is known already; tells whether it is news.
    pub(super) fn note(&mut self, received: &Received) -> bool {
        if self.told.is_some_and(|told| received.at <= told) {
            return false;
        }
        self.told = Some(received.at);
        self.at = self.at.max(self.told);
        self.last = Some(received.control);
        self.forgotten = false;
        true
    }

    /// Takes in that the last packet was repeated; returns it as heard then, or `None` if a later arrival is known.
    pub(super) fn repeat(&mut self, at: Time) -> Option<Control> {
        let last = self.last.filter(|_| self.at.is_some_and(|known| known < at))?;
        self.at = Some(at);
        self.forgotten = false;
        // A poll and its answer are told as packets, never as repeated.
        Some(Control { flags: last.flags & !(POLL | FINAL), ..last })
    }

    /// Forgets the neighbour: it was silent for a detection time (RFC 5880 §6.8.1, bfd.RemoteDiscr).
    pub(super) fn forget(&mut self) {
        self.forgotten = true;
    }

    /// Returns the last packet of a neighbour that is not forgotten.
    pub(super) fn known(&self) -> Option<&Control> {
        self.last.as_ref().filter(|_| !self.forgotten)
    }

    /// Tells whether the neighbour was ever heard.
    pub(super) fn ever(&self) -> bool {
        self.last.is_some()
    }

    /// Returns when the neighbour was last heard.
    pub(super) fn at(&self) -> Option<Time> {
        self.at
    }
}
