//! A line that knows where each of its characters came from.

use std::ops::Range;

use crate::config::diag::Span;

/// A line, as it stands in a file or as macros made it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Line {
    text: String,
    parts: Vec<Part>,
}

/// A stretch of a [`Line`] with one origin; it lasts until the next one begins.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Part {
    at: usize,
    origin: Span,
    /// Whether the stretch stands in the file character by character, as opposed to being what a macro became.
    exact: bool,
}

impl Line {
    /// Builds a line that stands in `file` at `start`.
    pub(crate) fn physical(file: u32, start: usize, text: &str) -> Self {
        let narrow = |n| u32::try_from(n).unwrap_or(u32::MAX);
        let origin = Span { file, start: narrow(start), len: narrow(text.len()) };
        Self { text: text.into(), parts: vec![Part { at: 0, origin, exact: true }] }
    }

    /// Returns the text.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Returns a part of the line.
    pub(crate) fn slice(&self, range: Range<usize>) -> Self {
        let mut out = Self { text: self.text.get(range.clone()).unwrap_or("").into(), parts: Vec::new() };
        for (index, part) in self.parts.iter().enumerate() {
            let end = self.parts.get(index + 1).map_or(self.text.len(), |next| next.at);
            if end <= range.start || (part.at >= range.end && !out.parts.is_empty()) {
                continue;
            }
            let skipped = range.start.saturating_sub(part.at);
            out.parts.push(Part { at: part.at.saturating_sub(range.start), ..part.skip(skipped) });
        }
        out
    }

    /// Returns the line without white space at its ends.
    pub(crate) fn trim(&self) -> Self {
        let start = self.text.len() - self.text.trim_start().len();
        self.slice(start..start + self.text.trim().len())
    }

    /// Appends another line.
    pub(crate) fn push(&mut self, other: &Self) {
        let base = self.text.len();
        self.parts.extend(other.parts.iter().map(|part| Part { at: base + part.at, ..*part }));
        self.text.push_str(&other.text);
    }

    /// Appends what the macro used at `origin` became.
    pub(crate) fn push_expansion(&mut self, text: &str, origin: Span) {
        self.parts.push(Part { at: self.text.len(), origin, exact: false });
        self.text.push_str(text);
    }

    /// Returns where a part of the line came from.
    pub(crate) fn span(&self, range: Range<usize>) -> Span {
        let (Some(first), Some(last)) = (self.part(range.start), self.part(range.end.saturating_sub(1)))
        else {
            return Span::default();
        };
        let start =
            if first.exact { first.skip(range.start - first.at).origin.start } else { first.origin.start };
        let end = if last.exact {
            last.skip(range.end.saturating_sub(last.at)).origin.start
        } else {
            last.origin.end()
        };
        let len = if first.origin.file == last.origin.file && end >= start {
            end - start
        } else {
            first.origin.len
        };
        Span { file: first.origin.file, start, len }
    }

    /// Returns where the first macro of the line is used; the whole line if it uses none.
    pub(crate) fn expansion(&self) -> Span {
        let first = self.parts.iter().find(|part| !part.exact);
        first.map_or_else(|| self.span(0..self.text.len()), |part| part.origin)
    }

    fn part(&self, at: usize) -> Option<&Part> {
        let next = self.parts.partition_point(|part| part.at <= at);
        self.parts.get(next.saturating_sub(1))
    }
}

impl Part {
    /// Returns what is left of the stretch without its first `count` octets.
    fn skip(self, count: usize) -> Self {
        if !self.exact {
            return self;
        }
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        let Span { file, start, len } = self.origin;
        let origin = Span { file, start: start.saturating_add(count), len: len.saturating_sub(count) };
        Self { origin, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_survive_slicing_and_expansion() {
        let line = Line::physical(3, 100, "  state $S now");
        let mut out = line.slice(2..8);
        out.push_expansion("BACKUP", line.span(8..10));
        out.push(&line.slice(10..14));
        assert_eq!(out.text(), "state BACKUP now");
        assert_eq!(out.span(0..5), Span { file: 3, start: 102, len: 5 });
        assert_eq!(out.span(6..12), Span { file: 3, start: 108, len: 2 }, "the use of the macro");
        assert_eq!(out.span(8..9), Span { file: 3, start: 108, len: 2 });
        assert_eq!(out.span(13..16), Span { file: 3, start: 111, len: 3 });
        assert_eq!(out.span(6..16), Span { file: 3, start: 108, len: 6 });
        let tail = out.slice(8..16);
        assert_eq!((tail.text(), tail.span(5..8)), ("CKUP now", Span { file: 3, start: 111, len: 3 }));
        assert_eq!(line.trim().span(0..1).start, 102);
        assert_eq!(Line::default().span(0..0), Span::default());
    }
}
