//! Builds the eBPF object that the daemon carries.
//!
//! A cargo inside cargo, because cargo cannot yet build one package for two targets: `core` is built from source for BPF,
//! which takes a nightly, or a stable one told to behave as such.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, ExitCode, Stdio},
};

/// The toolchain that `cargo xtask setup` linked because there is no usable nightly.
const LINKED: &str = "hadp-ebpf";

/// The objects: the daemon's, and the one that measures it.
const OBJECTS: [&str; 2] = ["hadp-ebpf", "hadp-ebpf-bench"];

fn main() -> ExitCode {
    println!("cargo:rerun-if-changed=build.rs");
    if env::var_os("CARGO_FEATURE_DAEMON").is_none() {
        return ExitCode::SUCCESS; // the core carries no eBPF
    }
    match build() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            for line in error.lines() {
                println!("cargo:error={line}");
            }
            println!("cargo:error=`cargo xtask setup` installs what the eBPF half is built with");
            ExitCode::FAILURE
        }
    }
}

/// Builds hadp-ebpf and puts its objects into `OUT_DIR`.
fn build() -> Result<(), String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().ok_or("no workspace")?;
    for path in ["hadp-ebpf", "hadp-common", "Cargo.toml", "Cargo.lock"] {
        println!("cargo:rerun-if-changed={}", root.join(path).display());
    }
    for variable in ["HADP_EBPF_TOOLCHAIN", "PATH"] {
        println!("cargo:rerun-if-env-changed={variable}");
    }
    let out_dir = PathBuf::from(variable("OUT_DIR")?);
    let target = match variable("CARGO_CFG_TARGET_ENDIAN")?.as_str() {
        "big" => "bpfeb-unknown-none",
        _ => "bpfel-unknown-none",
    };
    // One directory for all profiles and sets of features of this crate: the object is the same for all of them.
    let cargo_target = out_dir.ancestors().find(|dir| dir.join("CACHEDIR.TAG").exists());
    let target_dir = cargo_target.unwrap_or(&out_dir).join("ebpf");

    let mut cargo = cargo();
    cargo.current_dir(root).args(["build", "--quiet", "--package", "hadp-ebpf", "--bins", "--release"]);
    cargo.args(["-Z", "build-std=core", "--target", target, "--target-dir"]).arg(&target_dir);
    // Lints and wrappers are for the host's code, and flags must be these alone.
    for variable in ["RUSTC", "RUSTC_WORKSPACE_WRAPPER", "RUSTFLAGS"] {
        cargo.env_remove(variable);
    }
    let arch = variable("CARGO_CFG_TARGET_ARCH")?;
    let arch = if arch.starts_with("riscv64") { "riscv64" } else { &arch };
    let flags = [&format!("--cfg=bpf_target_arch=\"{arch}\""), "-Cdebuginfo=2", "-Clink-arg=--btf"];
    cargo.env("CARGO_ENCODED_RUSTFLAGS", flags.join("\x1f"));

    let output = cargo.output().map_err(|error| format!("starting {cargo:?}: {error}"))?;
    let messages = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        return Err(format!("building hadp-ebpf: {}\n{messages}", output.status));
    }
    for line in messages.lines() {
        println!("cargo:warning={line}");
    }
    for name in OBJECTS {
        let object = target_dir.join(target).join("release").join(name);
        fs::copy(&object, out_dir.join(name))
            .map_err(|error| format!("copying {}: {error}", object.display()))?;
    }
    Ok(())
}

/// Returns the cargo of the toolchain that builds for BPF: `HADP_EBPF_TOOLCHAIN` if set, else the one that setup linked,
/// else nightly; without rustup, the cargo on PATH.
fn cargo() -> Command {
    let has = |name: &str| succeeds(Command::new("rustup").args(["which", "--toolchain", name, "rustc"]));
    let mut cargo = if succeeds(Command::new("rustup").arg("--version")) {
        let default = || if has(LINKED) { LINKED } else { "nightly" }.to_owned();
        let mut command = Command::new("rustup");
        command.args(["run", &env::var("HADP_EBPF_TOOLCHAIN").unwrap_or_else(|_| default()), "cargo"]);
        command
    } else {
        Command::new("cargo")
    };
    // bpf-linker is where `cargo install` put it, which need not be on PATH.
    let path = env::var_os("PATH").unwrap_or_default();
    let home = env::var_os("CARGO_HOME").map(|home| PathBuf::from(home).join("bin"));
    if let Ok(path) = env::join_paths(env::split_paths(&path).chain(home)) {
        cargo.env("PATH", path);
    }
    cargo.env("RUSTC_BOOTSTRAP", "1"); // a stable toolchain too may then build core
    cargo
}

fn succeeds(command: &mut Command) -> bool {
    command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

fn variable(name: &str) -> Result<String, String> {
    env::var(name).map_err(|error| format!("{name}: {error}"))
}
