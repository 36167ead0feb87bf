//! Priority and memory of the companion.

use std::io;

use tracing::debug;

/// The SCHED_FIFO priority of the companion: above ordinary threads, below the election thread.
const PRIORITY: libc::c_int = 5;

/// Makes a daemon that is being started as urgent as the companion, until it has gone on where another one ended: meanwhile
/// leases run out, on a machine that may be busy.
pub(super) fn urgent() {
    set(libc::SCHED_FIFO, PRIORITY);
}

/// Ends the urgency of a start for the calling thread.
pub(crate) fn calm() {
    set(libc::SCHED_OTHER, 0);
}

/// Schedules the calling thread otherwise; a refusal leaves it as it is.
fn set(policy: libc::c_int, priority: libc::c_int) {
    let param = libc::sched_param { sched_priority: priority };
    // SAFETY: `param` is a valid sched_param for the duration of the call; 0 means the calling thread.
    unsafe { libc::sched_setscheduler(0, policy, &raw const param) };
}

/// Makes the calling thread real-time, its children not, and keeps what memory it uses resident, where allowed. Pages are locked
/// once they have been used: most of this program is the daemon's, and would only be in the way.
pub(super) fn enter() {
    let param = libc::sched_param { sched_priority: PRIORITY };
    // SAFETY: `param` is a valid sched_param for the duration of the call; 0 means the calling thread.
    let set = unsafe {
        libc::sched_setscheduler(0, libc::SCHED_FIFO | libc::SCHED_RESET_ON_FORK, &raw const param)
    };
    // The daemon, which needs the same more urgently, warns of a refusal.
    if set != 0 {
        debug!(error = %io::Error::last_os_error(), "the companion runs at ordinary priority");
    }
    // SAFETY: the call takes flags only.
    if unsafe { libc::mlockall(libc::MCL_CURRENT | libc::MCL_FUTURE | libc::MCL_ONFAULT) } != 0 {
        debug!(error = %io::Error::last_os_error(), "the companion's memory is not locked");
    }
}
