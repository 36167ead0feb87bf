//! The event log as the election thread writes it: into a queue, and never waiting.
//!
//! ```text
//!   election thread ── Recorder ──► queue of fixed size ──► writer ──► FILE
//!                        │  full: counts what is lost         │  cannot write: says so once, and ends
//!                        └► Gap, and a Baseline of each router and session that is told something after it
//! ```
//!
//! The writer looks at the queue at a pace of its own, so that nobody has to wake it up: an entry costs a copy and no
//! system call.

mod entry;
mod file;
mod sessions;
#[cfg(test)]
mod tests;
mod writer;

use std::{
    collections::BTreeMap,
    io,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
};

use crossbeam_queue::ArrayQueue;
use tracing::{info, warn};

use self::{entry::Entry, sessions::KnownSession, writer::Writer};
use super::{
    report,
    start::{StartError, failed},
};
use crate::{
    companion,
    proto::{Action, Config, Event, Node, Reconfiguration, Slot, bfd::SessionId},
    units::Time,
};

/// How many entries may wait: a fifth of a second of a thousand routers that advertise every 10 ms.
const ROOM: usize = 1 << 16;

/// An event log being written.
#[derive(Debug)]
pub(super) struct Recording {
    shared: Arc<Shared>,
    thread: JoinHandle<()>,
}

/// What the two sides share.
#[derive(Debug)]
struct Shared {
    queue: ArrayQueue<Entry>,
    /// Nothing more is recorded.
    has_ended: AtomicBool,
    /// Nothing more can be written.
    has_failed: AtomicBool,
    /// How many events are missing at the end.
    missing: AtomicU64,
}

impl Recording {
    /// Begins the event log of a daemon that follows `deaths` dead ones: in `path`, which must not exist, if that is none,
    /// otherwise in `path.N`.
    ///
    /// # Errors
    ///
    /// When the file exists, or cannot be made or written.
    fn start(path: &Path, deaths: u64) -> Result<(Self, Recorder), StartError> {
        let unwritable = |source| StartError::Record { path: path.to_owned(), source };
        let (file, path) = file::create(path, deaths).map_err(|error| {
            let exists = error.kind() == io::ErrorKind::AlreadyExists;
            if exists { StartError::RecordExists(path.to_owned()) } else { unwritable(error) }
        })?;
        let recorder = Recorder::new(ROOM);
        let shared = Arc::clone(&recorder.shared);
        let writer = Writer::start(file, &writer::header(), Arc::clone(&shared)).map_err(unwritable)?;
        info!(path = %path.display(), "recording what the elections are told and decide");
        let thread = thread::Builder::new()
            .name("recorder".to_owned())
            .spawn(move || {
                // A start may be urgent; a disk is not.
                companion::calm();
                writer.run(&path);
            })
            .map_err(failed("start the thread that records"))?;
        Ok((Self { shared, thread }, recorder))
    }

    /// Writes what is left, and ends the log.
    pub(super) fn finish(self) {
        self.shared.has_ended.store(true, Ordering::Release);
        self.thread.thread().unpark();
        // If it panicked, the panic has been printed; the log lacks its end.
        let _ = self.thread.join();
    }
}

/// Begins an event log as [`Recording::start`] does. Routers that another daemon left are not left alone for want of one:
/// a daemon that follows a dead one then goes on without.
///
/// # Errors
///
/// When the first daemon's file exists, or cannot be made or written.
pub(super) fn begin(path: &Path, deaths: u64) -> Result<Option<(Recording, Recorder)>, StartError> {
    match Recording::start(path, deaths) {
        Ok(begun) => Ok(Some(begun)),
        Err(error) if deaths > 0 => {
            warn!(error = report::chain(&error), "not recording");
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// The election thread's side of an event log.
#[derive(Debug)]
pub(crate) struct Recorder {
    shared: Arc<Shared>,
    /// How many records are missing since the last one that was queued.
    missing: u64,
    /// How many gaps there are.
    gaps: u32,
    routers: BTreeMap<Slot, Known>,
    sessions: BTreeMap<SessionId, KnownSession>,
}

/// A router of the log.
#[derive(Debug)]
struct Known {
    name: Arc<str>,
    /// Up to which gap what it is like is known.
    gaps: u32,
}

impl Recorder {
    fn new(room: usize) -> Self {
        let shared = Shared {
            queue: ArrayQueue::new(room),
            has_ended: AtomicBool::new(false),
            has_failed: AtomicBool::new(false),
            missing: AtomicU64::new(0),
        };
        Self {
            shared: Arc::new(shared),
            missing: 0,
            gaps: 0,
            routers: BTreeMap::new(),
            sessions: BTreeMap::new(),
        }
    }

    /// Records that a router was put in a slot.
    pub(super) fn joined(&mut self, at: Time, slot: Slot, name: &Arc<str>, config: &Config) {
        let has_room = self.make_room(1);
        // Not known unless it is in the log.
        let gaps = if has_room { self.gaps } else { self.gaps.wrapping_sub(1) };
        self.routers.insert(slot, Known { name: Arc::clone(name), gaps });
        if has_room {
            let (name, config) = (Arc::clone(name), Box::new(config.clone()));
            self.push(Entry::Router { at, slot, name, config });
        }
    }

    /// Records what a router was told and what it ordered; `node` has it as it is after that.
    pub(super) fn told(
        &mut self,
        at: Time,
        slot: Slot,
        event: Event,
        actions: &[(Slot, Action)],
        node: &Node,
    ) {
        self.decided(slot, Entry::Event { at, slot, event }, actions, node);
    }

    /// Records that a router took up another configuration, and what it ordered; `node` has it as it is after that.
    pub(super) fn reconfigured(
        &mut self,
        (at, slot): (Time, Slot),
        name: &Arc<str>,
        change: Reconfiguration,
        actions: &[(Slot, Action)],
        node: &Node,
    ) {
        if let Some(known) = self.routers.get_mut(&slot) {
            known.name = Arc::clone(name);
        }
        let entry = Entry::Reconfigured { at, slot, name: Arc::clone(name), change: Box::new(change) };
        self.decided(slot, entry, actions, node);
    }

    /// Records that a router was taken out of its slot.
    pub(super) fn left(&mut self, at: Time, slot: Slot) {
        self.routers.remove(&slot);
        if self.make_room(1) {
            self.push(Entry::Left { at, slot });
        }
    }

    fn decided(&mut self, slot: Slot, entry: Entry, actions: &[(Slot, Action)], node: &Node) {
        let Some(router) = node.get(slot) else { return };
        if !self.make_room(actions.len() + 2) {
            return;
        }
        for (_, action) in actions {
            self.push(Entry::Action(action.clone()));
        }
        self.push(entry);
        if let Some(known) = self.routers.get_mut(&slot).filter(|known| known.gaps != self.gaps) {
            known.gaps = self.gaps;
            let (name, router) = (Arc::clone(&known.name), Box::new(router.clone()));
            self.push(Entry::Baseline { slot, name, router });
        }
    }

    /// Tells whether so many entries fit, behind one that says what is missing; if they do not, one record more is.
    fn make_room(&mut self, entries: usize) -> bool {
        if self.shared.has_failed.load(Ordering::Relaxed) {
            return false;
        }
        let queue = &self.shared.queue;
        // Nobody else puts anything in, so there cannot be less room than this.
        if queue.capacity() - queue.len() <= entries {
            self.gaps = self.gaps.wrapping_add(u32::from(self.missing == 0));
            self.missing += 1;
            return false;
        }
        if self.missing > 0 {
            let missing = std::mem::take(&mut self.missing);
            self.push(Entry::Gap { missing });
        }
        true
    }

    fn push(&self, entry: Entry) {
        // There is room: see `make_room`.
        drop(self.shared.queue.push(entry));
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.end_all_readings();
        self.shared.missing.store(self.missing, Ordering::Relaxed);
        self.shared.has_ended.store(true, Ordering::Release);
    }
}
