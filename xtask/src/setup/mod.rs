//! `cargo xtask setup`: finds or installs what building and testing need. Silent and without network when all is there.

mod apt;
mod linker;
mod programs;
mod toolchain;

pub(crate) use toolchain::Toolchain;

use anyhow::Result;

/// Brings the machine up to what every task needs.
///
/// # Errors
///
/// Says what to install by hand when that cannot be done here.
pub(crate) fn run() -> Result<()> {
    toolchain().map(drop)
}

/// As [`run`], and returns the toolchain that builds the eBPF half.
///
/// # Errors
///
/// As [`run`].
pub(crate) fn toolchain() -> Result<Toolchain> {
    programs::ensure()?;
    let toolchain = toolchain::ensure()?;
    linker::ensure(toolchain.llvm)?;
    Ok(toolchain)
}

/// Says what is being done: one line per step that changes the machine.
fn say(what: &str) {
    println!("setup: {what}");
}
