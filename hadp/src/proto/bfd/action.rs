//! What a session orders.

use std::time::Duration;

use hadp_common::wire::bfd::{Control, SessionState};

/// An order to the shell, to be carried out in the order given.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "daemon", derive(serde::Deserialize, serde::Serialize))]
pub enum Action {
    /// From now on send this; it replaces what was sent before. `None` stops sending.
    Transmit(Option<Transmission>),
    /// Send one packet at once, beside those at their pace: a Final in answer to a Poll, or a change of state that must not
    /// wait.
    SendNow(Control),
    /// The state changed.
    Changed {
        /// The state before.
        from: SessionState,
        /// The state after.
        to: SessionState,
        /// Why.
        diag: Diag,
    },
    /// The session has stayed Up long enough after it flapped: what follows it may count on it again.
    Settled,
}

impl Action {
    /// Tells whether this end gives up a neighbour that it counted on, which may be alive, and does not know.
    pub fn gives_up(&self) -> bool {
        matches!(self, Self::Changed { from: SessionState::Up, diag: Diag::DetectionTimeExpired, .. })
    }

    /// Tells whether the neighbour knows of this, so that its flap damping is as far as this end's. Of a fall it may not: until
    /// it does, it counts on the session, and takes over by it.
    pub fn is_at_neighbor_too(&self) -> bool {
        match self {
            Self::Changed { to, .. } => matches!(to, SessionState::Init | SessionState::Up),
            Self::Settled => true,
            Self::Transmit(_) | Self::SendNow(_) => false,
        }
    }
}

/// What the sending thread sends for a session until told otherwise.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "daemon", derive(serde::Deserialize, serde::Serialize))]
pub struct Transmission {
    /// The packet.
    pub control: Control,
    /// The interval before jitter (RFC 5880 §6.8.7): the thread takes 0-25 % off each, 10-25 % with multiplier 1.
    #[cfg_attr(feature = "daemon", serde(with = "crate::units::nanos"))]
    pub every: Duration,
    /// How long after a packet from here the neighbour waits before it takes this node for dead; `None` while it cannot be
    /// waiting. Guards are renewed to *sent + this - margin* while it is there.
    #[cfg_attr(feature = "daemon", serde(with = "crate::units::nanos::option"))]
    pub detected_after: Option<Duration>,
}

/// Diag: why a session went down (RFC 5880 §4.1).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[cfg_attr(feature = "daemon", derive(serde::Deserialize, serde::Serialize))]
#[repr(u8)]
pub enum Diag {
    /// No Diagnostic.
    #[default]
    None = 0,
    /// Control Detection Time Expired: the neighbour has fallen silent.
    DetectionTimeExpired = 1,
    /// Neighbor Signaled Session Down: it is alive, and does not hear this node, or was told to go down.
    NeighborSignaledDown = 3,
    /// Path Down.
    PathDown = 5,
    /// Administratively Down.
    AdministrativelyDown = 7,
}
