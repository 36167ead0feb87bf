//! Threads that the daemon cannot do without.
//!
//! One that fails or panics leaves the others going on as if nothing had happened, with nobody who sends, decides or puts
//! addresses on. So its end is told, and the whole process ends: it has a companion for that.

use std::{
    any::Any,
    io,
    panic::{self, AssertUnwindSafe},
    thread::{self, JoinHandle},
};

use tokio::sync::mpsc::UnboundedSender;
use tracing::error;

use super::{messages::Notice, report, start::StartError, supervisor::Supervisor};
use crate::companion::Phase;

/// One of them.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Vital {
    Election,
    Heartbeat,
    Placer,
}

impl Vital {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Election => "election",
            Self::Heartbeat => "heartbeat",
            Self::Placer => "placer",
        }
    }
}

/// How the supervisor hears of a thread's end that nobody ordered.
#[derive(Clone, Debug)]
pub(crate) struct Alarm {
    vital: Vital,
    notices: UnboundedSender<Notice>,
}

impl Alarm {
    pub(crate) fn new(vital: Vital, notices: UnboundedSender<Notice>) -> Self {
        Self { vital, notices }
    }

    /// Starts a thread. Should it fail or panic, [`Notice::Ended`] tells of that; who joins it sees the panic too.
    ///
    /// # Errors
    ///
    /// When there can be no thread.
    pub(crate) fn spawn(
        self,
        name: &str,
        body: impl FnOnce() -> io::Result<()> + Send + 'static,
    ) -> io::Result<JoinHandle<()>> {
        // What others may still use of a thread that panicked is behind locks, which are poisoned then, or atomic.
        let watched = move || match panic::catch_unwind(AssertUnwindSafe(body)) {
            Ok(Ok(())) => {}
            Ok(Err(cause)) => self.raise(cause),
            Err(panic) => {
                self.raise(io::Error::other(format!("it panicked: {}", words(&*panic))));
                panic::resume_unwind(panic)
            }
        };
        thread::Builder::new().name(name.to_owned()).spawn(watched)
    }

    fn raise(&self, cause: io::Error) {
        // Without a supervisor the process is about to end.
        drop(self.notices.send(Notice::Ended { vital: self.vital, cause }));
    }
}

/// Returns what a panic said.
fn words(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("it did not say why")
}

impl Supervisor {
    /// Has the daemon end for want of a thread, and returns why.
    ///
    /// It hands nothing over and takes nothing off, as if it had been killed: the companion keeps its routers Active
    /// until a new daemon goes on within their leases, or hands them over, as it is configured.
    pub(super) fn abandon(&self, vital: Vital, cause: io::Error) -> StartError {
        let error = lost(vital, cause);
        error!("{}; ending, for another daemon to go on", report::chain(&error));
        self.will.announce(Phase::Failed);
        error
    }
}

/// Returns the loss of a thread as an error.
pub(super) fn lost(vital: Vital, source: io::Error) -> StartError {
    StartError::ThreadEnded { thread: vital.name(), source }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc;

    use super::*;

    #[test]
    fn an_end_that_nobody_ordered_is_told_with_its_cause() {
        type Body = fn() -> io::Result<()>;
        let rows: [(Body, Option<&str>, bool); 4] = [
            (|| Ok(()), None, true),
            (|| Err(io::ErrorKind::OutOfMemory.into()), Some("out of memory"), true),
            (|| panic!("a bug"), Some("it panicked: a bug"), false),
            (|| panic!("bug {}", 7), Some("it panicked: bug 7"), false),
        ];
        for (body, told, well) in rows {
            let (notices, mut received) = mpsc::unbounded_channel();
            let thread = Alarm::new(Vital::Placer, notices).spawn("vital", body).unwrap();
            assert_eq!(thread.join().is_ok(), well, "{told:?}");
            let cause = match received.try_recv().ok() {
                Some(Notice::Ended { vital: Vital::Placer, cause }) => Some(cause.to_string()),
                Some(_) => panic!("another notice"),
                None => None,
            };
            assert_eq!(cause.as_deref(), told);
        }
    }
}
