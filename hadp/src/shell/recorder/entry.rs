//! What waits to be written.

use std::sync::Arc;

use crate::{
    proto::{Action, Config, Event, Reconfiguration, Router, Slot},
    replay::Record,
    units::Time,
};

/// A [`Record`], or a part of one, without a list in it: nothing is allocated for what happens often.
#[derive(Clone, Debug)]
pub(super) enum Entry {
    /// See [`Record::Router`].
    Router { at: Time, slot: Slot, name: Arc<str>, config: Box<Config> },
    /// An action of the event that follows.
    Action(Action),
    /// See [`Record::Event`]; it comes behind its actions, and so is whole.
    Event { at: Time, slot: Slot, event: Event },
    /// See [`Record::Reconfigured`]; it comes behind its actions.
    Reconfigured { at: Time, slot: Slot, name: Arc<str>, change: Box<Reconfiguration> },
    /// See [`Record::Left`].
    Left { at: Time, slot: Slot },
    /// See [`Record::Gap`].
    Gap { missing: u64 },
    /// See [`Record::Baseline`].
    Baseline { slot: Slot, name: Arc<str>, router: Box<Router> },
}

/// Makes records of entries.
#[derive(Debug, Default)]
pub(super) struct Assembly {
    actions: Vec<Action>,
}

impl Assembly {
    /// Takes an entry, and returns the record that it completes.
    pub(super) fn add(&mut self, entry: Entry) -> Option<Record> {
        Some(match entry {
            Entry::Action(action) => {
                self.actions.push(action);
                return None;
            }
            Entry::Router { at, slot, name, config } => {
                Record::Router { at, slot, name: name.to_string(), config: *config }
            }
            Entry::Event { at, slot, event } => {
                Record::Event { at, slot, event, actions: std::mem::take(&mut self.actions) }
            }
            Entry::Reconfigured { at, slot, name, change } => {
                let Reconfiguration { config, addresses } = *change;
                let actions = std::mem::take(&mut self.actions);
                Record::Reconfigured { at, slot, name: name.to_string(), config, addresses, actions }
            }
            Entry::Left { at, slot } => Record::Left { at, slot },
            Entry::Gap { missing } => Record::Gap { missing },
            Entry::Baseline { slot, name, router } => {
                Record::Baseline { slot, name: name.to_string(), router }
            }
        })
    }
}
