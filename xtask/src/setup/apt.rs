//! Debian's package manager.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail};

use crate::{
    command::{command, output, run_quietly},
    machine::{as_root, has_apt, is_root},
};

/// What maintainer scripts ask whether a service may start; 101 means no.
const POLICY: &str = "/usr/sbin/policy-rc.d";

/// Returns whether `package` can be installed, reading the package lists anew if that is needed to know.
pub(super) fn offers(package: &str) -> bool {
    has_apt() && (has_candidate(package) || (update().is_ok() && has_candidate(package)))
}

/// Installs `packages`, and starts no service that they bring.
///
/// # Errors
///
/// When apt-get fails even with fresh lists, or this takes root and there is no way to it; the error is the command to run.
pub(super) fn install(packages: &[&str]) -> Result<()> {
    let by_hand = || format!("install by hand: apt-get install {}", packages.join(" "));
    if !has_apt() {
        bail!("this machine has no apt-get; install what Debian calls {}", packages.join(" "));
    }
    let _policy = NoServices::declare().with_context(by_hand)?;
    let install = || -> Result<()> {
        let mut command = apt_get()?;
        command.args(["install", "--yes", "--no-install-recommends"]).args(packages);
        run_quietly(command)
    };
    if packages.iter().all(|package| has_candidate(package)) && install().is_ok() {
        return Ok(());
    }
    // No lists, or lists so old that what they name is no longer there.
    update().and_then(|()| install()).with_context(by_hand)
}

fn has_candidate(package: &str) -> bool {
    let policy = output("apt-cache", ["policy", package]).unwrap_or_default();
    policy
        .lines()
        .any(|line| line.trim().strip_prefix("Candidate: ").is_some_and(|version| version != "(none)"))
}

fn update() -> Result<()> {
    super::say("reading the package lists (apt-get update)");
    let mut command = apt_get()?;
    command.args(["update"]);
    run_quietly(command)
}

fn apt_get() -> Result<Command> {
    let mut command = as_root("env", "installing packages")?;
    command.args(["DEBIAN_FRONTEND=noninteractive", "apt-get", "--quiet"]).stdin(Stdio::null());
    Ok(command)
}

/// Keeps packages from starting services while they are installed: a keepalived on the machine itself is not wanted.
struct NoServices {
    ours: bool,
}

impl NoServices {
    fn declare() -> Result<Self> {
        if Path::new(POLICY).exists() {
            return Ok(Self { ours: false });
        }
        let script = "#!/bin/sh\nexit 101\n";
        if is_root() {
            fs::write(POLICY, script).with_context(|| format!("writing {POLICY}"))?;
            fs::set_permissions(POLICY, fs::Permissions::from_mode(0o755))?;
        } else {
            let mut command = as_root("sh", "installing packages")?;
            command
                .arg("-c")
                .arg(format!("printf '#!/bin/sh\\nexit 101\\n' >{POLICY} && chmod 755 {POLICY}"));
            run_quietly(command)?;
        }
        Ok(Self { ours: true })
    }
}

impl Drop for NoServices {
    fn drop(&mut self) {
        if self.ours {
            let removal = if is_root() { Ok(command("rm", [])) } else { as_root("rm", "removing a file") };
            let _ = removal.and_then(|mut rm| {
                rm.args(["-f", POLICY]);
                run_quietly(rm)
            });
        }
    }
}
