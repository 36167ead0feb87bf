//! bpf-linker, which must read the bitcode of the rustc that it links for.

use std::{env, fs, path::PathBuf};

use anyhow::{Context, Result, bail};

use super::{apt, say};
use crate::{
    command::{cargo, find, run_quietly},
    machine::has_apt,
};

/// The version that is known to work.
const VERSION: &str = "0.13.0";
/// The LLVM versions it can be built with.
const LLVM: std::ops::RangeInclusive<u32> = 21..=23;

/// Returns whether bpf-linker for this LLVM is here or can be built here.
pub(super) fn supports(llvm: u32) -> bool {
    installed_for(llvm)
        || llvm_dir(llvm).is_some()
        || (LLVM.contains(&llvm) && apt::offers(&dev_package(llvm)))
}

/// Installs bpf-linker for rustc's LLVM unless it is here.
///
/// # Errors
///
/// Says what to run by hand.
pub(super) fn ensure(llvm: u32) -> Result<()> {
    if installed_for(llvm) {
        return Ok(());
    }
    if !LLVM.contains(&llvm) {
        bail!("bpf-linker {VERSION} cannot be built with LLVM {llvm}, which rustc uses");
    }
    if has_apt() {
        say(&format!("installing the libraries of LLVM {llvm} (apt-get)"));
        let polly = format!("libpolly-{llvm}-dev");
        apt::install(&[&dev_package(llvm), &polly, "zlib1g-dev", "libzstd-dev", "g++"])?;
    }
    let dir = llvm_dir(llvm).with_context(|| {
        format!(
            "bpf-linker needs the headers and libraries of LLVM {llvm} in /usr/lib/llvm-{llvm}: install them"
        )
    })?;
    say(&format!("building bpf-linker {VERSION} with LLVM {llvm} (cargo install, a minute or two)"));
    let feature = format!("llvm-{llvm}");
    let mut install = cargo(["install", "bpf-linker", "--version", VERSION, "--locked", "--force"]);
    install.args(["--no-default-features", "--features", &feature]);
    install.env("LLVM_PREFIX", &dir).env(format!("LLVM_SYS_{llvm}1_PREFIX"), &dir);
    // Outside the workspace, whose .cargo/config.toml and target directory are not meant for it.
    install.current_dir("/").env_remove("CARGO_TARGET_DIR");
    run_quietly(install)
}

fn dev_package(llvm: u32) -> String {
    format!("llvm-{llvm}-dev")
}

/// Returns where distributions put this LLVM, if its headers are here.
fn llvm_dir(llvm: u32) -> Option<PathBuf> {
    Some(PathBuf::from(format!("/usr/lib/llvm-{llvm}"))).filter(|dir| dir.join("include/llvm-c").is_dir())
}

/// Returns whether a bpf-linker is here that reads the bitcode of this LLVM: LLVM reads that of its predecessors.
fn installed_for(llvm: u32) -> bool {
    let dirs = [Some(cargo_home().join("bin/bpf-linker")), find("bpf-linker")];
    if !dirs.into_iter().flatten().any(|file| file.is_file()) {
        return false;
    }
    // One that cargo did not install came with its LLVM from elsewhere, and whoever put it there knew why.
    built_with().is_none_or(|built| built >= llvm)
}

/// Returns the LLVM that `cargo install` built bpf-linker with, from cargo's own list of what it installed.
fn built_with() -> Option<u32> {
    let installed = fs::read_to_string(cargo_home().join(".crates2.json")).ok()?;
    let (_, entry) = installed.split_once("\"bpf-linker ")?;
    let (_, feature) = entry.split_once("\"llvm-")?;
    feature.split('"').next()?.parse().ok()
}

fn cargo_home() -> PathBuf {
    let home = || PathBuf::from(env::var_os("HOME").unwrap_or_default()).join(".cargo");
    env::var_os("CARGO_HOME").map_or_else(home, PathBuf::from)
}
