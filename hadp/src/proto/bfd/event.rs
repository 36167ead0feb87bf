//! What a session is configured with, and what happens to it.

use std::time::Duration;

use hadp_common::{bfd::MAX_BFD_SESSIONS, wire::bfd::Control};

use crate::{
    model::BfdInstance,
    units::{OutOfRange, Time},
};

/// The place of a session in `BFD_KEYS` and `BFD_SESSIONS`, and the low octet of its local discriminator: 1..=255.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[cfg_attr(
    feature = "daemon",
    derive(serde::Deserialize, serde::Serialize),
    serde(try_from = "u32", into = "u32")
)]
pub struct SessionId(u32);

impl SessionId {
    /// Builds an identifier, or `None` for 0 and beyond the maps' end.
    pub const fn new(index: u32) -> Option<Self> {
        if index > 0 && index < MAX_BFD_SESSIONS { Some(Self(index)) } else { None }
    }

    /// Returns the index in the maps.
    pub const fn index(self) -> u32 {
        self.0
    }
}

impl TryFrom<u32> for SessionId {
    type Error = OutOfRange;

    fn try_from(index: u32) -> Result<Self, OutOfRange> {
        Self::new(index).ok_or(OutOfRange::new("a session", index))
    }
}

impl From<SessionId> for u32 {
    fn from(id: SessionId) -> Self {
        id.index()
    }
}

/// The part of a [`BfdInstance`](crate::model::BfdInstance) that its state machine needs.
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "daemon", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "daemon", serde(deny_unknown_fields))]
pub struct Config {
    /// Desired Min TX Interval.
    #[cfg_attr(feature = "daemon", serde(with = "crate::units::nanos"))]
    pub min_tx: Duration,
    /// Required Min RX Interval.
    #[cfg_attr(feature = "daemon", serde(with = "crate::units::nanos"))]
    pub min_rx: Duration,
    /// The transmit interval while not Up.
    #[cfg_attr(feature = "daemon", serde(with = "crate::units::nanos"))]
    pub idle_tx: Duration,
    /// Detect Mult, not 0.
    pub multiplier: u8,
    /// Nothing is sent before the neighbour was heard.
    pub passive: bool,
    /// Packets are authenticated.
    pub authenticated: bool,
    /// A session that falls again and again is not counted on for a while; alike at both ends.
    pub flap_damping: bool,
}

impl From<&BfdInstance> for Config {
    fn from(instance: &BfdInstance) -> Self {
        Self {
            min_tx: instance.min_tx,
            min_rx: instance.min_rx,
            idle_tx: instance.idle_tx,
            multiplier: instance.multiplier,
            passive: instance.passive,
            authenticated: instance.auth.is_some(),
            flap_damping: instance.flap_damping,
        }
    }
}

/// Something that happened to a session.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "daemon", derive(serde::Deserialize, serde::Serialize))]
pub enum Event {
    /// The session may run.
    Start,
    /// A packet that changed something, or polls, arrived. It has passed the checks of RFC 5880 §6.8.6 that need no state.
    Packet(Received),
    /// The neighbour was last heard then, by packets that changed nothing: the detection time runs from there.
    Alive {
        /// The arrival of the last one.
        at: Time,
    },
    /// The operator, or a planned handover, takes the session down (RFC 5880 §6.8.16).
    AdminDown,
    /// That is over.
    AdminUp,
    /// The local end of the path failed, as its interface lost its carrier: Diag Path Down.
    PathDown,
    /// A deadline may have passed.
    Timeout,
}

/// A valid packet.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "daemon", derive(serde::Deserialize, serde::Serialize))]
pub struct Received {
    /// When it arrived.
    pub at: Time,
    /// What it says.
    pub control: Control,
}
