//! A word to the neighbours when a router's link is gone, over the paths that are left.
//!
//! A node whose link to the clients fails cannot resign on it. Where the routers there follow a session over another path
//! (a second link between the nodes), AdminDown on it tells the neighbour at once what it would else find out by silence on
//! a path that is not silent at all. The session comes up again right after: it has a path, and routers that return want it.

use std::{collections::BTreeMap, time::Duration};

use crate::{proto::bfd::SessionId, units::Time};

/// How long a session stays in AdminDown: long enough for a neighbour to hear several packets at a pace of milliseconds.
const SPAN: Duration = Duration::from_millis(100);

/// A session that the router follows, with what else depends on it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Kin {
    /// How many routers that follow or track it are Active here: AdminDown would take them away from this node.
    pub(super) active: usize,
    /// Whether it is Up, so that there is somebody to tell.
    pub(super) up: bool,
}

/// The sessions that are in AdminDown for a moment.
#[derive(Debug, Default)]
pub(super) struct Farewell {
    until: BTreeMap<SessionId, Time>,
}

impl Farewell {
    /// Decides which of these sessions say farewell.
    pub(super) fn begin(&mut self, sessions: &[(SessionId, Kin)], now: Time) -> Vec<SessionId> {
        let free = sessions.iter().filter(|(_, kin)| kin.up && kin.active == 0).map(|(id, _)| *id);
        let begun: Vec<SessionId> = free.filter(|id| !self.until.contains_key(id)).collect();
        self.until.extend(begun.iter().map(|id| (*id, now + SPAN)));
        begun
    }

    /// Returns when the first of them comes up again.
    pub(super) fn next_deadline(&self) -> Option<Time> {
        self.until.values().min().copied()
    }

    /// Returns those that are to come up again by now.
    pub(super) fn over(&mut self, now: Time) -> Vec<SessionId> {
        let over: Vec<SessionId> =
            self.until.iter().filter(|(_, until)| **until <= now).map(|(id, _)| *id).collect();
        for id in &over {
            self.until.remove(id);
        }
        over
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_says_farewell_once_nothing_here_depends_on_it() {
        let id = |index| SessionId::new(index).unwrap();
        let at = |millis: u64| Time::from_nanos(millis * 1_000_000);
        let kin = |active, up| Kin { active, up };
        let mut farewell = Farewell::default();
        let sessions =
            [(id(1), kin(0, true)), (id(2), kin(1, true)), (id(3), kin(0, false)), (id(4), kin(0, true))];
        assert_eq!(farewell.begin(&sessions, at(1000)), [id(1), id(4)]);
        assert_eq!(farewell.begin(&sessions, at(1050)), [], "they are at it");
        assert_eq!(farewell.next_deadline(), Some(at(1100)));
        assert_eq!(farewell.over(at(1099)), []);
        assert_eq!(farewell.over(at(1100)), [id(1), id(4)]);
        assert_eq!((farewell.over(at(1200)), farewell.next_deadline()), (vec![], None));
    }
}
