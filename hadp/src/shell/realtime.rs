//! Priority and memory of the election thread.

use std::io;

use nix::sys::mman::{MlockAllFlags, mlockall};
use tracing::{info, warn};

/// The SCHED_FIFO priority of the election thread: above ordinary threads, below the kernel's own (50 and up).
const PRIORITY: libc::c_int = 10;

/// Makes the calling thread real-time and keeps its memory resident, where allowed.
///
/// A refusal is logged and changes nothing else: the lease makes a late thread safe, only slower.
pub(crate) fn enter() {
    schedule("election", PRIORITY);
    if let Err(errno) = mlockall(MlockAllFlags::MCL_CURRENT | MlockAllFlags::MCL_FUTURE) {
        warn!(%errno, "memory is not locked: the election may wait for a page; raise RLIMIT_MEMLOCK");
    }
}

/// Makes the calling thread real-time, but never before the election thread.
pub(crate) fn enter_below(name: &str) {
    schedule(name, PRIORITY - 1);
}

fn schedule(name: &str, priority: libc::c_int) {
    let param = libc::sched_param { sched_priority: priority };
    // SAFETY: `param` is a valid sched_param for the duration of the call; 0 means the calling thread.
    let set = unsafe {
        libc::sched_setscheduler(0, libc::SCHED_FIFO | libc::SCHED_RESET_ON_FORK, &raw const param)
    };
    match set {
        0 => info!(priority, "{name} thread runs under SCHED_FIFO"),
        _ => warn!(
            error = %io::Error::last_os_error(),
            "{name} thread runs at ordinary priority: CAP_SYS_NICE is missing or real-time scheduling is off"
        ),
    }
}
