//! Processes that stand still all at once, as a frozen container does.

use std::{
    fs,
    path::{Path, PathBuf},
    process,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use anyhow::{Context, Result, bail};
use nix::unistd::Pid;

use super::wait_until;

/// Where the freezer of cgroup v1 is mounted.
const V1: &str = "/sys/fs/cgroup/freezer";
/// Where cgroup v2 may be mounted.
const V2: [&str; 2] = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"];

/// What a version of control groups calls its switch, and its two positions.
#[derive(Clone, Copy, Debug)]
struct Switch {
    file: &'static str,
    frozen: &'static str,
    thawed: &'static str,
    /// Where it says that all stand still, and how.
    state: &'static str,
    says: &'static str,
}

const SWITCHES: [Switch; 2] = [
    Switch {
        file: "freezer.state",
        frozen: "FROZEN",
        thawed: "THAWED",
        state: "freezer.state",
        says: "FROZEN",
    },
    Switch { file: "cgroup.freeze", frozen: "1", thawed: "0", state: "cgroup.events", says: "frozen 1" },
];

/// A control group of its own. Dropping it thaws what is in it, and removes it.
#[derive(Debug)]
pub struct Freezer {
    group: PathBuf,
    switch: Switch,
}

impl Freezer {
    /// Puts processes with all their threads into a control group that can be frozen.
    ///
    /// # Errors
    ///
    /// Where the machine has no freezer, of either version.
    pub fn new(pids: &[Pid]) -> Result<Self> {
        static SERIAL: AtomicUsize = AtomicUsize::new(0);
        let name = format!("hadp-lab-{}-{}", process::id(), SERIAL.fetch_add(1, Ordering::Relaxed));
        for root in [V1].into_iter().chain(V2).map(Path::new).filter(|root| root.is_dir()) {
            let group = root.join(&name);
            if fs::create_dir(&group).is_err() {
                continue;
            }
            let switch = SWITCHES.into_iter().find(|switch| group.join(switch.file).exists());
            let Some(switch) = switch else {
                fs::remove_dir(&group)?;
                continue;
            };
            let freezer = Self { group, switch };
            for pid in pids {
                freezer.write("cgroup.procs", &pid.to_string())?;
            }
            return Ok(freezer);
        }
        bail!("this machine has no freezer in {V1}, nor cgroup.freeze below {}", V2.join(" or "))
    }

    /// Has all processes stand still, and returns once they do.
    ///
    /// # Errors
    ///
    /// When they do not.
    pub fn freeze(&self) -> Result<()> {
        self.write(self.switch.file, self.switch.frozen)?;
        let state = self.group.join(self.switch.state);
        let stands = || Ok(fs::read_to_string(&state)?.contains(self.switch.says));
        wait_until("all processes stand still", Duration::from_secs(2), stands).map(drop)
    }

    /// Lets them go on.
    ///
    /// # Errors
    ///
    /// When the kernel refuses.
    pub fn thaw(&self) -> Result<()> {
        self.write(self.switch.file, self.switch.thawed)
    }

    fn write(&self, file: &str, text: &str) -> Result<()> {
        let path = self.group.join(file);
        fs::write(&path, text).with_context(|| format!("writing {text} to {}", path.display()))
    }
}

impl Drop for Freezer {
    fn drop(&mut self) {
        let _ = self.thaw(); // else nobody can end them any more
        // A group that is not empty cannot be removed; what has ended is in none.
        let pids = fs::read_to_string(self.group.join("cgroup.procs")).unwrap_or_default();
        for pid in pids.lines() {
            let _ = fs::write(self.group.with_file_name("cgroup.procs"), pid);
        }
        let _ = fs::remove_dir(&self.group); // a process that ends just now keeps it; it is empty then
    }
}
