//! Files, taken line by line.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{Line, comment, macros, macros::Macros};
use crate::config::{
    ast::Node,
    diag::{Files, Problems, Span},
    parser::Parser,
    source::Source,
    vocab,
};

/// The longest line keepalived reads, in octets, comment not counted.
const MAX_LINE: usize = 1024;
/// The largest file that is read, in octets.
const MAX_FILE: usize = 64 << 20;

/// Reads files into statements.
pub(crate) struct Reader<'a> {
    pub(super) source: &'a dyn Source,
    /// The configuration id, which `@id` lines are compared with.
    pub(super) id: &'a str,
    pub(super) env: fn(&str) -> Option<String>,
    pub(super) problems: &'a mut Problems,
    pub(super) macros: Macros,
    pub(super) parser: Parser,
    /// The files being read, the current one last.
    pub(super) open: Vec<OpenFile>,
    pub(super) spent: Spent,
    files: Files,
}

/// A file being read.
pub(super) struct OpenFile {
    /// Its one absolute path.
    pub(super) absolute: PathBuf,
    /// Its directory, as it was opened.
    pub(super) directory: PathBuf,
}

/// What expansion has cost so far.
#[derive(Debug, Default)]
pub(super) struct Spent {
    pub(super) steps: usize,
    pub(super) octets: usize,
    /// How many names were compared with macros that are not defined.
    pub(super) comparisons: usize,
}

impl<'a> Reader<'a> {
    /// Builds a reader that has read nothing.
    pub(crate) fn new(
        source: &'a dyn Source,
        id: &'a str,
        env: fn(&str) -> Option<String>,
        problems: &'a mut Problems,
    ) -> Self {
        let (macros, parser, files) = (Macros::default(), Parser::default(), Files::default());
        Self { source, id, env, problems, macros, parser, open: Vec::new(), spent: Spent::default(), files }
    }

    /// Returns the files and the statements, and reports the blocks that are still open.
    pub(crate) fn finish(self) -> (Files, Vec<Node>) {
        (self.files, self.parser.finish(self.problems))
    }

    /// Reads a file; `at` is where it is included, if it is.
    pub(crate) fn file(&mut self, path: &Path, at: Option<Span>) {
        let bytes = match self.source.read(path) {
            Ok(bytes) if bytes.len() <= MAX_FILE => bytes,
            Ok(_) => return self.refuse(path, at, &format!("it is larger than {} MiB", MAX_FILE >> 20)),
            Err(error) => return self.refuse(path, at, &error.to_string()),
        };
        let text: Arc<str> = String::from_utf8_lossy(&bytes).into();
        let number = self.files.add(path, Arc::clone(&text));
        self.report_bytes(number, &bytes, &text);
        let directory = path.parent().map_or_else(PathBuf::new, Path::to_path_buf);
        self.open.push(OpenFile { absolute: self.source.absolute(path), directory });
        self.lines(number, &text);
        self.open.pop();
    }

    /// Reports a file that cannot be read, where it is included or else at its own start.
    pub(super) fn refuse(&mut self, path: &Path, at: Option<Span>, reason: &str) {
        let file = at.unwrap_or_else(|| Span { file: self.files.add(path, "".into()), ..Span::default() });
        self.problems.error(file, format!("cannot read `{}`: {reason}", path.display()));
    }

    /// Reports the first octet that no text has: not UTF-8, or NUL.
    fn report_bytes(&mut self, file: u32, bytes: &[u8], text: &str) {
        let place = |at: usize, len| Span { file, start: u32::try_from(at).unwrap_or(u32::MAX), len };
        if let Err(error) = std::str::from_utf8(bytes) {
            // The text up to here is the same octet for octet, whatever was replaced behind it.
            let at = error.valid_up_to();
            let octet = bytes.get(at).copied().unwrap_or_default();
            let problem = self.problems.error(place(at, 3), format!("octet {octet:#04x} is not UTF-8"));
            problem.label("not text").help("save the file as UTF-8");
        }
        if let Some(at) = text.find('\0') {
            self.problems.error(place(at, 1), "a NUL octet is not text").label("NUL");
        }
    }

    fn lines(&mut self, file: u32, text: &str) {
        let mut start = text.len() - text.strip_prefix('\u{feff}').unwrap_or(text).len();
        let mut lines = text.get(start..).unwrap_or("").split('\n').map(|line| {
            let at = start;
            start += line.len() + 1;
            (at, line)
        });
        while let Some((at, line)) = lines.next() {
            let first = self.code(file, at, line);
            let (head, continued) = continuation(&first);
            let wanted = self.condition(&head);
            let named = wanted.as_ref().or(Some(&head)).map(|line| past_conditions(line.text()));
            let definition = named.and_then(macros::definition).is_some();
            if !(definition && continued) {
                if wanted.is_some() {
                    self.expand(first);
                }
                continue;
            }
            let mut value = Vec::new();
            for (at, line) in lines.by_ref() {
                let code = self.code(file, at, line);
                let (line, more) = continuation(&code);
                value.push(line.text().trim().to_owned());
                if !more {
                    break;
                }
            }
            if let Some(head) = wanted {
                self.define(&head, value);
            }
        }
    }

    /// Returns a line without its comment, and reports it if it is too long; what is beyond the limit is not read.
    fn code(&mut self, file: u32, at: usize, line: &str) -> Line {
        let keyword = past_conditions(line).split_whitespace().next().unwrap_or("");
        let code = comment::strip(line, vocab::takes_script(keyword)).trim_end();
        if code.len() > MAX_LINE {
            let span = Line::physical(file, at, code).span(MAX_LINE..code.len());
            let message = format!("the line is {} octets long, the limit is {MAX_LINE}", code.len());
            self.problems.error(span, message).label("beyond the limit: not read");
        }
        Line::physical(file, at, code.get(..code.floor_char_boundary(MAX_LINE)).unwrap_or(code))
    }

    /// Defines the macro whose definition starts in `head` with lines that follow it.
    fn define(&mut self, head: &Line, rest: Vec<String>) {
        let Some((name, value_at)) = macros::definition(head.text()) else { return };
        let first = head.text().get(value_at..).unwrap_or("").trim().to_owned();
        let lines = std::iter::once(first).filter(|line| !line.is_empty()).chain(rest).collect();
        self.macros.define(name, lines);
    }
}

/// Returns a line without the `\` at its end, and whether it had one.
fn continuation(line: &Line) -> (Line, bool) {
    match line.text().strip_suffix('\\') {
        Some(text) => (line.slice(0..text.len()), true),
        None => (line.clone(), false),
    }
}

/// Returns a line's text without the `@id` at its start.
fn past_conditions(text: &str) -> &str {
    let mut text = text.trim_start();
    while text.starts_with('@') {
        text = text.find(char::is_whitespace).and_then(|at| text.get(at..)).unwrap_or("").trim_start();
    }
    text
}
