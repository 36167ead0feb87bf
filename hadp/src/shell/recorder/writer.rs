//! The thread that writes the event log.

use std::{
    fs,
    io::{self, BufWriter, Write},
    path::Path,
    sync::{Arc, atomic::Ordering},
    thread,
    time::Duration,
};

use tracing::warn;

use super::{Shared, entry::Assembly};
use crate::{
    replay::{FORMAT, Header, Record},
    shell::clock,
};

/// How often it looks for something to write; a crash loses as much.
const PACE: Duration = Duration::from_millis(20);

/// The other side of a [`Recorder`](super::Recorder).
#[derive(Debug)]
pub(super) struct Writer<W: Write> {
    file: BufWriter<W>,
    shared: Arc<Shared>,
    assembly: Assembly,
}

impl<W: Write> Writer<W> {
    /// Begins a log with its header.
    pub(super) fn start(file: W, header: &Header, shared: Arc<Shared>) -> io::Result<Self> {
        let mut writer = Self { file: BufWriter::new(file), shared, assembly: Assembly::default() };
        writer.write(&Record::Header(header.clone()))?;
        writer.file.flush()?;
        Ok(writer)
    }

    /// Writes until the recording ends, or cannot go on.
    pub(super) fn run(mut self, path: &Path) {
        let outcome = loop {
            // Looked at first: what was queued before it ended is there then.
            let has_ended = self.shared.has_ended.load(Ordering::Acquire);
            match self.drain() {
                Ok(()) if has_ended => break self.end(),
                Ok(()) => thread::park_timeout(PACE),
                Err(error) => break Err(error),
            }
        };
        if let Err(error) = outcome {
            self.shared.has_failed.store(true, Ordering::Relaxed);
            warn!(path = %path.display(), %error, "cannot write the event log, which ends here");
        }
    }

    /// Writes all that waits.
    pub(super) fn drain(&mut self) -> io::Result<()> {
        while let Some(entry) = self.shared.queue.pop() {
            if let Some(record) = self.assembly.add(entry) {
                self.write(&record)?;
            }
        }
        self.file.flush()
    }

    /// Writes that something is missing at the end, if it is.
    pub(super) fn end(&mut self) -> io::Result<()> {
        let missing = self.shared.missing.load(Ordering::Relaxed);
        if missing > 0 {
            self.write(&Record::Gap { missing })?;
        }
        self.file.flush()
    }

    fn write(&mut self, record: &Record) -> io::Result<()> {
        serde_json::to_writer(&mut self.file, record)?;
        self.file.write_all(b"\n")
    }
}

/// Describes a log that is begun now.
pub(super) fn header() -> Header {
    Header {
        format: FORMAT,
        hadp: env!("CARGO_PKG_VERSION").to_owned(),
        boot_id: fs::read_to_string("/proc/sys/kernel/random/boot_id")
            .map_or_else(|_| String::new(), |id| id.trim().to_owned()),
        start: clock::now(),
        wall: clock::wall_nanos(),
    }
}
