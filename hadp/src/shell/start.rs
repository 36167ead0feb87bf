//! What a start needs, and why one fails.

use std::{io, path::PathBuf};

use super::{neighbors::TooManySessions, roster::TooManyRouters};
use crate::{
    datapath::{CleanupError, OpenError},
    dir_lock::DirLockError,
};

/// Where the daemon keeps what outlives it.
#[derive(Clone, Debug)]
pub struct Paths {
    /// The pins, on a BPF filesystem.
    pub pins: PathBuf,
    /// The control socket and the ledger of addresses.
    pub run: PathBuf,
    /// The configuration file, as shown in the status.
    pub config: PathBuf,
    /// Where to record what the elections are told and decide, if anywhere.
    pub record: Option<PathBuf>,
}

impl Paths {
    /// Returns the control socket's path.
    pub fn control(&self) -> PathBuf {
        self.run.join("control")
    }

    /// Returns the path of the ledger of addresses.
    pub fn ledger(&self) -> PathBuf {
        self.run.join("addresses")
    }
}

/// Why the daemon did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The kernel did not take the datapath, or another daemon has it.
    #[error(transparent)]
    Datapath(#[from] OpenError),
    /// The run directory could not be had; `--run-dir` names another.
    #[error(transparent)]
    RunDir(#[from] DirLockError),
    /// The datapath could not be removed.
    #[error(transparent)]
    Cleanup(#[from] CleanupError),
    /// Addresses could not be taken off their interfaces; which is in the log.
    #[error("{0} addresses are left on their interfaces")]
    AddressesLeft(usize),
    /// A thread ended by itself that the daemon cannot do without.
    #[error("the {thread} thread ended by itself")]
    ThreadEnded {
        /// Its name.
        thread: &'static str,
        /// Why it ended.
        source: io::Error,
    },
    /// The ring buffer could not be mapped.
    #[error("cannot map the ring buffer EVENTS")]
    Events(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The configuration does not fit.
    #[error(transparent)]
    TooManyRouters(#[from] TooManyRouters),
    /// The configuration has more BFD sessions than fit.
    #[error(transparent)]
    TooManySessions(#[from] TooManySessions),
    /// The event log could not be begun.
    #[error("cannot record to {}", path.display())]
    Record {
        /// The file.
        path: PathBuf,
        /// What failed.
        source: io::Error,
    },
    /// The file to record to is there.
    #[error("{} exists; an event log is not overwritten, so move it away or name another file", .0.display())]
    RecordExists(PathBuf),
    /// A file, a socket or a thread could not be had.
    #[error("cannot {what}")]
    Io {
        /// What was tried.
        what: String,
        /// What failed.
        source: io::Error,
    },
}

pub(super) fn failed(what: impl Into<String>) -> impl FnOnce(io::Error) -> StartError {
    move |source| StartError::Io { what: what.into(), source }
}
