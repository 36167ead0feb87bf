//! One virtual router's state machine.

use super::{Action, Cause, Config, Event, State};
use crate::units::Time;

/// A virtual router (RFC 9568 §6).
#[derive(Clone, Debug)]
pub struct Router {
    config: Config,
    state: State,
}

impl Router {
    /// Builds a router in Initialize.
    pub fn new(config: Config) -> Self {
        Self { config, state: State::Initialize { cause: Cause::NotStarted } }
    }

    /// Applies one event and appends the actions it orders.
    pub fn handle(&mut self, _now: Time, _event: Event, _out: &mut Vec<Action>) {}

    /// Returns when [`Event::Timeout`] is due.
    pub fn next_deadline(&self) -> Option<Time> {
        None
    }

    /// Returns the state.
    pub fn state(&self) -> State {
        self.state
    }

    /// Returns the configuration.
    pub fn config(&self) -> &Config {
        &self.config
    }
}
