//! Where a replay goes another way than the log.

use std::fmt;

use serde::Serialize;

use super::{Told, bfd::Instruction, timeline::since};
use crate::{
    proto::{self, bfd},
    units::Time,
};

/// What a state machine ordered where the log has something else.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Divergence {
    /// A router did.
    Router {
        /// Its name.
        router: String,
        /// What.
        #[serde(flatten)]
        what: Difference<Told, proto::Action>,
    },
    /// A BFD session did.
    Session {
        /// Its name.
        session: String,
        /// What.
        #[serde(flatten)]
        what: Difference<Instruction, bfd::Action>,
    },
}

/// What was expected, and what came.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Difference<E, A> {
    /// When.
    pub at: Time,
    /// The state before, with its deadlines.
    pub state: String,
    /// What it was told.
    pub event: E,
    /// What the log says it ordered.
    pub expected: Vec<A>,
    /// What it ordered now.
    pub got: Vec<A>,
}

impl Divergence {
    /// Describes it for a person, with the times since `start`.
    pub fn describe(&self, start: Time) -> String {
        match self {
            Self::Router { router, what } => what.describe(start, router),
            Self::Session { session, what } => what.describe(start, &format!("({session}) BFD")),
        }
    }
}

impl<E: fmt::Debug, A: fmt::Debug + PartialEq> Difference<E, A> {
    fn describe(&self, start: Time, name: &str) -> String {
        format!(
            "{} {name}: in {}, told {:?}\nexpected:\n{}got:\n{}",
            since(start, self.at),
            self.state,
            self.event,
            Listed(&self.expected, &self.got),
            Listed(&self.got, &self.expected),
        )
    }
}

/// One list of actions, the first that differs from the other list marked.
struct Listed<'a, A>(&'a [A], &'a [A]);

impl<A: fmt::Debug + PartialEq> fmt::Display for Listed<'_, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(these, others) = self;
        let first = these.iter().zip(*others).take_while(|(this, other)| this == other).count();
        if these.is_empty() {
            writeln!(f, "  > nothing")?;
        }
        for (index, action) in these.iter().enumerate() {
            writeln!(f, "  {} {action:?}", if index == first { '>' } else { ' ' })?;
        }
        if first == these.len() && !these.is_empty() {
            writeln!(f, "  > nothing more")?;
        }
        Ok(())
    }
}
