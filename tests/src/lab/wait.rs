//! Waiting for what a daemon does in its own time.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, bail};

/// How often a condition is looked at: each look may start a program, and there may be two cores only.
const POLL: Duration = Duration::from_millis(20);

/// Waits until `condition` holds and returns how long that took.
///
/// # Errors
///
/// Names `what` when it does not hold within `timeout`; an error of `condition` itself ends the wait at once.
pub fn wait_until(
    what: &str,
    timeout: Duration,
    mut condition: impl FnMut() -> Result<bool>,
) -> Result<Duration> {
    let start = Instant::now();
    loop {
        if condition()? {
            return Ok(start.elapsed());
        }
        if start.elapsed() >= timeout {
            bail!("{what}: not within {timeout:?}");
        }
        thread::sleep(POLL);
    }
}
