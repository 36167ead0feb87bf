//! What was heard of the neighbour, and when.

use hadp_common::wire::bfd::{Control, FINAL, POLL};

use super::{Event, Received};
use crate::units::Time;

/// The neighbour's last packet.
///
/// Packets reach a session twice and out of order: as events when they change something, and read from `BFD_SESSIONS`
/// when a deadline is due. Their time of arrival tells what is news.
#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "daemon", derive(serde::Deserialize, serde::Serialize))]
pub(super) struct Hearing {
    /// The arrival of the last packet told as such.
    told: Option<Time>,
    /// The last arrival known of.
    at: Option<Time>,
    last: Option<Control>,
    /// Its My Discriminator in the packet before that one.
    before: Option<u32>,
    /// Whether the neighbour was silent for a detection time since.
    forgotten: bool,
}

impl Hearing {
    /// Returns the event that a packet read from the datapath's record stands for.
    pub(super) fn reading(&self, received: Received) -> Option<Event> {
        let content = |control: Control| Control { required_min_echo_rx_us: 0, ..quiet(control) };
        if self.last.is_some_and(|last| content(last) == content(received.control)) {
            let news = self.at.is_none_or(|at| at < received.at);
            news.then_some(Event::Alive { at: received.at })
        } else {
            let news = self.told.is_none_or(|told| told < received.at);
            news.then_some(Event::Packet(received))
        }
    }

    /// Takes in a packet, unless it or a later one is known already; tells whether it is news.
    pub(super) fn note(&mut self, received: &Received) -> bool {
        if self.told.is_some_and(|told| received.at <= told) {
            return false;
        }
        self.told = Some(received.at);
        self.at = self.at.max(self.told);
        self.before = self.last.replace(received.control).map(|last| last.my_discriminator);
        self.forgotten = false;
        true
    }

    /// Takes in that the last packet was repeated; returns it as heard then, or `None` if a later arrival is known.
    pub(super) fn repeat(&mut self, at: Time) -> Option<Control> {
        let last = self.last.filter(|_| self.at.is_some_and(|known| known < at))?;
        self.at = Some(at);
        self.forgotten = false;
        Some(quiet(last))
    }

    /// Forgets the neighbour: it was silent for a detection time (RFC 5880 §6.8.1, bfd.RemoteDiscr).
    pub(super) fn forget(&mut self) {
        self.forgotten = true;
    }

    /// Returns the last packet of a neighbour that is not forgotten.
    pub(super) fn known(&self) -> Option<&Control> {
        self.last.as_ref().filter(|_| !self.forgotten)
    }

    /// Tells whether the last packet told is from the same session of the neighbour as the one before it: a neighbour that
    /// starts anew takes another discriminator.
    pub(super) fn is_same_neighbor(&self) -> bool {
        self.last.is_some_and(|last| self.before == Some(last.my_discriminator))
    }

    /// Tells whether the last packet told is the first one of a neighbour that starts anew.
    pub(super) fn is_new_neighbor(&self) -> bool {
        self.before.is_some() && !self.is_same_neighbor()
    }

    /// Returns when the neighbour was last heard.
    pub(super) fn at(&self) -> Option<Time> {
        self.at
    }
}

/// Returns a packet as repeated: a Poll, or the Final that answers one, is told as a packet of its own.
const fn quiet(control: Control) -> Control {
    Control { flags: control.flags & !(POLL | FINAL), ..control }
}
