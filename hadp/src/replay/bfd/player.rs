//! Tells sessions what a log says they were told, and compares what they order.

use std::collections::BTreeMap;

use super::{
    super::{
        divergence::{Difference, Divergence},
        player::{Played, Totals},
        timeline::Entry,
    },
    Instruction, Remark, SessionRecord,
    timeline::Told,
};
use crate::{
    proto::bfd::{self, Action, Event, Session, SessionId, SessionState},
    units::Time,
};

/// The sessions of a log.
#[derive(Debug)]
pub(in super::super) struct Sessions {
    start: Time,
    last: Time,
    sessions: bfd::Sessions,
    names: BTreeMap<SessionId, String>,
    told: BTreeMap<SessionId, Told>,
    out: Vec<(SessionId, Action)>,
}

impl Sessions {
    pub(in super::super) fn new(start: Time) -> Self {
        Self {
            start,
            last: start,
            sessions: bfd::Sessions::default(),
            names: BTreeMap::new(),
            told: BTreeMap::new(),
            out: Vec::new(),
        }
    }

    /// Goes through one record.
    ///
    /// # Errors
    ///
    /// What is wrong with it: it does not fit those before.
    pub(in super::super) fn play(
        &mut self,
        record: SessionRecord,
        totals: &mut Totals,
    ) -> Result<Played, String> {
        let mut played = Played::default();
        match record {
            SessionRecord::Session { at, id, name, discriminator, config } => {
                self.last = self.last.max(at);
                self.names.insert(id, name);
                self.told.insert(id, Told::default());
                played.entries.push(self.entry(id, at, Remark::joined(&config)));
                self.sessions.insert(id, Session::new(config, discriminator, at));
            }
            SessionRecord::Event { at, id, event, actions } => {
                let heard = self.sessions.get(id).and_then(Session::last_heard);
                played.divergence = self.tell(at, id, Instruction::Event(event), &actions, totals)?;
                if played.divergence.is_none() {
                    let (told, session) = (self.told.entry(id).or_default(), self.sessions.get(id));
                    let remarks = told.told(at, &event, &actions, heard, session);
                    played.entries.extend(remarks.into_iter().map(|remark| self.entry(id, at, remark)));
                }
            }
            SessionRecord::Reconfigured { at, id, config, actions } => {
                let remark = Remark::reconfigured(&config);
                let told = Instruction::Reconfigured(Box::new(config));
                played.divergence = self.tell(at, id, told, &actions, totals)?;
                if played.divergence.is_none() {
                    played.entries.push(self.entry(id, at, remark));
                    let told = self.told.entry(id).or_default();
                    let remarks = told.ordered(at, &actions);
                    played.entries.extend(remarks.into_iter().map(|remark| self.entry(id, at, remark)));
                }
            }
            SessionRecord::Readings { at, id, heard, count, silence } => {
                let event = Event::Alive { at: heard };
                played.divergence = self.tell(at, id, Instruction::Event(event), &[], totals)?;
                if played.divergence.is_none() {
                    self.told.entry(id).or_default().read(count, silence);
                }
            }
            SessionRecord::Baseline { id, name, session } => {
                if totals.gaps == 0 {
                    return Err("a baseline without a gap before it".to_owned());
                }
                self.names.insert(id, name);
                self.sessions.insert(id, *session);
            }
        }
        Ok(played)
    }

    /// Forgets what the sessions were like: what happened to them is missing.
    pub(in super::super) fn gap(&mut self) -> Vec<Entry> {
        let rest = self.end();
        self.sessions = bfd::Sessions::default();
        self.told.clear();
        rest
    }

    /// Returns what went on as before until the end.
    pub(in super::super) fn end(&mut self) -> Vec<Entry> {
        let rest = self.told.iter_mut().filter_map(|(id, told)| Some((*id, told.end()?)));
        let rest: Vec<(SessionId, Remark)> = rest.collect();
        rest.into_iter().map(|(id, remark)| self.entry(id, self.last, remark)).collect()
    }

    /// Returns them as they are now.
    #[cfg(test)]
    pub(in super::super) fn get(&self) -> &bfd::Sessions {
        &self.sessions
    }

    fn tell(
        &mut self,
        at: Time,
        id: SessionId,
        told: Instruction,
        expected: &[Action],
        totals: &mut Totals,
    ) -> Result<Option<Divergence>, String> {
        self.last = self.last.max(at);
        let Some(state) = self.sessions.get(id).map(Session::state) else {
            if totals.gaps == 0 {
                return Err(format!("an event for BFD session {}, which is not there", id.index()));
            }
            totals.uncompared += 1;
            return Ok(None);
        };
        let deadline = self.sessions.get(id).and_then(Session::next_deadline);
        self.out.clear();
        match &told {
            Instruction::Event(event) => self.sessions.handle(at, id, *event, &mut self.out),
            Instruction::Reconfigured(config) => {
                self.sessions.reconfigure(at, id, (**config).clone(), &mut self.out);
            }
        }
        totals.events += 1;
        totals.actions += self.out.len() as u64;
        if self.out.iter().map(|(_, action)| action).eq(expected) {
            return Ok(None);
        }
        Ok(Some(Divergence::Session {
            session: self.name(id).to_owned(),
            what: Difference {
                at,
                state: describe(state, deadline),
                event: told,
                expected: expected.to_vec(),
                got: self.out.drain(..).map(|(_, action)| action).collect(),
            },
        }))
    }

    fn name(&self, id: SessionId) -> &str {
        self.names.get(&id).map_or("?", String::as_str)
    }

    fn entry(&self, id: SessionId, at: Time, remark: Remark) -> Entry {
        Entry::of_session(self.start, at, self.name(id), remark)
    }
}

fn describe(state: SessionState, deadline: Option<Time>) -> String {
    let name = state.name();
    deadline.map_or_else(|| name.to_owned(), |deadline| format!("{name} {{ deadline: {deadline:?} }}"))
}
