//! The states of a router.

use super::Cause;
use crate::units::Time;

/// The state of a virtual router (RFC 9568 §6.4), each with the deadline it waits for.
///
/// ```text
///                    +------------+
///        Fault  +--->| Initialize |<---+ Fault, Shutdown
///               |    +------------+    |
///               |       |      |       |
///               |  <255 |      | 255,  |
///               |       |      | resumed
///               |       v      v       |
///            +--------+  timer, +--------+  Shutdown,  +-----------+
///            |        |  BFD    |        |  Resign     |           |--> Initialize,
///            | Backup |-------->| Active |------------>| Resigning |    Backup if started again
///            |        |<--------|        | priority 0  | (answers) |    or on request
///            +--------+ higher, |        |<------------|           |
///                  lease over   +--------+  nobody     +-----------+
///                  or revoked              took over
/// ```
///
/// A successor that is heard starts a drain, which lies beside the states: the addresses stay a little longer, whatever
/// the router does next.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "daemon", derive(serde::Deserialize, serde::Serialize))]
pub enum State {
    /// Not running.
    Initialize {
        /// Why not.
        cause: Cause,
    },
    /// Another router is, or may be, Active.
    Backup {
        /// When Active_Down_Timer fires.
        active_down: Time,
    },
    /// This router owns the virtual addresses.
    Active {
        /// When Adver_Timer fires.
        next_advert: Time,
        /// When the lease ends unless it is renewed.
        lease: Time,
    },
    /// Priority 0 has been sent; this router goes on answering until a successor is heard, so that a planned handover
    /// loses no packet.
    Resigning {
        /// When it stops all the same: never after the lease it had.
        until: Time,
        /// Where it goes then.
        next: Next,
    },
}

/// Where a router goes once it has handed over.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "daemon", derive(serde::Deserialize, serde::Serialize))]
pub enum Next {
    /// To Initialize, for the reason it resigned.
    Initialize(Cause),
    /// To Backup: it was told to start again while it still resigned.
    Backup,
    /// To Backup, without preempting the successor, or, if there is none, back to Active: the operator asked for it.
    Available,
}

/// The name of a state.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "daemon", derive(serde::Serialize))]
pub(super) struct Name(pub(super) &'static str);

impl State {
    /// Returns the state's name.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Initialize { .. } => "Initialize",
            Self::Backup { .. } => "Backup",
            Self::Active { .. } => "Active",
            Self::Resigning { .. } => "Resigning",
        }
    }
}
