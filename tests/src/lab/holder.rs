//! The process that keeps a node's namespaces alive.

use std::{
    fs::File,
    io,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
};

use anyhow::{Context, Result, anyhow};
use nix::{
    errno::Errno,
    mount::{MsFlags, mount},
    sched::{CloneFlags, setns, unshare},
    sys::{
        prctl,
        signal::{Signal, kill},
    },
    unistd::{Pid, sethostname},
};

use super::procfs;

/// The namespaces of one machine of the lab: network, mounts and host name.
///
/// Its own `/run`, `/sys` and `/sys/fs/bpf` make two daemons believe that each has a machine to itself. Dropping it kills
/// everything inside.
#[derive(Debug)]
pub struct Holder {
    process: Child,
    netns: PathBuf,
    /// The namespaces' files, in the order in which they are joined.
    net: File,
    uts: File,
    mnt: File,
}

impl Holder {
    /// Makes the namespaces of a machine called `name`.
    ///
    /// # Errors
    ///
    /// Without root, or where namespaces cannot be made.
    pub fn new(name: &str) -> Result<Self> {
        let mut command = Command::new("sleep");
        command.arg("infinity").env(procfs::OWNER, procfs::owner()).stdin(Stdio::null());
        let host_name = name.to_owned();
        // SAFETY: the closure only makes system calls on memory allocated before the fork.
        unsafe { command.pre_exec(move || isolate(&host_name).map_err(io::Error::from)) };
        let process = command.spawn().context("making namespaces (this needs root)")?;
        let pid = process.id();
        let open = |kind: &str| {
            let path = format!("/proc/{pid}/ns/{kind}");
            File::open(&path).with_context(|| format!("opening {path}"))
        };
        let (net, uts, mnt) = (open("net")?, open("uts")?, open("mnt")?);
        let netns = procfs::netns(pid.cast_signed()).context("reading the name of a network namespace")?;
        Ok(Self { process, netns, net, uts, mnt })
    }

    /// Returns the process that holds the namespaces.
    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Returns the network namespace's name, such as `net:[4026531840]`.
    pub fn netns(&self) -> &Path {
        &self.netns
    }

    /// Returns a command that will run inside the namespaces, and dies with the thread that starts it.
    ///
    /// # Errors
    ///
    /// When the namespaces' files cannot be duplicated.
    pub fn command(&self, program: &str) -> Result<Command> {
        let namespaces = [self.net.try_clone()?, self.uts.try_clone()?, self.mnt.try_clone()?];
        let mut command = Command::new(program);
        command.env(procfs::OWNER, procfs::owner()).stdin(Stdio::null());
        let join = move || {
            prctl::set_pdeathsig(Signal::SIGKILL)?;
            namespaces.iter().try_for_each(|file| setns(file, CloneFlags::empty()))
        };
        // SAFETY: the closure only makes system calls on files opened before the fork.
        unsafe { command.pre_exec(move || join().map_err(io::Error::from)) };
        Ok(command)
    }

    /// Runs `task` on a thread inside the network namespace; a socket opened there stays there.
    ///
    /// # Errors
    ///
    /// The task's own, or that the namespace cannot be joined.
    pub fn in_net<T: Send>(&self, task: impl FnOnce() -> Result<T> + Send) -> Result<T> {
        let run = || {
            setns(&self.net, CloneFlags::CLONE_NEWNET).context("joining a network namespace")?;
            task()
        };
        thread::scope(|scope| scope.spawn(run).join())
            .map_err(|_| anyhow!("a task in a namespace panicked"))?
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        // Twice: what forked while the first list was read is in the second.
        for pid in (0..2).flat_map(|_| procfs::pids_in(&self.netns)) {
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL); // it may have ended meanwhile
        }
        let _ = self.process.wait(); // killed above
    }
}

/// Moves the calling process into namespaces of its own.
fn isolate(host_name: &str) -> Result<(), Errno> {
    prctl::set_pdeathsig(Signal::SIGKILL)?;
    unshare(CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWUTS)?;
    sethostname(host_name)?;
    let none = None::<&str>;
    // What is mounted from here on must not show on the machine.
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none)?;
    mount(Some("tmpfs"), "/run", Some("tmpfs"), MsFlags::MS_NOSUID | MsFlags::MS_NODEV, Some("mode=755"))?;
    // A sysfs shows the interfaces of the network namespace it was mounted in.
    mount(Some("sysfs"), "/sys", Some("sysfs"), MsFlags::empty(), none)?;
    mount(Some("bpf"), "/sys/fs/bpf", Some("bpf"), MsFlags::empty(), none)
}
