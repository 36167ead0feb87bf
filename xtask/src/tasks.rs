//! Building, running and measuring.

use std::path::PathBuf;

use anyhow::Result;

use crate::{
    command::{cargo, root, run},
    machine::as_root,
    setup,
};

/// With or without optimisation.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Profile {
    Debug,
    Release,
}

/// Builds the whole workspace.
///
/// # Errors
///
/// When setup or the build fails.
pub(crate) fn build(release: bool) -> Result<()> {
    setup::run()?;
    build_programs(if release { Profile::Release } else { Profile::Debug }, &[]).map(drop)
}

/// Runs the daemon on this machine.
///
/// # Errors
///
/// When it cannot be built, or ends with an error.
pub(crate) fn daemon(args: &[String]) -> Result<()> {
    setup::run()?;
    let programs = build_programs(Profile::Release, &["--package", "hadp"])?;
    let mut daemon = as_root(programs.join("hadp"), "the daemon")?;
    daemon.arg("run").args(args);
    run(daemon)
}

/// Shows a failover on a LAN in namespaces.
///
/// # Errors
///
/// When something cannot be built, or the failover does not happen.
pub(crate) fn demo() -> Result<()> {
    // Without optimisation: it is there soonest, and what it shows is set by the adverts' interval.
    tool(Profile::Debug, "hadp-demo", &[])
}

/// Measures.
///
/// # Errors
///
/// When something cannot be built or measured.
pub(crate) fn bench(args: &[String]) -> Result<()> {
    tool(Profile::Release, "hadp-bench", args)
}

/// Builds hadp and a program of the crate `hadp-tests`, and runs the program as root.
fn tool(profile: Profile, name: &str, args: &[String]) -> Result<()> {
    setup::run()?;
    let programs = build_programs(profile, &["--package", "hadp", "--package", "hadp-tests", "--bins"])?;
    let mut command = as_root(programs.join(name), "making network namespaces")?;
    command.args(args).env("HADP_BIN", programs.join("hadp"));
    run(command)
}

/// Builds and returns the directory of the programs.
///
/// # Errors
///
/// When the build fails.
pub(crate) fn build_programs(profile: Profile, what: &[&str]) -> Result<PathBuf> {
    let mut command = cargo(["build"].into_iter().chain(what.iter().copied()));
    command.args((profile == Profile::Release).then_some("--release"));
    run(command)?;
    let target = root().join(std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into()));
    Ok(target.join(if profile == Profile::Release { "release" } else { "debug" }))
}
