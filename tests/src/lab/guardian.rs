//! What sees to it that nothing of a lab outlives the process that made it, however that ends.
//!
//! Programs of the lab die with the thread that started them, but what they started themselves does not: a killed test would
//! leave the daemons whose parents it had started. A process of its own waits for the end of this one, and ends them.

use std::{
    io::{self, PipeWriter},
    os::unix::process::CommandExt as _,
    process::{Command, Stdio},
    sync::OnceLock,
};

use anyhow::{Context as _, Result, anyhow};

use super::procfs;

/// Waits until the writing end of its standard input is closed; then kills every process whose environment has the line
/// `$1` until there is none (what forks meanwhile is found in the next round), and removes the directories `$2`*.
const SCRIPT: &str = r#"
read -r never
found=1
while [ "$found" ]; do
    found=
    for environ in /proc/[0-9]*/environ; do
        if grep -qzxF "$1" "$environ" 2>/dev/null; then
            pid=${environ#/proc/}
            kill -KILL "${pid%/environ}" 2>/dev/null && found=1
        fi
    done
done
rm -rf "$2"*
"#;

/// Starts the guardian of this process, once.
///
/// # Errors
///
/// When it cannot be started.
pub(super) fn post() -> Result<()> {
    // The pipe's end lives as long as this process: the kernel closes it, whatever that dies of.
    static POSTED: OnceLock<Result<PipeWriter, String>> = OnceLock::new();
    match POSTED.get_or_init(|| start().map_err(|error| format!("{error:#}"))) {
        Ok(_) => Ok(()),
        Err(error) => Err(anyhow!("{error}")),
    }
}

fn start() -> Result<PipeWriter> {
    let (reader, writer) = io::pipe().context("making a pipe")?;
    let owner = format!("{}={}", procfs::OWNER, procfs::owner());
    let mut command = Command::new("sh");
    command.args(["-c", SCRIPT, "guardian", &owner]).arg(procfs::lab_dirs());
    // Apart from this process's group: whoever ends that, by the keyboard or `timeout`, must not end the guardian.
    command.process_group(0).env_remove(procfs::OWNER).env("LC_ALL", "C");
    command.stdin(reader).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().context("starting the lab's guardian")?;
    Ok(writer)
}
