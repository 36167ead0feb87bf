//! What the daemon must be allowed to do.

use std::{fs, io};

/// A capability by name and number (`linux/capability.h`).
type Capability = (&'static str, u32);

const NET_ADMIN: Capability = ("CAP_NET_ADMIN", 12);
const NET_RAW: Capability = ("CAP_NET_RAW", 13);
const SYS_ADMIN: Capability = ("CAP_SYS_ADMIN", 21);
const BPF: Capability = ("CAP_BPF", 39);

/// Why the daemon cannot work with the rights it has.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CapabilityError {
    /// Some are missing.
    #[error("missing capabilities: {}; run as root, or grant them (systemd: AmbientCapabilities=)", .0.join(", "))]
    Missing(Vec<&'static str>),
    /// They cannot be read.
    #[error("cannot read the capabilities of this process from /proc/self/status: {0}")]
    Unreadable(#[from] io::Error),
}

/// Checks the effective capabilities: CAP_NET_ADMIN and CAP_NET_RAW, and CAP_BPF or CAP_SYS_ADMIN.
///
/// # Errors
///
/// All that are missing, by name.
pub fn check() -> Result<(), CapabilityError> {
    let missing = missing_in(&fs::read_to_string("/proc/self/status")?)?;
    if missing.is_empty() { Ok(()) } else { Err(CapabilityError::Missing(missing)) }
}

fn missing_in(status: &str) -> Result<Vec<&'static str>, io::Error> {
    let effective = status
        .lines()
        .find_map(|line| line.strip_prefix("CapEff:"))
        .and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok())
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "no CapEff line"))?;
    let has = |(_, bit): Capability| effective & (1 << bit) != 0;
    let mut missing: Vec<_> =
        [NET_ADMIN, NET_RAW].into_iter().filter(|&cap| !has(cap)).map(|cap| cap.0).collect();
    if !has(BPF) && !has(SYS_ADMIN) {
        missing.push(BPF.0);
    }
    Ok(missing)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_capabilities_are_named() {
        let table: [(&str, &[&str]); 4] = [
            ("Name:\thadp\nCapEff:\t000001ffffffffff\n", &[]),
            ("CapEff:\t0000000000000000\n", &["CAP_NET_ADMIN", "CAP_NET_RAW", "CAP_BPF"]),
            ("CapEff:\t0000000000203000\n", &[]),
            ("CapEff:\t0000008000001000\n", &["CAP_NET_RAW"]),
        ];
        for (status, missing) in table {
            assert_eq!(missing_in(status).unwrap(), missing, "{status}");
        }
        assert!(missing_in("Name: x\n").is_err());
    }
}
