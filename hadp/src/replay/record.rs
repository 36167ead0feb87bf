//! What an event log consists of.

use serde::{Deserialize, Serialize};

use super::SessionRecord;
use crate::{
    proto::{Action, Addresses, Config, Event, Router, Slot},
    units::Time,
};

/// The version of the format.
pub const FORMAT: u32 = 2;

/// The oldest version that is read; it has no BFD sessions, and else is the same.
pub const OLDEST_FORMAT: u32 = 1;

/// One line of an event log, as JSON.
///
/// Times are nanoseconds of CLOCK_MONOTONIC, spans are nanoseconds, advertisement intervals centiseconds. What a
/// BFD session means to a router is among the events of that router.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub enum Record {
    /// The first line.
    Header(Header),
    /// A router was put in a slot, in Initialize, in place of the one that was there.
    Router {
        /// When.
        at: Time,
        /// The slot.
        slot: Slot,
        /// The name of the instance.
        name: String,
        /// The configuration.
        config: Config,
    },
    /// A router was told an event.
    Event {
        /// The time it was told.
        at: Time,
        /// The router's slot.
        slot: Slot,
        /// The event.
        event: Event,
        /// What it ordered.
        actions: Vec<Action>,
    },
    /// A router's configuration changed while it ran: a reload.
    Reconfigured {
        /// When.
        at: Time,
        /// The router's slot.
        slot: Slot,
        /// The name of the instance now.
        name: String,
        /// The new configuration.
        config: Config,
        /// What became of its addresses.
        addresses: Addresses,
        /// What it ordered.
        actions: Vec<Action>,
    },
    /// A router was taken out of its slot: it has left the configuration.
    Left {
        /// When.
        at: Time,
        /// The slot.
        slot: Slot,
    },
    /// Records are missing here: they came faster than they could be written.
    Gap {
        /// How many.
        missing: u64,
    },
    /// What a router is like after the first event that follows a gap.
    Baseline {
        /// The router's slot.
        slot: Slot,
        /// The name of the instance.
        name: String,
        /// All of it.
        router: Box<Router>,
    },
    /// Something happened to a BFD session.
    Bfd(SessionRecord),
}

/// Where and when an event log was begun.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// [`FORMAT`].
    pub format: u32,
    /// The version of hadp that wrote it.
    pub hadp: String,
    /// The boot that CLOCK_MONOTONIC counts from; empty if unknown.
    pub boot_id: String,
    /// When the log was begun.
    pub start: Time,
    /// The same by the wall clock, in nanoseconds since 1970.
    pub wall: u64,
}
