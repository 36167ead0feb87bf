//! What a program wrote, each line with the time at which it came.

use std::{
    io::{BufRead, BufReader, PipeReader},
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use anyhow::Result;

use super::wait_until;

/// One line of a log.
#[derive(Clone, Debug)]
pub struct Line {
    /// When it arrived, on the same clock as what the client measures.
    pub at: Instant,
    /// The line, without its end.
    pub text: String,
}

/// The standard output and error of a program, collected while it runs.
#[derive(Clone, Debug, Default)]
pub struct Log(Arc<Mutex<Vec<Line>>>);

impl Log {
    /// Collects what arrives at `pipe` until all its writers are gone.
    pub(super) fn collect(pipe: PipeReader) -> Self {
        let log = Self::default();
        let lines = Arc::clone(&log.0);
        thread::spawn(move || {
            for bytes in BufReader::new(pipe).split(b'\n') {
                let Ok(bytes) = bytes else { return };
                let text = String::from_utf8_lossy(&bytes).trim_end().to_owned();
                let line = Line { at: Instant::now(), text };
                lines.lock().unwrap_or_else(PoisonError::into_inner).push(line);
            }
        });
        log
    }

    /// Returns the lines so far.
    pub fn lines(&self) -> Vec<Line> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Returns the text so far.
    pub fn text(&self) -> String {
        self.lines().into_iter().map(|line| line.text + "\n").collect()
    }

    /// Waits for a line that contains `part`.
    ///
    /// # Errors
    ///
    /// Shows the log when none came within `timeout`.
    pub fn wait_for(&self, part: &str, timeout: Duration) -> Result<Line> {
        let mut found = None;
        let waited = wait_until(&format!("log line with {part:?}"), timeout, || {
            found = self.lines().into_iter().find(|line| line.text.contains(part));
            Ok(found.is_some())
        });
        match (found, waited) {
            (Some(line), _) => Ok(line),
            (None, Err(error)) => Err(error.context(format!("the log was:\n{}", self.text()))),
            (None, Ok(_)) => anyhow::bail!("log line with {part:?} vanished"),
        }
    }
}
