//! How the two hearts know of each other without a lock.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd},
    sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
};

use nix::sys::eventfd::{EfdFlags, EventFd};

use crate::units::Time;

/// No time at all.
const NEVER: u64 = u64::MAX;
/// Before every time.
const AWAKE: u64 = 0;

/// What the reserve goes by: when a packet is so late that it has to send it.
///
/// Whoever has had a turn says when the next packet will be overdue. While the first thread keeps time, that moves on
/// before it comes, and the reserve goes back to sleep for one load. When it moves *closer*, because a faster session has
/// begun, the reserve may sleep too long, and is woken up. Each side stores its own time before it loads the other's, all
/// in one order (`SeqCst`): so one of the two sees the other.
#[derive(Debug)]
pub(super) struct Relief {
    /// When the next packet is overdue, in nanoseconds.
    overdue: AtomicU64,
    /// Until when the reserve sleeps, in nanoseconds.
    asleep: AtomicU64,
    stopped: AtomicBool,
    wake: EventFd,
}

impl Relief {
    /// Starts with nothing to send.
    ///
    /// # Errors
    ///
    /// When no descriptor is left.
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self {
            overdue: AtomicU64::new(NEVER),
            asleep: AtomicU64::new(AWAKE),
            stopped: AtomicBool::new(false),
            wake: EventFd::from_value_and_flags(0, EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)?,
        })
    }

    /// Says when the next packet is overdue, at the end of a turn.
    pub(super) fn expect(&self, overdue: Option<Time>) {
        let overdue = overdue.map_or(NEVER, Time::as_nanos);
        self.overdue.store(overdue, SeqCst);
        if overdue < self.asleep.load(SeqCst) {
            self.call();
        }
    }

    /// Returns when the next packet is overdue, if one is to come.
    pub(super) fn overdue(&self) -> Option<Time> {
        time(self.overdue.load(SeqCst))
    }

    /// Tells whether the reserve may sleep until then: nothing is overdue sooner by now.
    pub(super) fn lie_down(&self, until: Option<Time>) -> bool {
        let until = until.map_or(NEVER, Time::as_nanos);
        self.asleep.store(until, SeqCst);
        self.overdue.load(SeqCst) >= until && !self.is_stopped()
    }

    /// Ends the reserve's sleep.
    pub(super) fn get_up(&self, called: bool) {
        self.asleep.store(AWAKE, SeqCst);
        if called {
            // It fails when nobody has called, which is as good.
            let _: nix::Result<u64> = self.wake.read();
        }
    }

    /// Ends both threads.
    pub(super) fn stop(&self) {
        self.stopped.store(true, SeqCst);
        self.call();
    }

    /// Tells whether both threads are to end.
    pub(super) fn is_stopped(&self) -> bool {
        self.stopped.load(SeqCst)
    }

    fn call(&self) {
        // The counter is full: it wakes up in any case.
        let _: nix::Result<usize> = self.wake.write(1);
    }
}

impl AsFd for Relief {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.wake.as_fd()
    }
}

fn time(nanos: u64) -> Option<Time> {
    (nanos != NEVER).then(|| Time::from_nanos(nanos))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(micros: u64) -> Option<Time> {
        Some(Time::from_nanos(micros * 1000))
    }

    #[test]
    fn the_reserve_is_called_when_something_is_overdue_before_it_wakes_up() {
        let relief = Relief::new().unwrap();
        let called = || relief.wake.read().is_ok();
        assert!(relief.lie_down(relief.overdue()));
        relief.expect(at(1_000_000));
        assert!(called(), "it slept without end");
        relief.get_up(false);
        assert_eq!(relief.overdue(), at(1_000_000));
        assert!(relief.lie_down(at(1_000_000)));
        for (overdue, calls) in [(1_000_250, false), (1_000_000, false), (999_999, true)] {
            relief.expect(at(overdue));
            assert_eq!(called(), calls, "{overdue}");
        }
        relief.get_up(false);
        relief.expect(at(5));
        assert!(!called(), "it is awake, and looks before it sleeps");
        assert!(!relief.lie_down(at(999_999)), "something is overdue sooner");
        assert!(relief.lie_down(at(5)));
    }

    #[test]
    fn who_is_stopped_does_not_sleep() {
        let relief = Relief::new().unwrap();
        assert!(relief.lie_down(None));
        relief.stop();
        relief.get_up(true);
        assert!(relief.wake.read().is_err(), "the call is taken");
        assert!(relief.is_stopped() && !relief.lie_down(None));
    }
}
