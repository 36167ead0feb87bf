//! The checks that need no root and run no test.

use anyhow::{Context, Result, bail};

use crate::{
    budget,
    command::{cargo, command, run_quietly},
    setup::Toolchain,
};

/// Crates that the core must not pull in.
const NOT_IN_CORE: [&str; 5] = ["aya", "nix", "rtnetlink", "socket2", "tokio"];

/// A check: what it shows and how.
type Check = (&'static str, fn(&Toolchain) -> Result<Outcome>);

/// What came of a check that did not fail.
pub(crate) enum Outcome {
    Passed,
    /// Could not be done here, and why.
    Skipped(String),
}

/// All checks.
pub(crate) const CHECKS: [Check; 6] = [
    ("rustfmt", |_| quietly(cargo(["fmt", "--all", "--check"]))),
    ("files of at most 400 lines", |_| budget::check().map(|()| Outcome::Passed)),
    ("the core builds without the machine", |_| {
        quietly(cargo(["check", "--quiet", "--package", "hadp", "--lib", "--no-default-features"]))
    }),
    ("the core depends on no runtime, BPF or netlink", |_| core_tree()),
    ("clippy, host", |_| quietly(cargo(["clippy", "--quiet", "--all-targets", "--", "--deny", "warnings"]))),
    ("clippy, BPF", clippy_bpf),
];

fn quietly(command: std::process::Command) -> Result<Outcome> {
    run_quietly(command).map(|()| Outcome::Passed)
}

fn core_tree() -> Result<Outcome> {
    let args =
        ["tree", "--package", "hadp", "--no-default-features", "--edges", "normal", "--prefix", "none"];
    let output = cargo(args).output().context("starting cargo tree")?;
    if !output.status.success() {
        bail!("cargo tree failed: {}", String::from_utf8_lossy(&output.stderr));
    }
    let tree = String::from_utf8_lossy(&output.stdout).into_owned();
    let names = tree.lines().filter_map(|line| line.split(' ').next());
    let found: Vec<&str> = names.filter(|name| NOT_IN_CORE.contains(name)).collect();
    if !found.is_empty() {
        bail!("the core depends on {}", found.join(", "));
    }
    Ok(Outcome::Passed)
}

fn clippy_bpf(toolchain: &Toolchain) -> Result<Outcome> {
    if !toolchain.has_clippy() {
        return Ok(Outcome::Skipped(format!("no clippy in {}", toolchain.sysroot.display())));
    }
    let mut clippy = match toolchain.name {
        Some(name) => command("rustup", ["run", name, "cargo"]),
        None => command("cargo", []),
    };
    clippy.args(["clippy", "--quiet", "--package", "hadp-ebpf", "--release", "-Z", "build-std=core"]);
    clippy.args([
        "--target",
        "bpfel-unknown-none",
        "--target-dir",
        "target/ebpf-clippy",
        "--",
        "--deny",
        "warnings",
    ]);
    clippy.env("RUSTC_BOOTSTRAP", "1").env_remove("RUSTC");
    clippy.env("CARGO_ENCODED_RUSTFLAGS", format!("--cfg=bpf_target_arch=\"{}\"", std::env::consts::ARCH));
    quietly(clippy)
}
