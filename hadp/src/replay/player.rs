//! Tells the state machines what a log says they were told, and compares what they order.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::{
    Record, Told,
    bfd::Sessions,
    divergence::{Difference, Divergence},
    reload::Reconfigured,
    timeline::{Entry, Timeline},
};
use crate::{
    proto::{Action, Event, Node, Router, Slot},
    units::Time,
};

/// The state machines of a log.
#[derive(Debug)]
pub struct Player {
    pub(super) node: Node,
    pub(super) names: BTreeMap<Slot, String>,
    /// The only router that counts, if there is one.
    only: Option<String>,
    pub(super) timeline: Timeline,
    sessions: Sessions,
    pub(super) totals: Totals,
    pub(super) out: Vec<(Slot, Action)>,
}

/// What came of a record.
#[derive(Debug, Default)]
pub struct Played {
    /// What to tell of it.
    pub entries: Vec<Entry>,
    /// Where the state machine ordered something else; what follows cannot be compared.
    pub divergence: Option<Divergence>,
}

/// How much was gone through.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
pub struct Totals {
    /// The events that were told and whose actions were compared.
    pub events: u64,
    /// The actions.
    pub actions: u64,
    /// The gaps.
    pub gaps: u64,
    /// The records that are missing there.
    pub missing: u64,
    /// The events behind a gap that could not be compared, as what the router was like is not known.
    pub uncompared: u64,
}

impl Player {
    /// Begins a replay of a log that was begun at `start`, of one router or of all.
    pub fn new(start: Time, only: Option<String>) -> Self {
        Self {
            node: Node::default(),
            names: BTreeMap::new(),
            only,
            timeline: Timeline::new(start),
            sessions: Sessions::new(start),
            totals: Totals::default(),
            out: Vec::new(),
        }
    }

    /// Goes through one record.
    ///
    /// # Errors
    ///
    /// What is wrong with it: it does not fit those before.
    pub fn play(&mut self, record: Record) -> Result<Played, String> {
        let mut played = Played::default();
        match record {
            Record::Header(_) => return Err("a second header".to_owned()),
            Record::Router { at, slot, name, config } => {
                if self.counts(&name) {
                    self.timeline.joined(at, slot, &name, &config, &mut played.entries);
                }
                self.names.insert(slot, name);
                self.node.insert(slot, Router::new(config, at));
            }
            Record::Event { at, slot, event, actions } => {
                return self.tell(at, slot, event, actions);
            }
            Record::Reconfigured { at, slot, name, config, addresses, actions } => {
                return self.reconfigure(Reconfigured { at, slot, name, config, addresses, actions });
            }
            Record::Left { at, slot } => return Ok(self.leave(at, slot)),
            Record::Gap { missing } => {
                self.totals.gaps += 1;
                self.totals.missing = self.totals.missing.saturating_add(missing);
                self.node = Node::default();
                played.entries = self.sessions.gap();
                self.timeline.gap(missing, &mut played.entries);
            }
            Record::Baseline { slot, name, router } => {
                if self.totals.gaps == 0 {
                    return Err("a baseline without a gap before it".to_owned());
                }
                self.names.insert(slot, name);
                self.node.insert(slot, *router);
            }
            // Which sessions a router follows, a log does not say.
            Record::Bfd(_) if self.only.is_some() => {}
            Record::Bfd(record) => {
                played = self.sessions.play(record, &mut self.totals)?;
                if played.divergence.is_some() {
                    played.entries = self.end();
                }
            }
        }
        Ok(played)
    }

    /// Returns what is left to tell at the end.
    pub fn end(&mut self) -> Vec<Entry> {
        let mut rest = self.timeline.end();
        rest.extend(self.sessions.end());
        rest
    }

    /// Returns how much was gone through.
    pub fn totals(&self) -> Totals {
        self.totals
    }

    /// Returns the names of the routers so far.
    pub fn names(&self) -> BTreeSet<&str> {
        self.names.values().map(String::as_str).collect()
    }

    /// Returns the sessions as they are now.
    #[cfg(test)]
    pub(crate) fn sessions(&self) -> &crate::proto::bfd::Sessions {
        self.sessions.get()
    }

    pub(super) fn counts(&self, name: &str) -> bool {
        self.only.as_deref().is_none_or(|only| only == name)
    }

    fn tell(&mut self, at: Time, slot: Slot, event: Event, expected: Vec<Action>) -> Result<Played, String> {
        let mut played = Played::default();
        let name = self.names.get(&slot).map_or("?", String::as_str);
        if !self.counts(name) {
            return Ok(played);
        }
        let Some(state) = self.node.get(slot).map(Router::state) else {
            if self.totals.gaps == 0 {
                return Err(format!("an event for slot {}, where no router is", slot.index()));
            }
            self.totals.uncompared += 1;
            self.timeline.told(at, slot, name, &event, &expected, &mut played.entries);
            return Ok(played);
        };
        self.out.clear();
        self.node.handle(at, slot, event, &mut self.out);
        self.totals.events += 1;
        self.totals.actions += self.out.len() as u64;
        if self.out.iter().map(|(_, action)| action).eq(&expected) {
            self.timeline.told(at, slot, name, &event, &expected, &mut played.entries);
        } else {
            let what = Difference {
                at,
                state: format!("{state:?}"),
                event: Told::Event(event),
                expected,
                got: self.out.drain(..).map(|(_, action)| action).collect(),
            };
            played.divergence = Some(Divergence::Router { router: name.to_owned(), what });
            played.entries = self.end();
        }
        Ok(played)
    }
}
