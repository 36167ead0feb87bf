//! The programs that tests run, and what links bpf-linker.

use anyhow::{Context, Result};

use super::{apt, say};
use crate::command::find;

/// Programs and the Debian package of each.
const PROGRAMS: [(&str, &str); 9] = [
    ("ip", "iproute2"),
    ("bridge", "iproute2"),
    ("bpftool", "bpftool"),
    ("tcpdump", "tcpdump"),
    ("arping", "arping"),
    ("keepalived", "keepalived"),
    ("vtysh", "frr"),
    ("hostname", "hostname"),
    ("cc", "gcc"),
];

/// Installs the programs that are missing.
///
/// # Errors
///
/// Names them when they cannot be installed here.
pub(super) fn ensure() -> Result<()> {
    let missing: Vec<_> = PROGRAMS.into_iter().filter(|(program, _)| find(program).is_none()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let programs: Vec<&str> = missing.iter().map(|(program, _)| *program).collect();
    let mut packages: Vec<&str> = missing.iter().map(|(_, package)| *package).collect();
    packages.dedup();
    say(&format!("installing {} (apt-get)", packages.join(", ")));
    apt::install(&packages).with_context(|| format!("missing programs: {}", programs.join(", ")))
}
