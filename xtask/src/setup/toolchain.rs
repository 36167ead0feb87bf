//! The toolchain that builds the eBPF half: one with the sources of `core`, which has no build for BPF.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::{apt, linker, say};
use crate::command::{command, find, output, run_quietly};

/// The name under which rustup knows Debian's toolchain; hadp/build.rs prefers it to nightly.
const LINKED: &str = "hadp-ebpf";
const NIGHTLY: &str = "nightly";
/// Debian's own toolchain, with the sources of the same version.
const DEBIAN: [&str; 3] = ["rustc-web", "cargo-web", "rust-web-src"];
/// Its linter for the BPF target.
const DEBIAN_CLIPPY: &str = "rust-web-clippy";

/// A toolchain that can build for BPF.
#[derive(Debug)]
pub(crate) struct Toolchain {
    /// What rustup calls it; `None` for the only toolchain of a machine without rustup.
    pub(crate) name: Option<&'static str>,
    /// Where its `bin` and `lib` are.
    pub(crate) sysroot: PathBuf,
    /// The major version of its LLVM.
    pub(crate) llvm: u32,
}

impl Toolchain {
    fn find(name: Option<&'static str>) -> Option<Self> {
        let rustc = match name {
            Some(name) => PathBuf::from(output("rustup", ["which", "--toolchain", name, "rustc"])?),
            None => find("rustc")?,
        };
        let sysroot = rustc.parent()?.parent()?.to_path_buf();
        let version = output(&rustc, ["-vV"])?;
        let llvm = version.lines().find_map(|line| line.strip_prefix("LLVM version: "))?;
        let llvm = llvm.split('.').next()?.parse().ok()?;
        Some(Self { name, sysroot, llvm })
    }

    fn has_sources(&self) -> bool {
        self.sysroot.join("lib/rustlib/src/rust/library/core").exists()
    }

    /// Returns whether it can lint.
    pub(crate) fn has_clippy(&self) -> bool {
        self.sysroot.join("bin/cargo-clippy").exists()
    }
}

/// Finds or installs a toolchain.
///
/// # Errors
///
/// Says what to install when neither rustup nor Debian has one.
pub(super) fn ensure() -> Result<Toolchain> {
    match find("rustup") {
        Some(_) => with_rustup(),
        None => without_rustup(),
    }
}

fn with_rustup() -> Result<Toolchain> {
    let usable = |toolchain: &Toolchain| toolchain.has_sources() && linker::supports(toolchain.llvm);
    if let Some(toolchain) = Toolchain::find(Some(LINKED)).filter(usable) {
        return Ok(toolchain);
    }
    if let Some(toolchain) = Toolchain::find(Some(NIGHTLY)).filter(usable) {
        return Ok(toolchain);
    }
    let nightly = install_nightly().and_then(|()| {
        let found = Toolchain::find(Some(NIGHTLY)).context("rustup installed no nightly")?;
        if !usable(&found) {
            bail!(
                "nightly uses LLVM {}, which this system has no package of to build bpf-linker with",
                found.llvm
            );
        }
        Ok(found)
    });
    let reason = match nightly {
        Ok(toolchain) => return Ok(toolchain),
        Err(error) => error,
    };
    say("rustup's nightly cannot be used here; trying Debian's toolchain");
    let toolchain = install_debian().and_then(|()| {
        run_quietly(command("rustup", ["toolchain", "link", LINKED, "/usr"]))?;
        Toolchain::find(Some(LINKED)).filter(usable).context("Debian's toolchain lacks the sources of core")
    });
    toolchain.with_context(|| {
        format!(
            "no toolchain for eBPF. Install one with `rustup toolchain install nightly --component rust-src` \
             (here: {reason:#}) or Debian's {} and `rustup toolchain link {LINKED} /usr`",
            DEBIAN.join(" ")
        )
    })
}

/// Adds the sources of `core`, and clippy, to rustup's nightly, which is installed if need be.
fn install_nightly() -> Result<()> {
    if Toolchain::find(Some(NIGHTLY)).is_some() {
        say("adding rust-src to rustup's nightly");
        return run_quietly(command(
            "rustup",
            ["component", "add", "--toolchain", NIGHTLY, "rust-src", "clippy"],
        ));
    }
    say("installing rustup's nightly with rust-src");
    let profile = ["--profile", "minimal", "--component", "rust-src", "--component", "clippy"];
    run_quietly(command("rustup", ["toolchain", "install", NIGHTLY].into_iter().chain(profile)))
}

fn without_rustup() -> Result<Toolchain> {
    if let Some(toolchain) = Toolchain::find(None).filter(Toolchain::has_sources) {
        return Ok(toolchain);
    }
    install_debian().context("no rustup, and no sources of core beside this rustc")?;
    Toolchain::find(None)
        .filter(Toolchain::has_sources)
        .context("the installed rustc has no sources of core beside it")
}

fn install_debian() -> Result<()> {
    if Path::new("/usr/lib/rustlib/src/rust/library").exists() && Path::new("/usr/bin/cargo").exists() {
        return Ok(());
    }
    let [rustc, ..] = DEBIAN;
    if !apt::offers(rustc) {
        bail!("no package {rustc}");
    }
    let mut packages = DEBIAN.to_vec();
    packages.extend(apt::offers(DEBIAN_CLIPPY).then_some(DEBIAN_CLIPPY));
    say(&format!("installing {} (apt-get)", packages.join(", ")));
    apt::install(&packages)
}
