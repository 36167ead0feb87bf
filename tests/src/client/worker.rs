//! Threads that send or listen until their owner is dropped.

use std::{
    net::Ipv4Addr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use super::Mac;
use crate::lab::Node;

/// Threads with a common end.
#[derive(Debug, Default)]
pub(super) struct Worker {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Worker {
    /// Calls `act` every `interval`. A call that comes late is not made up for: a burst would be another load.
    pub(super) fn every(&mut self, interval: Duration, act: impl FnMut() + Send + 'static) {
        self.spawn(interval, act, || hurry(PRIORITY));
    }

    /// Calls `act` about every `interval`, where nobody else wants the processor.
    pub(super) fn at_leisure(&mut self, interval: Duration, act: impl FnMut() + Send + 'static) {
        self.spawn(interval, act, || {});
    }

    fn spawn(
        &mut self,
        interval: Duration,
        mut act: impl FnMut() + Send + 'static,
        begin: impl FnOnce() + Send + 'static,
    ) {
        let stop = Arc::clone(&self.stop);
        self.threads.push(thread::spawn(move || {
            begin();
            // Threads inherit a slack of 50 us, half a probe's interval; refused, the probes are only less regular.
            let _ = nix::sys::prctl::set_timerslack(1_000);
            let mut next = Instant::now();
            while !stop.load(Ordering::Relaxed) {
                act();
                next += interval;
                match next.checked_duration_since(Instant::now()) {
                    Some(wait) => thread::sleep(wait),
                    None => next = Instant::now(),
                }
            }
        }));
    }
}

/// The real-time priority of a client's threads. The client is a machine of its own, as the nodes are: none takes a CPU
/// from another one in the middle of something. This is what hadp's heartbeats have, and a little less than its elections
/// and keepalived ([`KEEPALIVED_REALTIME`]).
///
/// [`KEEPALIVED_REALTIME`]: crate::lab::KEEPALIVED_REALTIME
const PRIORITY: i32 = 11;

/// Gives this thread a priority of SCHED_FIFO, before all ordinary ones. Refused, what it does is only less regular.
pub fn hurry(priority: i32) {
    let param = libc::sched_param { sched_priority: priority };
    // SAFETY: the call reads the parameters, which outlive it; 0 is the calling thread.
    let _ = unsafe { libc::sched_setscheduler(0, libc::SCHED_FIFO, &raw const param) };
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join(); // a panic there has been printed
        }
    }
}

/// Who probes whom.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ends {
    pub(super) mac: Mac,
    pub(super) from: Ipv4Addr,
    pub(super) target: Ipv4Addr,
}

impl Ends {
    pub(super) fn new(node: &Node, target: Ipv4Addr) -> Self {
        Self { mac: Mac(node.mac()), from: node.address(), target }
    }
}

/// Locks what threads share; a thread that panicked holding it has only pushed to a list.
pub(super) fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
