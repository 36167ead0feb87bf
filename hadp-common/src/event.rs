//! `EVENTS`: what may change an election.

use crate::{addr::Address, macros::map_types};

/// The size of the ring buffer `EVENTS`, in octets.
pub const EVENTS_LEN: usize = 256 * 1024;

/// What an [`Event`] tells.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub enum EventKind {
    /// A valid advert that differs from the sender's last one, is its first, or was heard by the owner.
    Advert = 1,
    /// Another station claimed or probed a virtual address that this node owns; `addr` is that address.
    Conflict = 2,
    /// A malformed, forged or looped-back advert was dropped; at most one event a second and reason.
    Rejected = 3,
    /// A BFD packet changed something of its session, or carries Poll or Final; `slot` is the session's index. The event
    /// carries the packet, since the next one may already have replaced it in `BFD_SESSIONS`:
    /// [`BfdSession::from_event`](crate::bfd::BfdSession::from_event).
    Bfd = 4,
}

impl EventKind {
    /// Returns the kind of this number.
    pub const fn from_number(number: u8) -> Option<Self> {
        match number {
            1 => Some(Self::Advert),
            2 => Some(Self::Conflict),
            3 => Some(Self::Rejected),
            4 => Some(Self::Bfd),
            _ => None,
        }
    }
}

/// Where the rate limits of [`EventKind::Rejected`] begin in `LIMITS`, one for each
/// [`DropReason`](crate::stats::DropReason).
pub const LIMIT_REJECTED: u32 = 0;
/// Where the rate limits of [`EventKind::Conflict`] begin in `LIMITS`, one for each slot.
pub const LIMIT_CONFLICT: u32 = 64;
/// The number of entries in `LIMITS`.
pub const LIMITS_LEN: u32 = LIMIT_CONFLICT + crate::router::MAX_ROUTERS;

const _: () = assert!(crate::stats::DropReason::ALL.len() <= (LIMIT_CONFLICT - LIMIT_REJECTED) as usize);

/// [`Event::slot`] when no router is concerned.
pub const NO_SLOT: u32 = u32::MAX;

map_types! {
    /// A record of the ring buffer `EVENTS`.
    #[derive(Default)]
    pub struct Event[48] {
        /// When the packet arrived, in nanoseconds of CLOCK_MONOTONIC.
        pub at_ns: u64,
        /// The router concerned, or [`NO_SLOT`].
        pub slot: u32,
        /// The interface the packet arrived on.
        pub ifindex: u32,
        /// The sender of an advert; the contested address of a conflict. A BFD packet's discriminators (My, Your) and
        /// intervals (Desired Min TX, Required Min RX), as the words of an address.
        pub addr: Address,
        /// The fingerprint of the advert's address list. A BFD packet's first three octets.
        pub addresses_hash: u32,
        /// The advert's interval, in centiseconds.
        pub interval_cs: u16,
        /// The source MAC of the frame.
        pub mac: [u8; 6],
        /// An [`EventKind`].
        pub kind: u8,
        /// The [`DropReason`](crate::stats::DropReason) of a rejected advert.
        pub reason: u8,
        /// The advert's priority.
        pub priority: u8,
        /// The advert's virtual router identifier.
        pub vrid: u8,
    }
}
