//! A program that runs in a node.

use std::{
    io,
    process::{Child, Command, ExitStatus},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use nix::{
    sys::{
        prctl,
        signal::{Signal, kill},
        wait::waitpid,
    },
    unistd::Pid,
};

use super::{Log, procfs, wait_until};

/// A running program with its log. Dropping it kills it, and shows the log if the thread is panicking.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    log: Log,
}

impl Process {
    /// Starts `command` and collects what it writes.
    ///
    /// # Errors
    ///
    /// When it cannot be started.
    pub fn spawn(name: String, mut command: Command) -> Result<Self> {
        let (reader, writer) = io::pipe().context("making a pipe")?;
        command.stdout(writer.try_clone()?).stderr(writer);
        let child =
            command.spawn().with_context(|| format!("starting {name}: {:?}", command.get_program()))?;
        drop(command); // it holds the pipe's writing end, and the log ends when all of them are closed
        Ok(Self { name, child, log: Log::collect(reader) })
    }

    /// Returns its process id.
    pub fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id().cast_signed())
    }

    /// Returns what it wrote.
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// Sends `signal` to it, not to its children.
    ///
    /// # Errors
    ///
    /// When it has been waited for already.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        kill(self.pid(), signal).with_context(|| format!("sending {signal} to {}", self.name))
    }

    /// Kills it and its descendants as if the machine's memory had run out: none of them can do a last thing. Returns when
    /// the descendants, who do the work, were about to be killed.
    ///
    /// # Errors
    ///
    /// When it has ended already.
    pub fn crash(&mut self) -> Result<Instant> {
        // Stopped first, so that a parent neither notices that its children die nor starts others.
        self.signal(Signal::SIGSTOP)?;
        // Orphans come to this process, to be reaped: keepalived takes a zombie for one that runs.
        prctl::set_child_subreaper(true)?;
        let orphans = self.descendants();
        let struck = Instant::now();
        kill_all(&orphans);
        self.signal(Signal::SIGKILL)?;
        self.child.wait().with_context(|| format!("waiting for {}", self.name))?;
        for orphan in orphans {
            let _ = waitpid(orphan, None); // it had ended before, and was reaped
        }
        Ok(struck)
    }

    fn descendants(&self) -> Vec<Pid> {
        procfs::descendants(self.pid().as_raw()).into_iter().map(Pid::from_raw).collect()
    }

    /// Returns the process it has started, if there is one: of hadp, the daemon proper.
    pub fn child_pid(&self) -> Option<Pid> {
        procfs::descendants(self.pid().as_raw()).first().copied().map(Pid::from_raw)
    }

    /// Returns whether it still runs.
    ///
    /// # Errors
    ///
    /// When the system does not say.
    pub fn running(&mut self) -> Result<bool> {
        Ok(self.child.try_wait()?.is_none())
    }

    /// Waits for its end.
    ///
    /// # Errors
    ///
    /// Shows the log when it does not end within `timeout`.
    pub fn wait(&mut self, timeout: Duration) -> Result<ExitStatus> {
        let child = &mut self.child;
        wait_until(&format!("end of {}", self.name), timeout, || Ok(child.try_wait()?.is_some()))
            .with_context(|| format!("the log was:\n{}", self.log.text()))?;
        Ok(self.child.wait()?)
    }
}

/// Kills processes, as far as they have not ended.
fn kill_all(pids: &[Pid]) {
    for pid in pids {
        let _ = kill(*pid, Signal::SIGKILL);
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.running().is_ok_and(|running| running) {
            let _ = self.signal(Signal::SIGSTOP); // it starts no others
            kill_all(&self.descendants());
        }
        let _ = self.child.kill(); // it may have ended already
        let _ = self.child.wait();
        if thread::panicking() {
            eprintln!("---- log of {} ----\n{}", self.name, self.log.text());
        }
    }
}
