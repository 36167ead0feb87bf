//! Reads an event log line by line.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read as _},
    path::{Path, PathBuf},
};

use super::{FORMAT, Header, OLDEST_FORMAT, Record};

/// The longest line: far beyond what one event can order.
const MAX_LINE: u64 = 1 << 20;

/// An event log being read.
#[derive(Debug)]
pub struct Reader<R> {
    path: PathBuf,
    input: R,
    buffer: Vec<u8>,
    line: u64,
    is_cut_off: bool,
}

/// Why an event log cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The file cannot be read.
    #[error("cannot read {}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What failed.
        source: io::Error,
    },
    /// A line is not what it should be.
    #[error("{}:{line}: {reason}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// What is wrong with it.
        reason: String,
    },
}

impl Reader<BufReader<File>> {
    /// Opens an event log.
    ///
    /// # Errors
    ///
    /// When it cannot be read, or is none, or one of another format.
    pub fn open(path: &Path) -> Result<(Header, Self), ReadError> {
        let file = File::open(path).map_err(|source| ReadError::Io { path: path.to_owned(), source })?;
        Self::new(path, BufReader::new(file))
    }
}

impl<R: BufRead> Reader<R> {
    /// Reads the header; `path` is for messages alone.
    ///
    /// # Errors
    ///
    /// As [`Reader::open`].
    pub fn new(path: &Path, input: R) -> Result<(Header, Self), ReadError> {
        let mut reader =
            Self { path: path.to_owned(), input, buffer: Vec::new(), line: 0, is_cut_off: false };
        let Some(Record::Header(header)) = reader.take()? else {
            return Err(reader.malformed("not the header of an event log"));
        };
        match header.format {
            OLDEST_FORMAT..=FORMAT => Ok((header, reader)),
            other => {
                let read = format!("{OLDEST_FORMAT} to {FORMAT}");
                Err(reader.malformed(format!("an event log of format {other}; this hadp reads {read}")))
            }
        }
    }

    /// Returns the next record, `None` at the end.
    ///
    /// # Errors
    ///
    /// When the file cannot be read, or a whole line is no record.
    pub fn next_record(&mut self) -> Result<Option<Record>, ReadError> {
        match self.take()? {
            Some(Record::Header(_)) => Err(self.malformed("a second header")),
            other => Ok(other),
        }
    }

    /// Returns the number of the line read last, from 1.
    pub fn line(&self) -> u64 {
        self.line
    }

    /// Tells whether the log ends within a line, as a crash leaves it.
    pub fn is_cut_off(&self) -> bool {
        self.is_cut_off
    }

    /// Builds the error of the line read last.
    pub fn malformed(&self, reason: impl Into<String>) -> ReadError {
        ReadError::Malformed { path: self.path.clone(), line: self.line, reason: reason.into() }
    }

    fn take(&mut self) -> Result<Option<Record>, ReadError> {
        self.buffer.clear();
        let read = self.input.by_ref().take(MAX_LINE).read_until(b'\n', &mut self.buffer);
        let read = read.map_err(|source| ReadError::Io { path: self.path.clone(), source })?;
        if read == 0 {
            return Ok(None);
        }
        self.line += 1;
        let Some(text) = self.buffer.strip_suffix(b"\n") else {
            if self.buffer.len() as u64 == MAX_LINE {
                return Err(self.malformed("the line is too long"));
            }
            self.is_cut_off = true;
            return Ok(None);
        };
        serde_json::from_slice(text).map(Some).map_err(|error| {
            // serde_json counts lines within what it was given, which is this one.
            let text = error.to_string();
            let reason = text.rsplit_once(" at line ").map_or(text.as_str(), |(reason, _)| reason);
            self.malformed(format!("{reason} (column {})", error.column()))
        })
    }
}
