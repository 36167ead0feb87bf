//! The sessions of an event log.
//!
//! A neighbour that sends every 250 us is looked for some 1,400 times a second, and is alive. Such readings are counted, and
//! are one record a second: the last one leaves a session as all of them do.

use std::{sync::Arc, time::Duration};

use super::{
    Recorder,
    entry::{Entry, SessionEntry},
};
use crate::{
    proto::bfd::{Action, Config, Event, Session, SessionId, Sessions},
    units::Time,
};

/// How long readings are counted before they are a record.
const SPAN: Duration = Duration::from_secs(1);

/// A session of the log.
#[derive(Debug)]
pub(super) struct KnownSession {
    name: Arc<str>,
    /// Up to which gap what it is like is known.
    gaps: u32,
    readings: Option<Readings>,
}

/// Readings that are not in the log yet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Readings {
    /// When the first one was told.
    since: Time,
    /// When the last one was.
    pub(super) at: Time,
    /// When the neighbour was last heard.
    pub(super) heard: Time,
    pub(super) count: u64,
    /// The longest silence that was found.
    pub(super) silence: Duration,
}

impl Recorder {
    /// Records that a session was made.
    pub(in super::super) fn session_joined(
        &mut self,
        at: Time,
        id: SessionId,
        name: &Arc<str>,
        (config, discriminator): (&Config, u32),
    ) {
        self.end_readings(id);
        let has_room = self.make_room(1);
        // Not known unless it is in the log.
        let gaps = if has_room { self.gaps } else { self.gaps.wrapping_sub(1) };
        self.sessions.insert(id, KnownSession { name: Arc::clone(name), gaps, readings: None });
        if has_room {
            let (name, config) = (Arc::clone(name), Box::new(config.clone()));
            self.push(Entry::Bfd(SessionEntry::Session { at, id, name, discriminator, config }));
        }
    }

    /// Records what a session was told and what it ordered; `sessions` has it as it is after that.
    pub(in super::super) fn session_told(
        &mut self,
        at: Time,
        id: SessionId,
        event: Event,
        actions: &[(SessionId, Action)],
        sessions: &Sessions,
    ) {
        let (Some(session), Some(known)) = (sessions.get(id), self.sessions.get_mut(&id)) else { return };
        if known.gaps == self.gaps && actions.is_empty() && session.is_kept_up_by(&event) {
            if known.read(at, event) {
                self.end_readings(id);
            }
            return;
        }
        self.record_session(id, SessionEntry::Event { at, id, event }, actions, session);
    }

    /// Records that a session took up another configuration, and what it ordered; `sessions` has it as it is after that.
    pub(in super::super) fn session_reconfigured(
        &mut self,
        at: Time,
        id: SessionId,
        actions: &[(SessionId, Action)],
        sessions: &Sessions,
    ) {
        let Some(session) = sessions.get(id).filter(|_| self.sessions.contains_key(&id)) else { return };
        let config = Box::new(session.config().clone());
        self.record_session(id, SessionEntry::Reconfigured { at, id, config }, actions, session);
    }

    fn record_session(
        &mut self,
        id: SessionId,
        what: SessionEntry,
        actions: &[(SessionId, Action)],
        session: &Session,
    ) {
        self.end_readings(id);
        if !self.make_room(actions.len() + 2) {
            return;
        }
        for (_, action) in actions {
            self.push(Entry::Bfd(SessionEntry::Action(*action)));
        }
        self.push(Entry::Bfd(what));
        if let Some(known) = self.sessions.get_mut(&id).filter(|known| known.gaps != self.gaps) {
            known.gaps = self.gaps;
            let (name, session) = (Arc::clone(&known.name), Box::new(session.clone()));
            self.push(Entry::Bfd(SessionEntry::Baseline { id, name, session }));
        }
    }

    /// Records all readings that are not in the log yet.
    pub(super) fn end_all_readings(&mut self) {
        let mut next = self.sessions.first_key_value().map(|(id, _)| *id);
        while let Some(id) = next {
            self.end_readings(id);
            next = self.sessions.range(id..).nth(1).map(|(id, _)| *id);
        }
    }

    /// Records the readings of a session, if there are any.
    fn end_readings(&mut self, id: SessionId) {
        let readings = self.sessions.get_mut(&id).and_then(|known| known.readings.take());
        if let Some(readings) = readings
            && self.make_room(1)
        {
            self.push(Entry::Bfd(SessionEntry::Readings { id, readings }));
        }
    }
}

impl KnownSession {
    /// Counts a reading, and tells whether it is time to write them. A deadline that had moved already counts for nothing.
    fn read(&mut self, at: Time, event: Event) -> bool {
        let Event::Alive { at: heard } = event else { return false };
        let none = Readings { since: at, at, heard, count: 0, silence: Duration::ZERO };
        let readings = self.readings.get_or_insert(none);
        readings.at = at;
        // Never later than it is told, as the session has it.
        readings.heard = readings.heard.max(heard).min(at);
        readings.count += 1;
        readings.silence = readings.silence.max(at.since(heard));
        at.since(readings.since) >= SPAN
    }
}
