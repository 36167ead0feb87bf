//! All sessions of this machine.

use std::collections::{BTreeMap, BTreeSet};

use super::{Action, Config, Event, Session, SessionId};
use crate::units::Time;

/// The sessions of a node, and which of them is due next.
///
/// The driver's loop is: while [`due`](Self::due) names a session, tell it what
/// [`Session::reading`] makes of its record, then [`Event::Timeout`]; its deadline then lies ahead, so the loop ends, and every session has had its turn.
#[derive(Clone, Debug, Default)]
pub struct Sessions {
    sessions: BTreeMap<SessionId, Session>,
    /// Every session's [`Session::next_deadline`], the earliest first.
    deadlines: BTreeSet<(Time, SessionId)>,
    scratch: Vec<Action>,
}

impl Sessions {
    /// Puts a session in its place and returns the one that was there.
    pub fn insert(&mut self, id: SessionId, session: Session) -> Option<Session> {
        let old = self.remove(id);
        self.deadlines.extend(session.next_deadline().map(|at| (at, id)));
        self.sessions.insert(id, session);
        old
    }

    /// Takes a session out; for the neighbour to know, it is to be taken down before, see [`Session::farewell_until`].
    pub fn remove(&mut self, id: SessionId) -> Option<Session> {
        let session = self.sessions.remove(&id)?;
        if let Some(at) = session.next_deadline() {
            self.deadlines.remove(&(at, id));
        }
        Some(session)
    }

    /// Returns a session.
    pub fn get(&self, id: SessionId) -> Option<&Session> {
        self.sessions.get(&id)
    }

    /// Returns all sessions, by ascending identifier.
    pub fn iter(&self) -> impl Iterator<Item = (SessionId, &Session)> {
        self.sessions.iter().map(|(id, session)| (*id, session))
    }

    /// Applies one event to a session, see [`Session::handle`]; without one, nothing happens.
    pub fn handle(&mut self, now: Time, id: SessionId, event: Event, out: &mut Vec<(SessionId, Action)>) {
        self.change(id, out, |session, actions| session.handle(now, event, actions));
    }

    /// Changes a session's configuration, see [`Session::reconfigure`].
    pub fn reconfigure(
        &mut self,
        now: Time,
        id: SessionId,
        config: Config,
        out: &mut Vec<(SessionId, Action)>,
    ) {
        self.change(id, out, |session, actions| session.reconfigure(now, config, actions));
    }

    /// Returns the session that is due next, and when.
    pub fn first(&self) -> Option<(SessionId, Time)> {
        self.deadlines.first().map(|(at, id)| (*id, *at))
    }

    /// Returns when the next session is due.
    pub fn next_deadline(&self) -> Option<Time> {
        self.first().map(|(_, at)| at)
    }

    /// Returns the session that has been due longest, if one is.
    pub fn due(&self, now: Time) -> Option<SessionId> {
        self.first().filter(|(_, at)| *at <= now).map(|(id, _)| id)
    }

    fn change(
        &mut self,
        id: SessionId,
        out: &mut Vec<(SessionId, Action)>,
        change: impl FnOnce(&mut Session, &mut Vec<Action>),
    ) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        let before = session.next_deadline();
        change(session, &mut self.scratch);
        let after = session.next_deadline();
        if before != after {
            if let Some(at) = before {
                self.deadlines.remove(&(at, id));
            }
            self.deadlines.extend(after.map(|at| (at, id)));
        }
        out.extend(self.scratch.drain(..).map(|action| (id, action)));
    }
}
