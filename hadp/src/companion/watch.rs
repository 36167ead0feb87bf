//! The companion's only loop.

use std::{
    ffi::OsString,
    io,
    os::{fd::AsFd as _, unix::process::ExitStatusExt as _},
    process::{ExitCode, ExitStatus},
    thread::JoinHandle,
    time::Duration,
};

use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, ppoll},
    sys::{
        signal::{SigSet, Signal},
        signalfd::{SfdFlags, SignalFd},
        time::TimeSpec,
    },
};
use sd_notify::NotifyState;
use tracing::{debug, error, info, warn};

use super::{
    caretaker::{Caretaker, PATIENCE},
    child::{self, Daemon},
    deaths::{Deaths, Remedy},
    estate::Estate,
    realtime,
    testament::Phase,
};
use crate::shell::{self, Paths, clock};

/// What the companion is started with.
#[derive(Clone, Debug)]
pub struct Options {
    /// The arguments of this process, which the daemon gets too.
    pub arguments: Vec<OsString>,
    /// Where the daemon keeps what outlives it.
    pub paths: Paths,
}

/// Why there is no companion any more.
#[derive(Debug, thiserror::Error)]
#[error("cannot {what}")]
pub struct CompanionError {
    what: &'static str,
    source: io::Error,
}

fn failed<E: Into<io::Error>>(what: &'static str) -> impl FnOnce(E) -> CompanionError {
    move |source| CompanionError { what, source: source.into() }
}

/// Runs the daemon proper, again and again should it die, and returns the exit code of its end.
///
/// A daemon that does not even start is not tried again: its exit code says why.
///
/// # Errors
///
/// When no daemon can be started, or not be watched.
pub fn run(options: Options) -> Result<ExitCode, CompanionError> {
    let handled = SigSet::from_iter([
        Signal::SIGTERM,
        Signal::SIGINT,
        Signal::SIGHUP,
        Signal::SIGUSR1,
        Signal::SIGUSR2,
    ]);
    handled.thread_block().map_err(failed("block signals"))?;
    let flags = SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK;
    let signals = SignalFd::with_flags(&handled, flags).map_err(failed("receive signals"))?;
    let estate = Estate::create().map_err(failed("make the memory shared with the daemon"))?;
    realtime::enter();
    let watch = Watch {
        options,
        estate,
        signals,
        caretaker: Caretaker::default(),
        deaths: Deaths::default(),
        died: 0,
        started: false,
        stopping: false,
        untold: Vec::new(),
        remedy: None,
        lifeline: None,
    };
    watch.run()
}

struct Watch {
    options: Options,
    estate: Estate,
    signals: SignalFd,
    caretaker: Caretaker,
    deaths: Deaths,
    died: u64,
    /// Whether a daemon has ever worked.
    started: bool,
    /// Whether somebody wants all of this to end.
    stopping: bool,
    /// Signals that the present daemon is to be told of once it heeds them.
    untold: Vec<Signal>,
    /// What was decided about the death of the present daemon.
    remedy: Option<Remedy>,
    /// The thread that waits for it.
    lifeline: Option<JoinHandle<()>>,
}

impl Watch {
    fn run(mut self) -> Result<ExitCode, CompanionError> {
        loop {
            self.estate.begin(clock::now(), self.died);
            self.untold.clear(); // it reads its configuration in any case
            let daemon = Daemon::spawn(&self.options.arguments, self.estate.memory(), self.estate.bell());
            let end = match daemon {
                Ok(daemon) => self.attend(daemon).map_err(failed("watch the daemon"))?,
                Err(source) if !self.started => return Err(failed("start the daemon")(source)),
                Err(source) => {
                    error!(error = %source, "cannot start the daemon");
                    ExitStatus::from_raw(1 << 8)
                }
            };
            if self.stopping || !self.started || self.estate.phase() == Phase::Stopping {
                if end.signal().is_some() && self.started {
                    self.clean_up();
                    if self.stopping && end.signal().is_some_and(stops) {
                        // Told to stop before it could heed that: nothing is left, as was wanted.
                        return Ok(ExitCode::SUCCESS);
                    }
                }
                return Ok(ExitCode::from(child::exit_code(end)));
            }
            let pause = self.bury(end);
            if !pause.is_zero() && self.pause(pause).map_err(failed("wait"))? {
                self.clean_up();
                return Ok(ExitCode::SUCCESS);
            }
        }
    }

    /// Does what is urgent about a daemon that has died, or is dying.
    fn mourn(&mut self) -> Remedy {
        let now = clock::now();
        match self.deaths.remedy(now, self.estate.policy()) {
            Remedy::Restart => {
                self.caretaker.take_care(&self.estate, now);
                Remedy::Restart
            }
            Remedy::FailOver { pause } => {
                self.caretaker.give_up(&self.estate, now);
                Remedy::FailOver { pause }
            }
        }
    }

    /// Does the rest once it is dead, and returns the pause before the next one is started.
    fn bury(&mut self, end: ExitStatus) -> Duration {
        let remedy = self.remedy.take().unwrap_or_else(|| self.mourn());
        if end.code().is_some() && self.estate.phase() != Phase::Failed {
            // It came to its end by itself, and has removed what its routers need.
            self.caretaker.give_up(&self.estate, clock::now());
        }
        if let Some(lifeline) = self.lifeline.take() {
            drop(lifeline.join()); // it has ended with the daemon
        }
        self.died += 1;
        let deaths = self.died;
        match remedy {
            Remedy::Restart => {
                warn!(%end, deaths, "the daemon died; starting it again");
                Duration::ZERO
            }
            Remedy::FailOver { pause } => {
                warn!(%end, deaths, pause_s = pause.as_secs(), "the daemon died; handed over, then starting it again");
                pause
            }
        }
    }

    /// Watches a daemon until its end; looks after the routers of its predecessor until it does so itself.
    fn attend(&mut self, mut daemon: Daemon) -> io::Result<ExitStatus> {
        debug!(pid = daemon.pid(), "daemon started");
        let mut prepared = false;
        loop {
            let now = clock::now();
            let next = self.caretaker.tend(now);
            if self.caretaker.is_over(now) {
                warn!(
                    after_ms = PATIENCE.as_millis(),
                    "the new daemon does not go on; giving up its routers"
                );
                self.caretaker.give_up(&self.estate, now);
            }
            let mut fds = [daemon.as_fd(), self.estate.bell(), self.signals.as_fd()]
                .map(|fd| PollFd::new(fd, PollFlags::POLLIN));
            let timeout = next.map(|next| TimeSpec::from(next.since(clock::now())));
            match ppoll(&mut fds, timeout, None) {
                Ok(_) | Err(Errno::EINTR) => {}
                Err(errno) => return Err(errno.into()),
            }
            let [ended, rang, told] = fds.map(|fd| fd.any() == Some(true));
            if rang {
                self.estate.heard();
                if self.remedy.is_none() && self.is_dying() {
                    self.remedy = Some(self.mourn());
                } else {
                    self.noticed(&mut prepared);
                    self.tell(&daemon);
                }
            }
            if told {
                self.pass_on(&daemon);
            }
            if ended {
                return daemon.reap();
            }
        }
    }

    /// Tells whether the daemon has died although nobody wanted it to, if it is still being taken apart.
    fn is_dying(&self) -> bool {
        let wanted = self.stopping || self.estate.phase() == Phase::Stopping;
        self.started && !wanted && self.estate.is_bereaved(self.died + 1)
    }

    /// Takes note of what the daemon has written.
    fn noticed(&mut self, prepared: &mut bool) {
        if self.lifeline.is_none() && self.estate.phase() >= Phase::Resumed && self.remedy.is_none() {
            let watch = self.estate.watch(self.died + 1);
            self.lifeline = watch.inspect_err(|error| warn!(%error, "no early notice of a death")).ok();
        }
        match self.estate.phase() {
            Phase::Starting => {}
            Phase::Resumed => self.caretaker.let_go(),
            Phase::Ready if *prepared => drop(self.caretaker.listen(&self.estate)),
            Phase::Ready => {
                self.caretaker.let_go();
                self.caretaker.prepare(&self.estate, &self.options.paths.pins);
                *prepared = true;
                self.has_worked();
            }
            // It said that it works so shortly before that nobody saw it.
            Phase::Failed => self.has_worked(),
            Phase::Stopping => notify_manager(NotifyState::Stopping),
        }
    }

    /// Takes note that a daemon has worked.
    fn has_worked(&mut self) {
        if !std::mem::replace(&mut self.started, true) {
            notify_manager(NotifyState::Ready);
        }
    }

    /// Passes on what this process was told. What does not end a daemon that works would end one that does not heed signals yet,
    /// and waits until it does.
    fn pass_on(&mut self, daemon: &Daemon) {
        while let Some(signal) = self.signal() {
            if stops(signal as i32) {
                self.stopping = true;
                daemon.signal(signal);
            } else if !self.untold.contains(&signal) {
                self.untold.push(signal);
            }
        }
        self.tell(daemon);
    }

    fn tell(&mut self, daemon: &Daemon) {
        if self.estate.phase() >= Phase::Ready {
            self.untold.drain(..).for_each(|signal| daemon.signal(signal));
        }
    }

    /// Returns the next signal that has come.
    fn signal(&self) -> Option<Signal> {
        let read = self.signals.read_signal().ok().flatten()?;
        i32::try_from(read.ssi_signo).ok().and_then(|number| Signal::try_from(number).ok())
    }

    /// Waits, and returns whether it was told to stop meanwhile.
    fn pause(&self, pause: Duration) -> io::Result<bool> {
        let end = clock::now() + pause;
        loop {
            let left = end.since(clock::now());
            if left.is_zero() {
                return Ok(false);
            }
            let mut fds = [PollFd::new(self.signals.as_fd(), PollFlags::POLLIN)];
            match ppoll(&mut fds, Some(TimeSpec::from(left)), None) {
                Ok(_) | Err(Errno::EINTR) => {}
                Err(errno) => return Err(errno.into()),
            }
            while let Some(signal) = self.signal() {
                if stops(signal as i32) {
                    return Ok(true);
                }
            }
        }
    }

    /// Leaves nothing behind although no daemon is there to do it: resigns, then removes what it left.
    fn clean_up(&mut self) {
        info!("the daemon did not come to its end; removing what it left");
        self.caretaker.give_up(&self.estate, clock::now());
        if let Err(error) = shell::clean_up(&self.options.paths) {
            error!(%error, "something is left");
        }
    }
}

/// Tells whether a signal asks for the end.
fn stops(signal: i32) -> bool {
    [Signal::SIGTERM, Signal::SIGINT].iter().any(|end| *end as i32 == signal)
}

/// Tells the service manager, if there is one.
fn notify_manager(state: NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(false, &[state]) {
        warn!(%error, "cannot notify the service manager");
    }
}
