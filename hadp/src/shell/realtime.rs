//! How the threads that must not be late are scheduled, and where their memory is.

use std::{hint::black_box, io, time::Duration};

use nix::{
    sched::{CpuSet, sched_getaffinity, sched_setaffinity},
    sys::{
        mman::{MlockAllFlags, mlockall},
        resource::{Resource, getrlimit, setrlimit},
    },
    unistd::Pid,
};
use tracing::{info, warn};

use crate::model::Realtime;

/// A thread that must not be late.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Role {
    /// Hears, decides and says so. Before the heartbeat, which would else take the CPU from it in the middle of a takeover: a
    /// heart is bound to its CPU, so the kernel moves the election out of its way.
    Election,
    /// Puts addresses on interfaces: the first ones of a takeover before the election goes on, the others behind its bursts. Were
    /// it only as urgent, the kernel would move it to another CPU, and leave it waiting there for a system call to end.
    Placer,
    /// Sends BFD packets: in turn with what the election does in bulk. What comes before takes microseconds, and the other one
    /// of the two threads is on another CPU.
    Heartbeat,
    /// Sends those that the heartbeat does not: as urgent as it.
    Reserve,
}

impl Role {
    fn name(self) -> &'static str {
        match self {
            Self::Election => "election",
            Self::Placer => "placer",
            Self::Heartbeat => "heartbeat",
            Self::Reserve => "heart reserve",
        }
    }

    /// Returns the SCHED_FIFO priority: above ordinary threads, below the kernel's own (50 and up).
    fn priority(self) -> u8 {
        match self {
            Self::Heartbeat | Self::Reserve => 11,
            Self::Election => 12,
            Self::Placer => 13,
        }
    }
}

/// How much stack is touched before it is needed.
const STACK: usize = 128 * 1024;
const PAGE: usize = 4096;

/// Locks the process's memory, what it has and what it will have.
///
/// # Errors
///
/// When the kernel refuses and the configuration insists on it (`*_no_swap`); else a refusal is logged: a thread may then
/// wait for a page, and the lease makes that safe.
pub(crate) fn lock_memory(insist: bool) -> io::Result<()> {
    match mlockall(MlockAllFlags::MCL_CURRENT | MlockAllFlags::MCL_FUTURE) {
        Err(errno) if insist => Err(errno.into()),
        Err(errno) => {
            warn!(%errno, "memory is not locked: the election may wait for a page; raise RLIMIT_MEMLOCK");
            Ok(())
        }
        Ok(()) => Ok(()),
    }
}

/// Limits how long a real-time thread may run without waiting (`*_rlimit_rttime`); the limit is the whole process's.
pub(crate) fn limit_run_time(limit: Duration) {
    let micros = u64::try_from(limit.as_micros()).unwrap_or(u64::MAX);
    let limited = getrlimit(Resource::RLIMIT_RTTIME)
        .and_then(|(_, hard)| setrlimit(Resource::RLIMIT_RTTIME, micros.min(hard), hard));
    if let Err(errno) = limited {
        warn!(%errno, ?limit, "cannot limit the time a real-time thread may run");
    }
}

/// Makes the calling thread real-time, where allowed.
///
/// A refusal is logged and changes nothing else: leases and guards make a late thread safe, only slower. Tells whether the
/// thread is bound to its CPUs, if it was given any.
pub(crate) fn enter(role: Role, how: &Realtime) -> bool {
    prefault();
    let thread = role.name();
    let bound = if how.cpus.is_empty() { Ok(()) } else { pin(&how.cpus) };
    if let Err(errno) = bound {
        warn!(thread, cpus = ?how.cpus, %errno, "cannot bind the thread to its CPUs");
    }
    // For ordinary priority too, which would let timers be 50 us late to save power.
    // SAFETY: this option takes one number, in nanoseconds.
    unsafe { libc::prctl(libc::PR_SET_TIMERSLACK, 1 as libc::c_ulong) };
    let priority = how.rt_priority.unwrap_or(role.priority());
    match set_fifo(priority) {
        Ok(()) => info!(thread, priority, "runs under SCHED_FIFO"),
        Err(error) => {
            warn!(
                thread,
                %error,
                "runs at ordinary priority: CAP_SYS_NICE is missing or real-time scheduling is off"
            );
            if let Some(nice) = how.nice
                && let Err(error) = set_nice(nice)
            {
                warn!(thread, nice, %error, "cannot set the nice value");
            }
        }
    }
    bound.is_ok()
}

/// Returns the CPUs that a thread may run on: of `cpus`, or of all if that is empty, those the calling thread may.
pub(crate) fn allowed(cpus: &[usize]) -> Vec<usize> {
    let Ok(set) = sched_getaffinity(Pid::from_raw(0)) else { return Vec::new() };
    let allowed = (0..CpuSet::count()).filter(|cpu| set.is_set(*cpu).unwrap_or(false));
    allowed.filter(|cpu| cpus.is_empty() || cpus.contains(cpu)).collect()
}

/// Returns the longest time a real-time thread may run, of those configured.
pub(crate) fn run_time(election: &Realtime, bfd: &Realtime) -> Option<Duration> {
    election.rttime_us.max(bfd.rttime_us).map(Duration::from_micros)
}

/// The two priorities of a thread some of whose work is urgent, and the rest is done in turn with that of others.
#[derive(Debug)]
pub(crate) struct Turns {
    urgent: u8,
    patient: u8,
    /// Whether the thread goes before the others now.
    hurries: bool,
}

impl Turns {
    /// Returns the election's, which is urgent but for bursts.
    pub(crate) fn of_election(election: &Realtime) -> Self {
        let urgent = election.rt_priority.unwrap_or(Role::Election.priority());
        // Not before the heartbeat, which may have to send on this CPU first.
        let patient = urgent.saturating_sub(1).clamp(1, Role::Heartbeat.priority());
        Self { urgent, patient, hurries: true }
    }

    /// Returns the placer's: before the election, and then behind its bursts, which take a fraction of the time. On a CPU of its
    /// own it waits for nobody.
    pub(crate) fn of_placer(election: &Realtime) -> Self {
        let turns = Self::of_election(election);
        Self {
            urgent: turns.urgent.saturating_add(1).min(99),
            patient: turns.patient.saturating_sub(1).max(1),
            ..turns
        }
    }

    /// Makes the calling thread real-time, and urgent.
    pub(crate) fn enter(&self, role: Role, election: &Realtime) {
        enter(role, &Realtime { rt_priority: Some(self.urgent), ..election.clone() });
    }

    /// Has the calling thread go before the others, or in turn with them, if it is real-time; tells which it did before.
    pub(crate) fn hurry(&mut self, hurries: bool) -> bool {
        let before = std::mem::replace(&mut self.hurries, hurries);
        if before != hurries {
            // Refused to a thread at ordinary priority, which was told.
            let _ = set_fifo(if hurries { self.urgent } else { self.patient });
        }
        before
    }
}

fn set_fifo(priority: u8) -> io::Result<()> {
    let param = libc::sched_param { sched_priority: libc::c_int::from(priority) };
    // SAFETY: `param` is a valid sched_param for the duration of the call; 0 means the calling thread.
    let set = unsafe {
        libc::sched_setscheduler(0, libc::SCHED_FIFO | libc::SCHED_RESET_ON_FORK, &raw const param)
    };
    if set == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

fn set_nice(nice: i8) -> io::Result<()> {
    // SAFETY: takes numbers alone; 0 means the calling thread, of which Linux keeps the nice value.
    let set = unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, libc::c_int::from(nice)) };
    if set == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

fn pin(cpus: &[usize]) -> nix::Result<()> {
    let mut set = CpuSet::new();
    for &cpu in cpus {
        set.set(cpu)?;
    }
    sched_setaffinity(Pid::from_raw(0), &set)
}

/// Touches the stack, so that no later call waits for a page of it.
#[inline(never)]
fn prefault() {
    let mut stack = [0u8; STACK];
    for page in stack.chunks_mut(PAGE) {
        page.fill(1);
        black_box(page);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_runs_where_it_is_told_to() {
        let all = allowed(&[]);
        let first = all[0];
        assert_eq!(allowed(&[first, CpuSet::count()]), [first]);
        assert!(allowed(&[CpuSet::count()]).is_empty());
        std::thread::spawn(move || {
            assert!(enter(Role::Heartbeat, &Realtime { cpus: vec![first], ..Realtime::default() }));
            assert_eq!(allowed(&[]), [first]);
            let nowhere = Realtime { cpus: vec![CpuSet::count()], ..Realtime::default() };
            assert!(!enter(Role::Reserve, &nowhere), "no such CPU");
            assert_eq!(allowed(&[]), [first], "it stays where it was");
        })
        .join()
        .unwrap();
    }

    #[test]
    fn a_takeover_goes_before_the_heartbeat_and_a_burst_does_not() {
        let Turns { urgent, patient, .. } = Turns::of_election(&Realtime::default());
        assert_eq!(urgent, Role::Election.priority());
        for role in [Role::Heartbeat, Role::Reserve] {
            assert!(patient <= role.priority() && role.priority() < urgent);
        }
    }

    #[test]
    fn the_first_addresses_go_before_the_election_and_the_others_behind_its_bursts() {
        let rows = [(None, (13, 10)), (Some(50), (51, 10)), (Some(99), (99, 10)), (Some(1), (2, 1))];
        for (election, turns) in rows {
            let election = Realtime { rt_priority: election, ..Realtime::default() };
            let Turns { urgent, patient, .. } = Turns::of_placer(&election);
            assert_eq!((urgent, patient), turns);
        }
    }
}
