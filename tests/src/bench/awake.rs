//! Processors that do not sleep: on a virtual machine one that halts is away until its host runs it again.

use std::{fs::File, io::Write as _};

use anyhow::{Context, Result};

/// The kernel's PM QoS file: while it is open, no processor enters a state that takes longer to leave than what is written.
const FILE: &str = "/dev/cpu_dma_latency";

/// Keeps idle processors polling until it is dropped, for every program of the machine alike.
#[derive(Debug)]
pub(super) struct Awake(#[expect(dead_code, reason = "the request lasts as long as the file is open")] File);

impl Awake {
    /// Asks for a latency of 0 us.
    ///
    /// # Errors
    ///
    /// Without root, or on a kernel without PM QoS.
    pub(super) fn hold() -> Result<Self> {
        let mut file = File::options().write(true).open(FILE).with_context(|| format!("opening {FILE}"))?;
        file.write_all(&0_i32.to_ne_bytes()).with_context(|| format!("writing {FILE}"))?;
        Ok(Self(file))
    }
}
