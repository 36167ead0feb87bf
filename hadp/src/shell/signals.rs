//! The signals that the daemon handles.

use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::{
    clock,
    start::{StartError, failed},
};
use crate::units::Time;

/// How soon after the first a second SIGTERM is the same one: a service manager tells every process of a service, and the
/// companion passes on what it is told.
const ECHO: Duration = Duration::from_millis(300);

/// What a signal asks for.
pub(super) enum Heard {
    /// To stop.
    Stop,
    /// To read the configuration again.
    Reload,
    /// Nothing yet.
    Unused(&'static str),
}

/// The signals.
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
    /// Signals that keepalived gives a meaning, and that would end a process that does not handle them.
    user: [Signal; 2],
    stopped_at: Option<Time>,
}

impl Signals {
    /// Handles them from now on.
    pub(super) fn catch() -> Result<Self, StartError> {
        let catch = |name: &str, kind| signal(kind).map_err(failed(format!("handle {name}")));
        Ok(Self {
            terminate: catch("SIGTERM", SignalKind::terminate())?,
            interrupt: catch("SIGINT", SignalKind::interrupt())?,
            hangup: catch("SIGHUP", SignalKind::hangup())?,
            user: [
                catch("SIGUSR1", SignalKind::user_defined1())?,
                catch("SIGUSR2", SignalKind::user_defined2())?,
            ],
            stopped_at: None,
        })
    }

    /// Waits for the next one.
    pub(super) async fn next(&mut self) -> Heard {
        loop {
            let [first, second] = &mut self.user;
            tokio::select! {
                _ = self.terminate.recv() => {}
                _ = self.interrupt.recv() => {}
                _ = self.hangup.recv() => return Heard::Reload,
                _ = first.recv() => return Heard::Unused("SIGUSR1"),
                _ = second.recv() => return Heard::Unused("SIGUSR2"),
            }
            let now = clock::now();
            let before = self.stopped_at.replace(now);
            if before.is_none_or(|before| now.since(before) > ECHO) {
                return Heard::Stop;
            }
        }
    }
}
