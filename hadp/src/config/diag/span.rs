//! Files and places in them.

use std::{
    ops::Range,
    path::{Path, PathBuf},
    sync::Arc,
};

use miette::{MietteError, MietteSpanContents, SourceCode, SourceSpan, SpanContents};

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

/// How much text around a problem is shown, in octets. Lines have 1,024; only comments, and what is no configuration, have
/// more.
const MAX_SHOWN: usize = 16 << 10;

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

impl File {
    /// Returns whether a place and the lines around it are of a size to be shown.
    pub(super) fn is_showable(&self, span: Span) -> bool {
        let place = (span.start as usize, span.len as usize).into();
        !self.text.is_empty() && self.around(&place, 1, 1).1.len() <= MAX_SHOWN
    }

    /// Returns the lines around a place, as the number of the first, from 0, and their octets.
    ///
    /// At either end there is one line more, so that the first and the last that are shown are seen to begin and to end.
    fn around(&self, span: &SourceSpan, before: usize, after: usize) -> (usize, Range<usize>) {
        let line = |at: usize| self.line_starts.partition_point(|&start| start as usize <= at);
        let first = line(span.offset()).saturating_sub(before.saturating_add(2));
        let beyond = line(span.offset().saturating_add(span.len())).saturating_add(after).saturating_add(1);
        let start = |line| self.line_starts.get(line).map_or(self.text.len(), |&start| start as usize);
        (first, start(first)..start(beyond))
    }
}

impl SourceCode for File {
    /// Reads a place with the lines around it.
    ///
    /// miette counts a text's lines from its start on, for each place anew; here it is given the lines around the place.
    fn read_span<'a>(
        &'a self,
        span: &SourceSpan,
        lines_before: usize,
        lines_after: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        let (first, Range { start, end }) = self.around(span, lines_before, lines_after);
        let around = self.text.get(start..end).ok_or(MietteError::OutOfBounds)?;
        let offset = span.offset().checked_sub(start).ok_or(MietteError::OutOfBounds)?;
        let near = around.read_span(&(offset, span.len()).into(), lines_before, lines_after)?;
        // Like `position`, the column counts characters.
        let column = match lines_before {
            0 => self.position(saturate(span.offset())).1 - 1,
            _ => near.column(),
        };
        Ok(Box::new(MietteSpanContents::new_named(
            self.path.display().to_string(),
            near.data(),
            (start + near.span().offset(), near.span().len()).into(),
            first + near.line(),
            column,
            near.line_count(),
        )))
    }
}

/// The files of one pass, in the order they were opened.
#[derive(Debug, Default)]
pub(crate) struct Files(pub(super) Vec<Arc<File>>);

impl Files {
    /// Adds a file and returns its number.
    pub(crate) fn add(&mut self, path: &Path, text: Arc<str>) -> u32 {
        let newlines = text.bytes().enumerate().filter(|&(_, octet)| octet == b'\n');
        let line_starts = std::iter::once(0).chain(newlines.map(|(at, _)| saturate(at + 1))).collect();
        self.0.push(Arc::new(File { path: path.into(), text, line_starts }));
        saturate(self.0.len() - 1)
    }

    /// Returns a file by its number.
    pub(crate) fn file(&self, number: u32) -> Option<&Arc<File>> {
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

    #[test]
    fn a_place_is_read_with_the_lines_around_it() {
        let text: String = (0..100).map(|line| format!("é{line}\r\n")).collect();
        let mut files = Files::default();
        let number = files.add(Path::new("f"), text.as_str().into());
        let file = files.file(number).unwrap();
        for line in [0, 1, 50, 98, 99, 100] {
            let start = file.line_starts[line] as usize;
            for len in [0, 1, 3, 20] {
                for around in [0, 1, 3] {
                    let span = (start, len).into();
                    let (got, whole) =
                        (file.read_span(&span, around, around), text.read_span(&span, around, around));
                    let (Ok(got), Ok(whole)) = (got, whole) else {
                        assert!(start + len > text.len(), "{line} {len} {around}");
                        continue;
                    };
                    assert_eq!(
                        (got.data(), got.span()),
                        (whole.data(), whole.span()),
                        "{line} {len} {around}"
                    );
                    assert_eq!(
                        (got.line(), got.column()),
                        (whole.line(), whole.column()),
                        "{line} {len} {around}"
                    );
                    assert!(
                        got.line_count() <= 2 * around + len + 2,
                        "{line} {len} {around}: {}",
                        got.line_count()
                    );
                }
            }
        }
        let behind = file.read_span(&(file.line_starts[7] as usize + 2, 1).into(), 0, 0).unwrap();
        assert_eq!((behind.line(), behind.column()), (7, 1), "the column counts characters");
    }
}
