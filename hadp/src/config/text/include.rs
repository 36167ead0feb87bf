//! `include` and its variants.

use std::path::{Path, PathBuf};

use super::{Line, Reader, glob};
use crate::config::{diag::Span, source::Kind};

/// How deep files may include files.
const MAX_DEPTH: usize = 32;

/// What must be there, by the letter behind `include`.
#[derive(Clone, Copy, Debug, Default)]
struct Demands {
    /// `m`, and every other letter: a path without wildcards.
    path: bool,
    /// `w`: something that matches the wildcards.
    wildcard: bool,
    /// `b`: something for each alternative between braces.
    braces: bool,
}

impl Demands {
    fn of(keyword: &str) -> Option<Self> {
        Some(match keyword {
            "include" => Self::default(),
            "includer" | "includem" => Self { path: true, ..Self::default() },
            "includew" => Self { path: true, wildcard: true, ..Self::default() },
            "includeb" => Self { path: true, braces: true, ..Self::default() },
            "includea" => Self { path: true, wildcard: true, braces: true },
            _ => return None,
        })
    }
}

impl Reader<'_> {
    /// Reads the files that a line includes; false if it includes none.
    pub(super) fn include(&mut self, line: &Line) -> bool {
        let text = line.text();
        let (keyword, argument) = text.split_at(text.find(char::is_whitespace).unwrap_or(text.len()));
        let Some(demands) = Demands::of(keyword) else { return false };
        let pattern = argument.trim();
        if pattern.is_empty() {
            let problem =
                self.problems.error(line.span(0..text.len()), format!("`{keyword}` needs a file name"));
            problem.label("a parameter is missing");
            return true;
        }
        let span = line.span(text.len() - argument.trim_start().len()..text.len());
        let pattern = pattern.strip_prefix('"').and_then(|inner| inner.strip_suffix('"')).unwrap_or(pattern);
        let alternatives = glob::braces(pattern);
        let several = alternatives.len() > 1;
        for alternative in alternatives {
            let found = self.included(&alternative);
            if found.is_empty() {
                let wild = glob::is_wild(&alternative);
                let demanded =
                    if several { demands.braces } else { demands.path && (!wild || demands.wildcard) };
                self.report_missing(&alternative, span, demanded, wild || several);
            }
            for path in found {
                self.include_one(&path, span);
            }
        }
        true
    }

    /// Reads every file that a path with wildcards leads to; it is an error if there is none.
    pub(crate) fn pattern(&mut self, path: &Path) {
        let alternatives = path.to_str().map_or_else(Vec::new, glob::braces);
        let found = alternatives.iter().flat_map(|pattern| glob::expand(self.source, Path::new(pattern)));
        let found: Vec<PathBuf> = found.filter(|path| self.source.kind(path) == Kind::File).collect();
        if found.is_empty() {
            self.refuse(path, None, "there is no such file");
        }
        for path in found {
            self.file(&path, None);
        }
    }

    /// Returns what a pattern without braces leads to, from the directory of the current file.
    fn included(&self, pattern: &str) -> Vec<PathBuf> {
        let directory = self.open.last().map_or(Path::new(""), |file| &file.directory);
        glob::expand(self.source, &directory.join(pattern))
    }

    fn report_missing(&mut self, pattern: &str, span: Span, demanded: bool, optional: bool) {
        let message = format!("no file matches `{pattern}`");
        if demanded {
            self.problems.error(span, message).label("not found");
        } else if !optional {
            let help = "use `includer` to make this an error, or a wildcard where the file is optional";
            self.problems.warning(span, message).label("not found").help(help);
        }
    }

    fn include_one(&mut self, path: &Path, span: Span) {
        let absolute = self.source.absolute(path);
        if self.open.iter().any(|file| file.absolute == absolute) {
            self.refuse(path, Some(span), "it is being read already, so it would include itself");
        } else if self.open.len() >= MAX_DEPTH {
            self.refuse(path, Some(span), &format!("files include files {MAX_DEPTH} deep"));
        } else {
            match self.source.kind(path) {
                Kind::File => self.file(path, Some(span)),
                Kind::Directory | Kind::Other | Kind::Missing => {
                    self.problems
                        .warning(span, format!("`{}` is not a regular file and is skipped", path.display()));
                }
            }
        }
    }
}
