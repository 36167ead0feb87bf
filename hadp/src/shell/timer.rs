//! A timer of the election thread, exact to the nanosecond the kernel gives.

use std::{
    io,
    os::fd::{AsFd as _, AsRawFd, RawFd},
};

use nix::{
    sys::{
        time::TimeSpec,
        timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags},
    },
    unistd,
};
use tokio::io::{Interest, unix::AsyncFd};

use crate::units::Time;

/// The timerfd, as tokio wants descriptors.
struct Descriptor(TimerFd);

impl AsRawFd for Descriptor {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_fd().as_raw_fd()
    }
}

/// A timerfd on CLOCK_MONOTONIC; tokio's own timers are whole milliseconds.
pub(crate) struct Timer {
    fd: AsyncFd<Descriptor>,
    armed: Option<Time>,
}

impl Timer {
    /// Creates a disarmed timer in the current runtime.
    pub(crate) fn new() -> io::Result<Self> {
        let flags = TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC;
        let descriptor = Descriptor(TimerFd::new(ClockId::CLOCK_MONOTONIC, flags)?);
        // SAFETY: the descriptor owns its file and returns the same number for as long as it lives.
        let fd = unsafe { AsyncFd::register_with_interest(descriptor, Interest::READABLE) }?;
        Ok(Self { fd, armed: None })
    }

    /// Sets when the timer fires next; `None` disarms it.
    pub(crate) fn arm(&mut self, deadline: Option<Time>) -> io::Result<()> {
        if deadline == self.armed {
            return Ok(());
        }
        match deadline {
            // An absolute time of 0 would disarm it.
            Some(at) => {
                let nanos = at.as_nanos().max(1);
                let seconds = i64::try_from(nanos / 1_000_000_000).unwrap_or(i64::MAX);
                let spec = TimeSpec::new(seconds, i64::try_from(nanos % 1_000_000_000).unwrap_or(0));
                self.fd.get_ref().0.set(Expiration::OneShot(spec), TimerSetTimeFlags::TFD_TIMER_ABSTIME)?;
            }
            None => self.fd.get_ref().0.unset()?,
        }
        self.armed = deadline;
        Ok(())
    }

    /// Waits until the timer fires, and returns what it was set to.
    pub(crate) async fn fired(&mut self) -> io::Result<Option<Time>> {
        let mut ready = self.fd.readable().await?;
        ready.clear_ready();
        let due = self.armed.take();
        match unistd::read(self.fd.get_ref().0.as_fd(), &mut [0; 8]) {
            // EAGAIN: re-armed since it fired.
            Err(nix::errno::Errno::EAGAIN) => Ok(None),
            Ok(_) => Ok(due),
            Err(error) => Err(error.into()),
        }
    }
}
