//! Reloads in an event log.

use std::fmt;

use serde::Serialize;

use super::{Difference, Divergence, Played, Player};
use crate::{
    proto::{Action, Addresses, Config, Event, Reconfiguration, Router, Slot},
    units::Time,
};

/// What a router was told where it decided otherwise.
#[derive(Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Told {
    /// An event.
    Event(Event),
    /// Another configuration.
    Reconfigured(Box<Config>),
}

impl fmt::Debug for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Event(event) => event.fmt(f),
            Self::Reconfigured(config) => write!(f, "Reconfigured({config:?})"),
        }
    }
}

/// A [`Record::Reconfigured`](super::Record::Reconfigured).
pub(super) struct Reconfigured {
    pub(super) at: Time,
    pub(super) slot: Slot,
    pub(super) name: String,
    pub(super) config: Config,
    pub(super) addresses: Addresses,
    pub(super) actions: Vec<Action>,
}

impl Player {
    /// Has a router take up another configuration, and compares what it orders.
    pub(super) fn reconfigure(&mut self, record: Reconfigured) -> Result<Played, String> {
        let Reconfigured { at, slot, name, config, addresses, actions: expected } = record;
        let mut played = Played::default();
        // By the name before: the new one is news.
        let counts = self.counts(self.names.get(&slot).map_or(&name, |before| before));
        self.names.insert(slot, name.clone());
        let Some(state) = self.node.get(slot).map(Router::state) else {
            if self.totals.gaps == 0 {
                return Err(format!("a reload for slot {}, where no router is", slot.index()));
            }
            self.totals.uncompared += 1;
            return Ok(played);
        };
        self.out.clear();
        let change = Reconfiguration { config: config.clone(), addresses };
        self.node.reconfigure(at, slot, change, &mut self.out);
        if !counts {
            return Ok(played);
        }
        self.totals.events += 1;
        self.totals.actions += self.out.len() as u64;
        if self.out.iter().map(|(_, action)| action).eq(&expected) {
            self.timeline.reconfigured(at, slot, &name, (&config, &expected), &mut played.entries);
        } else {
            played.entries = self.timeline.end();
            let what = Difference {
                at,
                state: format!("{state:?}"),
                event: Told::Reconfigured(Box::new(config)),
                expected,
                got: self.out.drain(..).map(|(_, action)| action).collect(),
            };
            played.divergence = Some(Divergence::Router { router: name, what });
        }
        Ok(played)
    }

    /// Takes a router out.
    pub(super) fn leave(&mut self, at: Time, slot: Slot) -> Played {
        let mut played = Played::default();
        if let Some(name) = self.names.remove(&slot)
            && self.counts(&name)
        {
            self.timeline.left(at, slot, &name, &mut played.entries);
        }
        self.node.remove(slot);
        played
    }
}
