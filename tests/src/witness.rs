//! A witness of the machine: when it stood still, and for how long.
//!
//! A thread of the highest priority on each processor sleeps until a given time, again and again. What wakes it late has kept
//! everything else on that processor from running too: on a virtual machine, mostly the hypervisor.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use hadp::shell::clock;
use nix::{
    errno::Errno,
    sched::{CpuSet, sched_getaffinity, sched_setaffinity},
    sys::time::TimeSpec,
    time::{ClockId, ClockNanosleepFlags, clock_nanosleep},
    unistd::Pid,
};

/// How often each processor is looked at. Each look takes time from what is measured, of which two nodes share two processors;
/// shorter pauses show in the client's probes too.
const EVERY: Duration = Duration::from_millis(1);
/// How late a wake-up must be to be noted.
const LATE: Duration = Duration::from_micros(150);
/// Above everything that is measured; the kernel's stop and migration threads are above it.
const PRIORITY: libc::c_int = 90;

/// A time in which a processor did not run what it should have run.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Stall {
    cpu: usize,
    /// When the witness should have been woken, and when it was, in nanoseconds of CLOCK_MONOTONIC.
    due: u64,
    woken: u64,
}

/// What is known of stalls of some length.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen {
    pub(crate) count: usize,
    /// The longest stall of any length.
    pub(crate) longest: Duration,
    /// How much time lies near one.
    pub(crate) near: Duration,
}

/// Watches all processors until dropped.
#[derive(Debug)]
pub(crate) struct Witness {
    stalls: Arc<Mutex<Vec<Stall>>>,
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Witness {
    /// Starts to watch the processors that this program may use.
    ///
    /// # Errors
    ///
    /// Without root.
    pub(crate) fn start() -> Result<Self> {
        let cpus = sched_getaffinity(Pid::from_raw(0)).context("asking for the processors")?;
        let (stalls, stop) = (Arc::<Mutex<Vec<Stall>>>::default(), Arc::<AtomicBool>::default());
        let (tell, told) = mpsc::channel();
        let threads = (0..CpuSet::count()).filter(|cpu| cpus.is_set(*cpu).unwrap_or(false)).map(|cpu| {
            let (stalls, stop, tell) = (Arc::clone(&stalls), Arc::clone(&stop), tell.clone());
            thread::spawn(move || {
                let taken = take_place(cpu);
                let placed = taken.is_ok();
                let _ = tell.send(taken); // nobody listens once another witness has failed
                drop(tell); // or its listener waits for more
                if placed {
                    watch(cpu, &stalls, &stop);
                }
            })
        });
        let threads: Vec<_> = threads.collect();
        drop(tell);
        let witness = Self { stalls, stop, threads };
        told.iter().collect::<Result<()>>()?;
        Ok(witness)
    }

    /// Returns how long the longest stall of any processor was that overlaps this time.
    pub(crate) fn longest(&self, from: Instant, to: Instant) -> Duration {
        self.longest_at(nanos(from), nanos(to))
    }

    /// Returns how long the longest stall was up to a time, of those that overlap what lies between the two.
    pub(crate) fn longest_until(&self, from: Instant, to: Instant) -> Duration {
        let until = nanos(to);
        let stalls = self.within(nanos(from), until);
        let clipped = stalls.iter().map(|stall| Stall { woken: stall.woken.min(until), ..*stall }.length());
        clipped.max().unwrap_or_default()
    }

    /// Returns what is known of stalls of at least this length since then, and how much time lies within `near` of one.
    pub(crate) fn of_at_least(&self, least: Duration, since: Instant, near: Duration) -> Seen {
        let mut stalls = self.within(nanos(since), u64::MAX);
        let longest = stalls.iter().map(Stall::length).max().unwrap_or_default();
        stalls.retain(|stall| stall.length() >= least);
        stalls.sort_unstable_by_key(|stall| stall.due);
        let (mut covered, mut until) = (Duration::ZERO, 0);
        for stall in &stalls {
            let end = stall.woken + u64::try_from(near.as_nanos()).unwrap_or(u64::MAX);
            covered += Duration::from_nanos(end.saturating_sub(stall.due.max(until)));
            until = until.max(end);
        }
        Seen { count: stalls.len(), longest, near: covered }
    }

    /// The same for times that daemons tell, in nanoseconds of CLOCK_MONOTONIC.
    pub(crate) fn longest_at(&self, from: u64, to: u64) -> Duration {
        self.within(from, to).iter().map(Stall::length).max().unwrap_or_default()
    }

    /// Returns for how long at most all processors stood still at once in this time.
    pub(crate) fn longest_of_all(&self, from: Instant, to: Instant) -> Duration {
        let (begin, end) = (nanos(from), nanos(to));
        let clipped = self.within(begin, end).into_iter().map(|stall| Stall {
            due: stall.due.max(begin),
            woken: stall.woken.min(end),
            ..stall
        });
        all_at_once(&clipped.collect::<Vec<_>>(), self.threads.len())
    }

    fn within(&self, from: u64, to: u64) -> Vec<Stall> {
        let stalls = self.stalls.lock().unwrap_or_else(PoisonError::into_inner);
        stalls.iter().filter(|stall| stall.due <= to && stall.woken >= from).copied().collect()
    }
}

impl Stall {
    fn length(&self) -> Duration {
        Duration::from_nanos(self.woken.saturating_sub(self.due))
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join(); // a panic there has been printed
        }
    }
}

/// Returns a time on the clock that daemons tell theirs by, CLOCK_MONOTONIC in nanoseconds: `Instant` is the same clock,
/// but does not say its reading.
pub(crate) fn nanos(at: Instant) -> u64 {
    let (now, reading) = (Instant::now(), clock::now().as_nanos());
    let span = |span: Duration| u64::try_from(span.as_nanos()).unwrap_or(u64::MAX);
    match at.checked_duration_since(now) {
        Some(ahead) => reading.saturating_add(span(ahead)),
        None => reading.saturating_sub(span(now.saturating_duration_since(at))),
    }
}

/// Binds this thread to a processor, above everything else there.
fn take_place(cpu: usize) -> Result<()> {
    let mut own = CpuSet::new();
    own.set(cpu)?;
    sched_setaffinity(Pid::from_raw(0), &own).context("binding a witness to its processor")?;
    let param = libc::sched_param { sched_priority: PRIORITY };
    // SAFETY: the call reads the parameters, which outlive it; 0 is the calling thread.
    let result = unsafe { libc::sched_setscheduler(0, libc::SCHED_FIFO, &raw const param) };
    Errno::result(result).map(drop).context("giving a witness its priority")
}

fn watch(cpu: usize, stalls: &Mutex<Vec<Stall>>, stop: &AtomicBool) {
    let (every, late) = (EVERY.as_nanos() as u64, LATE.as_nanos() as u64);
    let mut due = clock::now().as_nanos();
    while !stop.load(Ordering::Relaxed) {
        due += every;
        let until = TimeSpec::from_duration(Duration::from_nanos(due));
        // Interrupted, it has woken early: nothing to note.
        let _ = clock_nanosleep(ClockId::CLOCK_MONOTONIC, ClockNanosleepFlags::TIMER_ABSTIME, &until);
        let woken = clock::now().as_nanos();
        if woken > due + late {
            stalls.lock().unwrap_or_else(PoisonError::into_inner).push(Stall { cpu, due, woken });
            due = woken; // what was missed is in the stall
        }
    }
}

/// Returns the longest time in which each of `cpus` processors stood still.
fn all_at_once(stalls: &[Stall], cpus: usize) -> Duration {
    let begins = stalls.iter().map(|stall| (stall.due, 1_isize));
    let mut edges: Vec<_> = begins.chain(stalls.iter().map(|stall| (stall.woken, -1))).collect();
    edges.sort_unstable(); // an end before a beginning at the same time
    let (mut standing, mut since, mut longest) = (0, 0, 0);
    for (at, step) in edges {
        if standing == cpus.cast_signed() && step < 0 {
            longest = longest.max(at - since);
        }
        standing += step;
        since = at;
    }
    Duration::from_nanos(longest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processors_that_stand_still_together_are_found() {
        let stall = |cpu, due, woken| Stall { cpu, due, woken };
        let apart = [stall(0, 100, 200), stall(1, 200, 300)];
        assert_eq!(all_at_once(&apart, 2), Duration::ZERO);
        let together = [stall(0, 100, 500), stall(1, 200, 300), stall(1, 400, 900)];
        assert_eq!(all_at_once(&together, 2), Duration::from_nanos(100));
        assert_eq!(all_at_once(&together, 3), Duration::ZERO);
    }

    #[test]
    fn a_time_reads_the_same_on_both_clocks() {
        let (before, at, after) = (clock::now().as_nanos(), Instant::now(), clock::now().as_nanos());
        let slack = 20_000_000; // a test thread may be kept waiting between two readings
        assert!(nanos(at) + slack >= before && nanos(at) <= after + slack);
        let later = nanos(at + Duration::from_secs(1)) - nanos(at);
        assert!(later.abs_diff(1_000_000_000) < slack, "{later}");
    }
}
