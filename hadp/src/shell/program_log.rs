//! Following what the program in the kernel logs.

use std::io;

use tokio::io::{Interest, unix::AsyncFd};
use tracing::warn;

use super::report;
use crate::datapath::{ProgramLog, Xdp};

/// Passes the program's log on from now on, on this runtime. Without it the daemon works all the same.
pub(super) fn follow(datapath: &mut Xdp) {
    match datapath.program_log() {
        Ok(Some(log)) => {
            tokio::spawn(async move {
                if let Err(error) = pass_on(log).await {
                    warn!(%error, "the log of the datapath ends here");
                }
            });
        }
        Ok(None) => {}
        Err(error) => warn!(error = report::chain(&error), "cannot read the log of the datapath"),
    }
}

async fn pass_on(log: ProgramLog) -> io::Result<()> {
    // SAFETY: `ProgramLog` owns its ring buffer and returns the same descriptor for as long as it lives.
    let mut log = unsafe { AsyncFd::register_with_interest(log, Interest::READABLE) }?;
    loop {
        log.readable_mut().await?.clear_ready();
        log.get_mut().drain();
    }
}
