//! What a socket has heard so far.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard},
    time::{Duration, Instant},
};

use anyhow::Result;

use super::{
    frame::Frame,
    socket::{Hears, PacketSocket},
    worker::{Worker, lock},
};
use crate::lab::Node;

/// How often what was heard is taken from the socket if nobody asks for it, and the machine has time: the kernel has noted when
/// it came.
const LOOK: Duration = Duration::from_millis(5);

/// Reads what is wanted from a frame, and when it came.
type Reader<T> = dyn Fn(Instant, Frame) -> Option<T> + Send + Sync;

/// Listens on a machine's `eth0` until dropped.
pub(super) struct Ear<T> {
    heard: Arc<Heard<T>>,
    _worker: Worker,
}

struct Heard<T> {
    socket: Arc<PacketSocket>,
    list: Mutex<Vec<T>>,
    read: Box<Reader<T>>,
}

impl<T: Send + 'static> Ear<T> {
    /// Starts to listen.
    ///
    /// # Errors
    ///
    /// When the machine's link cannot be opened.
    pub(super) fn open(
        node: &Node,
        hears: Hears,
        read: impl Fn(Instant, Frame) -> Option<T> + Send + Sync + 'static,
    ) -> Result<Self> {
        let socket = Arc::new(PacketSocket::open(node, hears)?);
        let heard = Arc::new(Heard { socket, list: Mutex::default(), read: Box::new(read) });
        let mut worker = Worker::default();
        let looked = Arc::clone(&heard);
        worker.at_leisure(LOOK, move || drop(looked.all()));
        Ok(Self { heard, _worker: worker })
    }

    /// Returns all that was heard until now, in the order in which it came.
    pub(super) fn all(&self) -> MutexGuard<'_, Vec<T>> {
        self.heard.all()
    }

    /// Returns the socket, to send by.
    pub(super) fn socket(&self) -> &Arc<PacketSocket> {
        &self.heard.socket
    }
}

impl<T> Heard<T> {
    fn all(&self) -> MutexGuard<'_, Vec<T>> {
        let mut list = lock(&self.list);
        self.socket.drain(|at, frame| list.extend((self.read)(at, frame)));
        list
    }
}

impl<T> fmt::Debug for Ear<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ear").field("socket", &self.heard.socket).finish_non_exhaustive()
    }
}
