//! What waits to be written.

use std::sync::Arc;

use super::sessions::Readings;
use crate::{
    proto::{
        Action, Config, Event, Reconfiguration, Router, Slot,
        bfd::{self, Session, SessionId},
    },
    replay::{Record, SessionRecord},
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
    /// Of a BFD session.
    Bfd(SessionEntry),
}

/// A [`SessionRecord`], or a part of one.
#[derive(Clone, Debug)]
pub(super) enum SessionEntry {
    /// See [`SessionRecord::Session`].
    Session { at: Time, id: SessionId, name: Arc<str>, discriminator: u32, config: Box<bfd::Config> },
    /// An action of the session's event that follows.
    Action(bfd::Action),
    /// See [`SessionRecord::Event`]; it comes behind its actions.
    Event { at: Time, id: SessionId, event: bfd::Event },
    /// See [`SessionRecord::Reconfigured`]; it comes behind its actions.
    Reconfigured { at: Time, id: SessionId, config: Box<bfd::Config> },
    /// See [`SessionRecord::Readings`].
    Readings { id: SessionId, readings: Readings },
    /// See [`SessionRecord::Baseline`].
    Baseline { id: SessionId, name: Arc<str>, session: Box<Session> },
}

/// Makes records of entries.
#[derive(Debug, Default)]
pub(super) struct Assembly {
    actions: Vec<Action>,
    session_actions: Vec<bfd::Action>,
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
            Entry::Bfd(entry) => Record::Bfd(self.add_session(entry)?),
        })
    }

    fn add_session(&mut self, entry: SessionEntry) -> Option<SessionRecord> {
        Some(match entry {
            SessionEntry::Action(action) => {
                self.session_actions.push(action);
                return None;
            }
            SessionEntry::Session { at, id, name, discriminator, config } => {
                SessionRecord::Session { at, id, name: name.to_string(), discriminator, config: *config }
            }
            SessionEntry::Event { at, id, event } => {
                let actions = std::mem::take(&mut self.session_actions);
                SessionRecord::Event { at, id, event, actions }
            }
            SessionEntry::Reconfigured { at, id, config } => {
                let actions = std::mem::take(&mut self.session_actions);
                SessionRecord::Reconfigured { at, id, config: *config, actions }
            }
            SessionEntry::Readings { id, readings: Readings { at, heard, count, silence, .. } } => {
                SessionRecord::Readings { at, id, heard, count, silence }
            }
            SessionEntry::Baseline { id, name, session } => {
                SessionRecord::Baseline { id, name: name.to_string(), session }
            }
        })
    }
}
