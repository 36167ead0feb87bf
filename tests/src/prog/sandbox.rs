//! Namespaces of the calling thread's own.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use nix::{
    mount::{MsFlags, mount},
    sched::{CloneFlags, unshare},
    unistd::geteuid,
};

/// Proof that the calling thread has a network and a mount namespace of its own, with a bpffs in it.
///
/// They go when the thread does, and with them everything pinned.
pub struct Sandbox {
    _private: (),
}

impl Sandbox {
    /// Moves the calling thread into new namespaces.
    ///
    /// # Errors
    ///
    /// Without root, saying so.
    pub fn enter() -> Result<Self> {
        ensure!(geteuid().is_root(), "this test loads BPF programs: it needs root");
        unshare(CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWNET).context("making namespaces")?;
        let none = None::<&str>;
        mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none).context("making / private")?;
        let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
        mount(Some("bpf"), Self::BPFFS, Some("bpf"), flags, none).context("mounting a bpffs")?;
        Ok(Self { _private: () })
    }

    const BPFFS: &str = "/sys/fs/bpf";

    /// Returns where the datapath pins its maps.
    pub fn pins(&self) -> &Path {
        Path::new("/sys/fs/bpf/hadp")
    }
}
