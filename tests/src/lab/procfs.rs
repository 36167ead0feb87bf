//! Finding processes of the lab in /proc: those of a namespace, the children of one, and those of a dead lab.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process,
    sync::Once,
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

/// The variable that marks every process of a lab with the process that made the lab.
pub(super) const OWNER: &str = "HADP_LAB_OWNER";
/// How the directories of labs are called, before the process id.
const DIR_PREFIX: &str = "hadp-lab-";

/// Returns this process's id, as processes of its labs carry it.
pub(super) fn owner() -> String {
    process::id().to_string()
}

/// Returns the directory of the lab number `serial` of this process.
pub(super) fn lab_dir(serial: usize) -> PathBuf {
    let mut path = lab_dirs().into_os_string();
    path.push(serial.to_string());
    path.into()
}

/// Returns how the paths of all lab directories of this process begin.
pub(super) fn lab_dirs() -> PathBuf {
    env::temp_dir().join(format!("{DIR_PREFIX}{}-", owner()))
}

/// Returns the processes of the machine.
pub(super) fn pids() -> Vec<i32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

/// Returns the network namespace of a process as the kernel names it, such as `net:[4026531840]`.
pub(super) fn netns(pid: i32) -> Option<PathBuf> {
    fs::read_link(format!("/proc/{pid}/ns/net")).ok()
}

/// Returns the processes of a network namespace.
pub(super) fn pids_in(netns_name: &Path) -> Vec<i32> {
    pids().into_iter().filter(|pid| netns(*pid).is_some_and(|name| name == netns_name)).collect()
}

/// Returns the descendants of `pid`, children first.
pub(super) fn descendants(pid: i32) -> Vec<i32> {
    let mut found = vec![pid];
    let parents: Vec<(i32, i32)> = pids().into_iter().filter_map(|pid| Some((pid, parent(pid)?))).collect();
    let mut next = 0;
    while let Some(of) = found.get(next).copied() {
        found.extend(parents.iter().filter(|(_, parent)| *parent == of).map(|(pid, _)| *pid));
        next += 1;
    }
    found.split_off(1)
}

fn parent(pid: i32) -> Option<i32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The command may contain spaces and parentheses, so the fields count from the last parenthesis.
    stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse().ok()
}

/// Kills what labs of dead processes left: their programs, should any have survived, and their directories.
///
/// Done once per process, before its first lab.
pub fn sweep() {
    static SWEPT: Once = Once::new();
    SWEPT.call_once(|| {
        for pid in pids() {
            if lab_owner(pid).is_some_and(|owner| !alive(&owner)) {
                let _ = kill(Pid::from_raw(pid), Signal::SIGKILL); // it may have ended meanwhile
            }
        }
        for entry in fs::read_dir(env::temp_dir()).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let owner = name.strip_prefix(DIR_PREFIX).and_then(|rest| rest.split('-').next());
            if owner.is_some_and(|owner| !alive(owner)) {
                let _ = fs::remove_dir_all(entry.path()); // another process may be sweeping too
            }
        }
    });
}

fn lab_owner(pid: i32) -> Option<String> {
    let environ = fs::read(format!("/proc/{pid}/environ")).ok()?;
    let mut entries = environ.split(|byte| *byte == 0);
    let owner = entries.find_map(|entry| entry.strip_prefix(OWNER.as_bytes())?.strip_prefix(b"="))?;
    Some(String::from_utf8_lossy(owner).into_owned())
}

fn alive(pid: &str) -> bool {
    Path::new("/proc").join(pid).exists()
}
