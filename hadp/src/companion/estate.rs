//! The companion's end of the testament.

use std::{
    io,
    os::fd::{AsFd as _, BorrowedFd, OwnedFd},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
};

use hadp_common::router::MAX_ROUTERS;
use nix::{
    sys::eventfd::{EfdFlags, EventFd},
    unistd,
};

use super::{
    lifeline::Lifeline,
    realtime,
    record::Record,
    testament::{Phase, Testament, Word},
};
use crate::{model::OnDaemonDeath, proto::Slot, units::Time};

/// What a daemon has left, or would leave now.
#[derive(Debug)]
pub(super) struct Estate {
    testament: Arc<Testament>,
    bell: Arc<OwnedFd>,
    /// The last daemon whose election thread is known to be dead, by number.
    bereaved: Arc<AtomicU64>,
}

impl Estate {
    /// Makes an empty one.
    pub(super) fn create() -> io::Result<Self> {
        let bell = EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)?;
        Ok(Self {
            testament: Arc::new(Testament::create()?),
            bell: Arc::new(bell.into()),
            bereaved: Arc::default(),
        })
    }

    pub(super) fn memory(&self) -> BorrowedFd<'_> {
        self.testament.as_fd()
    }

    /// Returns what is readable when the daemon has something to tell.
    pub(super) fn bell(&self) -> BorrowedFd<'_> {
        self.bell.as_fd()
    }

    /// Silences the bell.
    pub(super) fn heard(&self) {
        // Nothing to read: it has been silenced already.
        let _ = unistd::read(&*self.bell, &mut [0; 8]);
    }

    pub(super) fn phase(&self) -> Phase {
        self.testament.phase()
    }

    pub(super) fn policy(&self) -> OnDaemonDeath {
        if self.testament.get(Word::Policy) == OnDaemonDeath::Failover as u64 {
            OnDaemonDeath::Failover
        } else {
            OnDaemonDeath::Restart
        }
    }

    /// Notes that a daemon is started now.
    pub(super) fn begin(&self, now: Time, deaths: u64) {
        self.testament.set(Word::Phase, Phase::Starting as u64);
        self.testament.set(Word::SpawnedAt, now.as_nanos());
        self.testament.set(Word::Deaths, deaths);
        self.lifeline().reset();
    }

    /// Waits on a thread of its own for the death of the election thread of daemon `number`, then rings the bell.
    ///
    /// # Errors
    ///
    /// When there can be no thread; the pidfd tells too, later.
    pub(super) fn watch(&self, number: u64) -> io::Result<JoinHandle<()>> {
        let (lifeline, bell, bereaved) =
            (self.lifeline(), Arc::clone(&self.bell), Arc::clone(&self.bereaved));
        thread::Builder::new().name("lifeline".to_owned()).stack_size(64 * 1024).spawn(move || {
            realtime::enter();
            if lifeline.wait() {
                bereaved.store(number, Ordering::Release);
                // A full counter has rung it already.
                let _ = unistd::write(&*bell, &1u64.to_ne_bytes());
            }
        })
    }

    /// Tells whether the election thread of daemon `number` is known to be dead.
    pub(super) fn is_bereaved(&self, number: u64) -> bool {
        self.bereaved.load(Ordering::Acquire) == number
    }

    fn lifeline(&self) -> Lifeline {
        Lifeline::new(Some(Arc::clone(&self.testament)))
    }

    /// Returns the record of a router.
    pub(super) fn router(&self, slot: Slot) -> Option<Record> {
        Record::decode(&self.testament.read(slot)?)
    }

    /// Returns the records of all routers.
    pub(super) fn routers(&self) -> impl Iterator<Item = (Slot, Record)> {
        (0..MAX_ROUTERS).filter_map(Slot::new).filter_map(|slot| Some((slot, self.router(slot)?)))
    }
}
