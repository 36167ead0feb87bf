//! What the program in the kernel logs: rare things, for debugging only.

use std::os::fd::{AsRawFd, RawFd};

use aya_log::{EbpfLogger, Error};
use log::{Log, Metadata, Record};
use tracing::Level;

use super::open::Xdp;

/// What the log calls the program.
const TARGET: &str = "hadp::ebpf";

/// Returns the level up to which the program logs, fixed when it is loaded: with 0 the verifier removes what logs.
pub(super) fn level() -> u8 {
    if is_wanted() { aya_log::Level::Debug as u8 } else { 0 }
}

/// The reading end of the program's log; readable when there are lines.
pub struct ProgramLog(EbpfLogger<Bridge>);

impl Xdp {
    /// Takes the reading end of the program's log; `None` if it logs nothing, or is not loaded yet.
    ///
    /// # Errors
    ///
    /// When it cannot be mapped into memory, or was taken before.
    pub fn program_log(&mut self) -> Result<Option<ProgramLog>, Error> {
        if !is_wanted() {
            return Ok(None);
        }
        let Some(programs) = &self.programs else { return Ok(None) };
        // By the program, which may be one that another daemon loaded: its ring buffer has no pin.
        let program = programs.hadp.info().map_err(|_| Error::ProgramNotFound)?;
        EbpfLogger::init_from_id_with_logger(program.id(), Bridge).map(|logger| Some(ProgramLog(logger)))
    }
}

impl ProgramLog {
    /// Logs every line there is.
    pub fn drain(&mut self) {
        self.0.flush();
    }
}

impl AsRawFd for ProgramLog {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

fn is_wanted() -> bool {
    tracing::enabled!(target: TARGET, Level::DEBUG)
}

/// Passes lines on to this program's own log.
struct Bridge;

impl Log for Bridge {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        is_wanted()
    }

    fn log(&self, record: &Record<'_>) {
        tracing::debug!(target: TARGET, "{}", record.args());
    }

    fn flush(&self) {}
}
