//! The records of sessions.

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{
    proto::bfd::{Action, Config, Event, Session, SessionId},
    units::{Time, nanos},
};

/// What happened to a BFD session. Keys are nowhere in it: a state machine knows only whether there is one.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub enum SessionRecord {
    /// A session was made, in Down, in place of the one that was there.
    Session {
        /// When.
        at: Time,
        /// Its place in the maps.
        id: SessionId,
        /// The name of the instance.
        name: String,
        /// The local discriminator.
        discriminator: u32,
        /// The configuration.
        config: Config,
    },
    /// A session was told an event.
    Event {
        /// The time it was told.
        at: Time,
        /// The session.
        id: SessionId,
        /// The event.
        event: Event,
        /// What it ordered.
        actions: Vec<Action>,
    },
    /// A session took up another configuration.
    Reconfigured {
        /// When.
        at: Time,
        /// The session.
        id: SessionId,
        /// The configuration.
        config: Config,
        /// What it ordered.
        actions: Vec<Action>,
    },
    /// A session that was Up was told several times that its neighbour is alive, which moved its deadline and ordered nothing.
    ///
    /// The last of these readings stands for all of them, see [`Session::is_kept_up_by`].
    Readings {
        /// The time it was told the last one.
        at: Time,
        /// The session.
        id: SessionId,
        /// When the neighbour was last heard.
        heard: Time,
        /// How many there were.
        count: u64,
        /// The longest silence that any of them found.
        #[serde(with = "nanos")]
        silence: Duration,
    },
    /// What a session is like after the first event that follows a gap.
    Baseline {
        /// The session.
        id: SessionId,
        /// The name of the instance.
        name: String,
        /// All of it.
        session: Box<Session>,
    },
}

/// What a session was told where it decided otherwise.
#[derive(Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Instruction {
    /// An event.
    Event(Event),
    /// Another configuration.
    Reconfigured(Box<Config>),
}

impl fmt::Debug for Instruction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Event(event) => event.fmt(f),
            Self::Reconfigured(config) => write!(f, "Reconfigured({config:?})"),
        }
    }
}
