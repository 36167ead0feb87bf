//! What this machine lets us do: root, sudo and the terminal.

use std::{
    ffi::OsStr,
    fs,
    io::{self, IsTerminal},
    os::unix::fs::MetadataExt,
    path::Path,
    process::Command,
};

use anyhow::{Result, bail};

use crate::command::{command, find};

/// Returns whether this process is root.
pub(crate) fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|metadata| metadata.uid() == 0)
}

/// Returns a command that runs as root: directly, or through sudo with the environment kept.
///
/// # Errors
///
/// When this process is not root and there is no sudo; says what needs root.
pub(crate) fn as_root(program: impl AsRef<OsStr>, what: &str) -> Result<Command> {
    if is_root() {
        return Ok(command(program, []));
    }
    let Some(sudo) = find("sudo") else {
        bail!("{what} needs root, and there is no sudo: run it as root");
    };
    let mut command = command(sudo, ["--preserve-env", "--"]);
    command.arg(program);
    Ok(command)
}

/// Returns whether people are watching.
pub(crate) fn is_terminal() -> bool {
    io::stdout().is_terminal()
}

/// Returns whether Debian's package manager is here.
pub(crate) fn has_apt() -> bool {
    find("apt-get").is_some() && Path::new("/var/lib/dpkg").is_dir()
}
