//! The two threads: how each waits for its turn.

use std::{
    io,
    os::fd::{AsFd as _, BorrowedFd},
    sync::{Arc, Mutex, TryLockError},
    thread::JoinHandle,
    time::Duration,
};

use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, ppoll},
    sys::time::{TimeSpec, TimeValLike as _},
};
use tracing::{error, info};

use super::{
    haste::Hands,
    heart::{Hand, Heart},
    order::{Bell, Heartbeat, channels},
    relief::Relief,
    telling::{GuardTable, News, Record},
};
use crate::{
    model::Realtime,
    net::bfd_receive::BfdReceiver,
    shell::{
        apart, clock,
        realtime::{self, Role},
        vital::Alarm,
    },
    units::Time,
};

/// How many sockets there are: two ports in two families.
const SOCKETS: usize = 4;
/// How long the reserve leaves a first thread that is at it alone.
const BUSY: Duration = Duration::from_micros(100);

/// What the heartbeat needs.
pub(crate) struct Parts<G, H> {
    /// Where guards are stored.
    pub(crate) guards: G,
    /// Where authenticated packets are recorded.
    pub(crate) heard: H,
    /// Takes what it tells. It must not wait.
    pub(crate) news: Box<dyn Fn(News) + Send>,
    /// Raised when the first thread fails, or either panics.
    pub(crate) alarm: Alarm,
    /// How the threads are scheduled.
    pub(crate) realtime: Realtime,
}

/// The threads, to be waited for.
pub(crate) struct Hearts(Vec<JoinHandle<()>>);

impl Hearts {
    /// Waits until all have ended, and tells whether none panicked.
    pub(crate) fn join(self) -> bool {
        // Each of them, whatever became of the one before.
        self.0.into_iter().map(JoinHandle::join).fold(true, |well, ended| well & ended.is_ok())
    }
}

/// Starts the heartbeat; it ends with [`Order::Stop`](super::Order::Stop).
///
/// Where there are two CPUs for it, there are two threads, on CPUs that do not stand still together.
///
/// # Errors
///
/// When a thread or its descriptor cannot be created.
pub(crate) fn spawn<G: GuardTable + 'static, H: Record + 'static>(
    parts: Parts<G, H>,
) -> io::Result<(Heartbeat, Hearts)> {
    let cpus = apart::part(&realtime::allowed(&parts.realtime.cpus));
    start(parts, cpus, Kernel, Kernel)
}

/// How a thread waits.
trait Wait: Send + 'static {
    /// Waits for one of the descriptors, or until the time is over, as ppoll(2) does.
    fn wait(&self, fds: &mut [PollFd<'_>], timeout: Option<TimeSpec>) -> nix::Result<i32>;
}

struct Kernel;

impl Wait for Kernel {
    fn wait(&self, fds: &mut [PollFd<'_>], timeout: Option<TimeSpec>) -> nix::Result<i32> {
        ppoll(fds, timeout, None)
    }
}

fn start<G: GuardTable + 'static, H: Record + 'static>(
    parts: Parts<G, H>,
    cpus: Option<(Vec<usize>, Vec<usize>)>,
    first_waits: impl Wait,
    reserve_waits: impl Wait,
) -> io::Result<(Heartbeat, Hearts)> {
    let (heartbeat, inbox, bell) = channels()?;
    let relief = Arc::new(Relief::new()?);
    let Parts { guards, heard, news, alarm, realtime } = parts;
    let heart = Arc::new(Mutex::new(Heart::new(inbox, guards, heard, news, Arc::clone(&relief))));
    let heartbeat = heartbeat.with_hands(Arc::<Mutex<Heart<G, H>>>::clone(&heart));
    let (here, there) = cpus.unzip();
    let on = |cpus: Option<Vec<usize>>| Realtime { cpus: cpus.unwrap_or_default(), ..realtime.clone() };
    let mut hearts = Vec::with_capacity(2);
    if there.is_some() {
        let (how, waits) = (on(there), reserve_waits);
        let reserve = Reserve { heart: Arc::clone(&heart), relief: Arc::clone(&relief), waits };
        hearts.push(alarm.clone().spawn("heart reserve", move || {
            if !realtime::enter(Role::Reserve, &how) {
                info!("BFD packets leave by one thread, for want of a CPU for another one");
            } else if let Err(error) = reserve.run() {
                // The first goes on, as on a machine with one CPU.
                error!(%error, "the heartbeat has lost its reserve: BFD packets leave by one thread");
            }
            Ok(())
        })?);
    }
    let how = if here.is_some() { on(here) } else { realtime.clone() };
    let first =
        First { heart, relief: Arc::clone(&relief), bell, receivers: Arc::default(), waits: first_waits };
    let first = alarm.spawn("heartbeat", move || {
        realtime::enter(Role::Heartbeat, &how);
        first.run()
    });
    match first {
        Ok(first) => hearts.push(first),
        Err(error) => {
            relief.stop();
            Hearts(hearts).join();
            return Err(error);
        }
    }
    Ok((heartbeat, Hearts(hearts)))
}

impl<G: GuardTable, H: Record> Hands for Mutex<Heart<G, H>> {
    fn obey(&self) -> bool {
        match self.try_lock() {
            Ok(mut heart) => {
                heart.obey_for_another();
                true
            }
            // In neither case is anything obeyed: who is in haste sends by itself, also while the process comes to its end.
            Err(TryLockError::WouldBlock | TryLockError::Poisoned(_)) => false,
        }
    }
}

/// The thread that sends.
struct First<G, H, W> {
    heart: Arc<Mutex<Heart<G, H>>>,
    relief: Arc<Relief>,
    bell: Bell,
    /// What it listens to, as it last knew.
    receivers: Arc<[BfdReceiver]>,
    waits: W,
}

impl<G: GuardTable, H: Record, W: Wait> First<G, H, W> {
    fn run(mut self) -> io::Result<()> {
        let mut heard = false;
        loop {
            // The reserve may be at it, for some microseconds.
            let Ok(mut heart) = self.heart.lock() else {
                return Err(io::Error::other("another thread panicked in its turn"));
            };
            let turn = heart.turn(Hand::First, heard);
            if !Arc::ptr_eq(&self.receivers, heart.receivers()) {
                self.receivers = Arc::clone(heart.receivers());
            }
            drop(heart);
            if turn.is_last {
                return Ok(());
            }
            heard = self.wait(turn.next)?;
        }
    }

    /// Waits for an order, for the next packet's time, or for a packet; tells whether one was heard.
    fn wait(&self, next: Option<Time>) -> io::Result<bool> {
        let mut sources: [BorrowedFd<'_>; 1 + SOCKETS] = [self.bell.as_fd(); 1 + SOCKETS];
        for (source, receiver) in sources.iter_mut().skip(1).zip(&*self.receivers) {
            *source = receiver.as_fd();
        }
        let mut fds = sources.map(|source| PollFd::new(source, PollFlags::POLLIN));
        let count = 1 + self.receivers.len().min(SOCKETS);
        if !sleep(&self.waits, fds.get_mut(..count).unwrap_or_default(), next)? {
            return Ok(false);
        }
        let [orders, packets @ ..] = fds.map(|fd| fd.any().unwrap_or_default());
        if orders {
            self.bell.heard();
        }
        Ok(packets.contains(&true))
    }
}

impl<G, H, W> Drop for First<G, H, W> {
    /// Orders come to this thread: without it the reserve would never hear of the end.
    fn drop(&mut self) {
        self.relief.stop();
    }
}

/// The thread that sends what the first one does not.
struct Reserve<G, H, W> {
    heart: Arc<Mutex<Heart<G, H>>>,
    relief: Arc<Relief>,
    waits: W,
}

impl<G: GuardTable, H: Record, W: Wait> Reserve<G, H, W> {
    fn run(self) -> io::Result<()> {
        while !self.relief.is_stopped() {
            let overdue = self.relief.overdue();
            if overdue.is_none_or(|overdue| clock::now() < overdue) {
                if self.relief.lie_down(overdue) {
                    let mut calls = [PollFd::new(self.relief.as_fd(), PollFlags::POLLIN)];
                    let called = sleep(&self.waits, &mut calls, overdue);
                    // Also where it does not go on: nobody is to call it then.
                    self.relief.get_up(matches!(called, Ok(true)));
                    called?;
                }
                continue;
            }
            match self.heart.try_lock() {
                Ok(mut heart) => {
                    if heart.turn(Hand::Reserve, false).is_last {
                        self.relief.stop();
                    }
                }
                // The first one is at it. Should it be stopped there, nobody can help; it sends when it goes on.
                Err(TryLockError::WouldBlock) => {
                    sleep(&self.waits, &mut [], Some(clock::now() + BUSY))?;
                }
                Err(TryLockError::Poisoned(_)) => {
                    return Err(io::Error::other("another thread panicked in its turn"));
                }
            }
        }
        Ok(())
    }
}

/// Waits until then, or until one of the descriptors has something; tells whether one has.
///
/// The time left is read right before it begins; ppoll(2) rounds nothing up for a real-time thread, nor for one whose
/// timer slack is a nanosecond.
fn sleep(waits: &impl Wait, fds: &mut [PollFd<'_>], until: Option<Time>) -> io::Result<bool> {
    let left = until.map(|until| until.since(clock::now()));
    let timeout = left.map(|left| TimeSpec::nanoseconds(i64::try_from(left.as_nanos()).unwrap_or(i64::MAX)));
    match waits.wait(fds, timeout) {
        Ok(0) | Err(Errno::EINTR) => Ok(false),
        Ok(_) => Ok(true),
        Err(errno) => Err(errno.into()),
    }
}

#[cfg(test)]
mod tests;
