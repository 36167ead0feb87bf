//! What must hold before anything is loaded, so that its absence gets a name instead of an EPERM.

use std::path::Path;

use nix::sys::statfs::{BPF_FS_MAGIC, statfs};

use super::{open::OpenError, sys};

/// Checks that the kernel has BPF, that this process may use it, and that the pins' directory is on a bpffs.
pub(super) fn check(dir: &Path) -> Result<(), OpenError> {
    if !sys::is_supported() {
        return Err(OpenError::NoBpf);
    }
    let missing = missing_capabilities();
    if !missing.is_empty() {
        return Err(OpenError::Capability { missing: missing.join(", ") });
    }
    let existing = dir.ancestors().find(|path| path.exists()).unwrap_or(dir);
    match statfs(existing) {
        Ok(fs) if fs.filesystem_type() == BPF_FS_MAGIC => Ok(()),
        Ok(_) => Err(OpenError::NotBpffs { dir: dir.to_owned() }),
        Err(errno) => Err(OpenError::Directory { path: existing.to_owned(), source: errno.into() }),
    }
}

/// The capabilities that loading, attaching and sending take, by number (linux/capability.h). Those of newer kernels,
/// from [`NEWER`] on, are contained in CAP_SYS_ADMIN.
const NEEDED: [(u32, &str); 4] =
    [(12, "CAP_NET_ADMIN"), (13, "CAP_NET_RAW"), (38, "CAP_PERFMON"), (39, "CAP_BPF")];
const NEWER: u32 = 38;
const CAP_SYS_ADMIN: u32 = 21;

/// Names the capabilities that this process lacks; none if they cannot be found out.
fn missing_capabilities() -> Vec<&'static str> {
    let status = std::fs::read_to_string("/proc/thread-self/status").unwrap_or_default();
    let Some(effective) = effective_capabilities(&status) else { return Vec::new() };
    let has = |number: u32| effective & (1 << number) != 0;
    let is_missing = |&(number, _): &(u32, _)| !has(number) && (number < NEWER || !has(CAP_SYS_ADMIN));
    NEEDED.into_iter().filter(is_missing).map(|(_, name)| name).collect()
}

/// Returns the `CapEff` of a `/proc/PID/status`.
fn effective_capabilities(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("CapEff:"))?;
    u64::from_str_radix(line.trim(), 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_effective_set_is_read() {
        let status = "Name:\thadp\nCapInh:\t0000000000000000\nCapEff:\t000001ffffffffff\nCapBnd:\t0\n";
        assert_eq!(effective_capabilities(status), Some(0x1ff_ffff_ffff));
        assert_eq!(effective_capabilities("Name:\thadp\n"), None);
    }
}
