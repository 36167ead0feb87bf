//! The daemons under test: hadp, and keepalived as the peer and the mark to beat.

use std::{
    env,
    fmt::{self, Display},
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow, bail};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;

use super::{Log, Node, Process};

/// How long a daemon may take to hand over and end.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);

/// What gives keepalived what hadp has by itself: SCHED_FIFO, and the time that it takes.
///
/// With a real-time priority keepalived limits its CPU time between two blocking calls to 10 ms, and the kernel kills it
/// beyond. On a virtual machine, time that the hypervisor steals counts: it was killed seconds after its start, again and
/// again, and what was measured was a node that had failed before.
pub const KEEPALIVED_REALTIME: &str =
    "global_defs {\n    vrrp_rt_priority 12\n    vrrp_rlimit_rttime 10000000\n}\n";

/// A program that speaks VRRP and reads keepalived.conf.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Software {
    /// hadp, as built from this workspace.
    Hadp,
    /// keepalived, as installed.
    Keepalived,
}

impl Software {
    /// Starts it on `node` with the configuration file `conf`.
    ///
    /// # Errors
    ///
    /// When it is not installed or cannot be built or started.
    pub fn start(self, node: &Node, conf: &Path) -> Result<Daemon> {
        Ok(Daemon { software: self, process: node.spawn(self.command(node, conf)?)? })
    }

    fn command(self, node: &Node, conf: &Path) -> Result<Command> {
        Ok(match self {
            Self::Hadp => {
                let mut command = node.command(&hadp_binary()?.to_string_lossy())?;
                command.arg("run").arg("-f").arg(conf);
                command
            }
            Self::Keepalived => {
                let mut command = node.command("keepalived")?;
                // In the foreground, log to the console with detail, VRRP only. Its pid files go to /run, the node's own.
                command.args(["-n", "-l", "-D", "-P", "-f"]).arg(conf);
                command
            }
        })
    }

    /// Starts it on `node` with this configuration text.
    ///
    /// # Errors
    ///
    /// As [`Self::start`].
    pub fn start_with(self, node: &Node, conf: &str) -> Result<Daemon> {
        self.start(node, &node.write("daemon.conf", conf)?)
    }
}

impl Display for Software {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Hadp => "hadp",
            Self::Keepalived => "keepalived",
        })
    }
}

/// A running daemon. Dropping it kills it.
#[derive(Debug)]
pub struct Daemon {
    software: Software,
    process: Process,
}

impl Daemon {
    /// Starts hadp on `node`.
    ///
    /// # Errors
    ///
    /// As [`Software::start`].
    pub fn hadp(node: &Node, conf: &Path) -> Result<Self> {
        Software::Hadp.start(node, conf)
    }

    /// Starts hadp on `node` with this configuration text, logging at `level`.
    ///
    /// # Errors
    ///
    /// As [`Software::start`].
    pub fn hadp_at(node: &Node, conf: &str, level: &str) -> Result<Self> {
        let mut command = Software::Hadp.command(node, &node.write("daemon.conf", conf)?)?;
        command.env("HADP_LOG", level);
        Ok(Self { software: Software::Hadp, process: node.spawn(command)? })
    }

    /// Starts hadp on `node` with this configuration text, recording to `log`.
    ///
    /// # Errors
    ///
    /// As [`Software::start`].
    pub fn hadp_recording(node: &Node, conf: &str, log: &Path) -> Result<Self> {
        let mut command = Software::Hadp.command(node, &node.write("daemon.conf", conf)?)?;
        command.arg("--record").arg(log);
        Ok(Self { software: Software::Hadp, process: node.spawn(command)? })
    }

    /// Starts keepalived on `node`.
    ///
    /// # Errors
    ///
    /// As [`Software::start`].
    pub fn keepalived(node: &Node, conf: &Path) -> Result<Self> {
        Software::Keepalived.start(node, conf)
    }

    /// Returns which program this is.
    pub fn software(&self) -> Software {
        self.software
    }

    /// Returns its process.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// Returns its log.
    pub fn log(&self) -> &Log {
        self.process.log()
    }

    /// Kills it with all its children, without a last word. Returns when the daemon proper was about to be killed.
    ///
    /// # Errors
    ///
    /// When it has ended already.
    pub fn crash(&mut self) -> Result<Instant> {
        self.process.crash()
    }

    /// Kills the daemon proper alone: its companion goes on. Returns when it was about to be killed.
    ///
    /// # Errors
    ///
    /// When there is none, as there is of other software than hadp.
    pub fn crash_daemon(&mut self) -> Result<Instant> {
        self.signal_daemon(Signal::SIGKILL)
    }

    /// Stops the daemon proper in its tracks (SIGSTOP); its companion goes on. Returns when it was about to be stopped.
    ///
    /// # Errors
    ///
    /// As [`Self::crash_daemon`].
    pub fn freeze(&self) -> Result<Instant> {
        self.signal_daemon(Signal::SIGSTOP)
    }

    /// Lets the daemon proper go on (SIGCONT).
    ///
    /// # Errors
    ///
    /// As [`Self::crash_daemon`].
    pub fn thaw(&self) -> Result<()> {
        self.signal_daemon(Signal::SIGCONT).map(drop)
    }

    /// Stops the daemon and its companion, as a frozen control group or a suspended machine does. Returns when the daemon
    /// proper was about to be stopped.
    ///
    /// # Errors
    ///
    /// As [`Self::crash_daemon`].
    pub fn freeze_all(&self) -> Result<Instant> {
        self.process.signal(Signal::SIGSTOP)?;
        self.freeze()
    }

    /// Has its machine die, as for want of power: `cut` ends its line, and its processes stand still from then on. Machines of
    /// the lab share processors; what a dead one still did, the others would have to wait for.
    ///
    /// # Errors
    ///
    /// When the line is not cut, or as [`Self::crash_daemon`].
    pub fn die<T>(&self, cut: impl FnOnce() -> Result<T>) -> Result<T> {
        // Found before: that takes milliseconds.
        let pid = self.daemon_pid()?;
        let cut = cut()?;
        kill(pid, Signal::SIGSTOP).context("stopping the daemon proper")?;
        self.process.signal(Signal::SIGSTOP)?;
        Ok(cut)
    }

    /// Lets the daemon and its companion go on.
    ///
    /// # Errors
    ///
    /// As [`Self::crash_daemon`].
    pub fn thaw_all(&self) -> Result<()> {
        self.thaw()?;
        self.process.signal(Signal::SIGCONT)
    }

    /// Returns all its processes: of hadp, the companion and the daemon proper.
    pub fn pids(&self) -> Vec<Pid> {
        [self.process.pid()].into_iter().chain(self.process.child_pid()).collect()
    }

    fn daemon_pid(&self) -> Result<Pid> {
        self.process.child_pid().context("there is no daemon proper")
    }

    /// Sends a signal to the daemon proper, and returns when: finding it takes milliseconds.
    fn signal_daemon(&self, signal: Signal) -> Result<Instant> {
        let pid = self.daemon_pid()?;
        let struck = Instant::now();
        kill(pid, signal).with_context(|| format!("sending {signal} to the daemon proper"))?;
        Ok(struck)
    }

    /// Asks it to end (SIGTERM), without waiting.
    ///
    /// # Errors
    ///
    /// When it has ended already.
    pub fn terminate(&self) -> Result<()> {
        self.process.signal(Signal::SIGTERM)
    }

    /// Asks it to end and waits until it has.
    ///
    /// # Errors
    ///
    /// When it does not end in time, or fails.
    pub fn stop(&mut self) -> Result<()> {
        self.terminate()?;
        let status = self.process.wait(STOP_TIMEOUT)?;
        if !status.success() {
            bail!("{} ended with {status}; its log was:\n{}", self.software, self.log().text());
        }
        Ok(())
    }
}

/// Asks the hadp of `node` for its status.
///
/// # Errors
///
/// When no daemon answers, or not in JSON.
pub fn hadp_status(node: &Node) -> Result<Value> {
    let text = node.run([&hadp_binary()?.to_string_lossy(), "status", "--json"])?;
    serde_json::from_str(&text).with_context(|| format!("reading the status of {}: {text}", node.name()))
}

/// Returns the hadp program: `HADP_BIN`, or the workspace's, brought up to date.
///
/// # Errors
///
/// When it cannot be built.
pub fn hadp_binary() -> Result<PathBuf> {
    static BINARY: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let binary = BINARY.get_or_init(|| match env::var_os("HADP_BIN") {
        Some(path) => Ok(path.into()),
        None => build_hadp().map_err(|error| format!("{error:#}")),
    });
    binary.clone().map_err(|error| anyhow!(error))
}

fn build_hadp() -> Result<PathBuf> {
    let program = env::current_exe().context("finding this program")?;
    let release = program.components().any(|part| part.as_os_str() == "release");
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["build", "--quiet", "--package", "hadp", "--bin", "hadp"]);
    command.args(release.then_some("--release")).current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    if !command.status().context("starting cargo to build hadp")?.success() {
        bail!("hadp could not be built");
    }
    let profile = if release { "release" } else { "debug" };
    let target = program.ancestors().find(|dir| dir.ends_with(profile));
    let binary = target.context("finding the target directory")?.join("hadp");
    if !binary.exists() {
        bail!("cargo built no {}", binary.display());
    }
    Ok(binary)
}
