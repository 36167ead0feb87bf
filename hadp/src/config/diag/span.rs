//! Files and places in them.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

/// A place in a file that was read.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Span {
    /// The file, by its number in [`Files`].
    pub(crate) file: u32,
    /// The first octet.
    pub(crate) start: u32,
    /// How many octets; 0 for a place between two.
    pub(crate) len: u32,
}

impl Span {
    /// Returns the octet behind the last one.
    pub(crate) const fn end(self) -> u32 {
        self.start.saturating_add(self.len)
    }
}

/// A file that was read, as the text its spans count in.
#[derive(Clone, Debug)]
pub(crate) struct File {
    /// The path, as it was opened.
    pub(crate) path: PathBuf,
    /// The text, with U+FFFD in place of what is not UTF-8.
    pub(crate) text: Arc<str>,
    line_starts: Vec<u32>,
}

impl File {
    /// Returns the line and the column of an octet, both counted from 1, the column in characters.
    pub(crate) fn position(&self, at: u32) -> (usize, usize) {
        let line = self.line_starts.partition_point(|&start| start <= at);
        let start = self.line_starts.get(line.saturating_sub(1)).copied().unwrap_or(0);
        let before = self.text.get(start as usize..at as usize).unwrap_or("");
        (line, before.chars().count() + 1)
    }
}

/// The files of one pass, in the order they were opened.
#[derive(Debug, Default)]
pub(crate) struct Files(Vec<File>);

impl Files {
    /// Adds a file and returns its number.
    pub(crate) fn add(&mut self, path: &Path, text: Arc<str>) -> u32 {
        let newlines = text.bytes().enumerate().filter(|&(_, octet)| octet == b'\n');
        let line_starts = std::iter::once(0).chain(newlines.map(|(at, _)| saturate(at + 1))).collect();
        self.0.push(File { path: path.into(), text, line_starts });
        saturate(self.0.len() - 1)
    }

    /// Returns a file by its number.
    pub(crate) fn file(&self, number: u32) -> Option<&File> {
        self.0.get(number as usize)
    }
}

/// Narrows an offset; files are refused long before it matters.
fn saturate(offset: usize) -> u32 {
    u32::try_from(offset).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_lines_and_characters_from_one() {
        let mut files = Files::default();
        let number = files.add(Path::new("f"), "ab\nçd\n".into());
        let file = files.file(number).unwrap();
        assert_eq!(file.position(0), (1, 1));
        assert_eq!(file.position(2), (1, 3));
        assert_eq!(file.position(3), (2, 1));
        assert_eq!(file.position(5), (2, 2), "the two octets of ç are one column");
    }
}
