//! All problems of one pass, as they are shown.

use std::{fmt, path::PathBuf, sync::Arc};

use miette::{GraphicalReportHandler, GraphicalTheme, LabeledSpan, SourceCode};

use super::{Files, Problems, Severity, Span, problem::Problem, span::File};

/// A problem with its place.
#[derive(Clone, Debug)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong, lower case, without a full stop.
    pub message: String,
    /// What stands under the caret; may be empty.
    pub label: String,
    /// What to do about it.
    pub help: Option<String>,
    /// The file, as it was opened.
    pub path: PathBuf,
    /// The line, from 1.
    pub line: usize,
    /// The column, from 1, in characters.
    pub column: usize,
    file: Option<Arc<File>>,
    labels: Vec<LabeledSpan>,
}

impl Diagnostic {
    fn new(problem: Problem, files: &Files) -> Self {
        let Problem { severity, span, message, label, help, related } = problem;
        let file = files.file(span.file).cloned();
        let (path, (line, column)) = file
            .as_ref()
            .map_or_else(|| (PathBuf::new(), (1, 1)), |file| (file.path.clone(), file.position(span.start)));
        let mut labels = Vec::new();
        let mut help = help;
        let is_shown = |place: Span| file.as_ref().is_some_and(|file| file.is_showable(place));
        if is_shown(span) {
            let caption = (!label.is_empty()).then(|| label.clone());
            labels
                .push(LabeledSpan::new_primary_with_span(caption, (span.start as usize, span.len as usize)));
        }
        // A label can only point into what is shown; another place is told in words.
        match related {
            Some((other, text)) if other.file == span.file && is_shown(span) && is_shown(other) => {
                labels
                    .push(LabeledSpan::new_with_span(Some(text), (other.start as usize, other.len as usize)));
            }
            Some((other, text)) => {
                if let Some(file) = files.file(other.file) {
                    let line = file.position(other.start).0;
                    let place = format!("{text}: {}:{line}", file.path.display());
                    help = Some(help.map_or_else(|| place.clone(), |help| format!("{help}; {place}")));
                }
            }
            None => {}
        }
        Self { severity, message, label, help, path, line, column, file, labels }
    }

    /// Returns the problem in one line, for logs: `FILE:LINE:COLUMN: warning: MESSAGE (HELP)`.
    pub fn compact(&self) -> String {
        let Self { message, line, column, .. } = self;
        let path = self.path.display();
        let help = self.help.as_deref().map_or(String::new(), |help| format!(" ({help})"));
        let level = match self.severity {
            Severity::Unsupported | Severity::Warning => "warning",
            Severity::Error | Severity::Security => "error",
        };
        format!("{path}:{line}:{column}: {level}: {message}{help}")
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Diagnostic {}

impl miette::Diagnostic for Diagnostic {
    fn severity(&self) -> Option<miette::Severity> {
        Some(match self.severity {
            Severity::Unsupported => miette::Severity::Advice,
            Severity::Warning => miette::Severity::Warning,
            Severity::Error | Severity::Security => miette::Severity::Error,
        })
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.help.as_ref().map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        let file = self.file.as_deref().filter(|_| !self.labels.is_empty());
        file.map(|file| file as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        Some(Box::new(self.labels.iter().cloned()))
    }
}

/// All problems of one pass, ordered by file, line and column.
#[derive(Clone, Debug, Default)]
pub struct Report {
    diagnostics: Vec<Diagnostic>,
}

impl Report {
    /// Places the problems of a pass over these files.
    pub(crate) fn new(problems: Problems, files: &Files) -> Self {
        let mut list = problems.list;
        list.sort_by_key(|problem| problem.span);
        Self { diagnostics: list.into_iter().map(|problem| Diagnostic::new(problem, files)).collect() }
    }

    /// Returns the problems, ordered by file, line and column.
    pub fn diagnostics(&self) -> &[Diagnostic] {
        &self.diagnostics
    }

    /// Returns the worst severity there is.
    pub fn worst(&self) -> Option<Severity> {
        self.diagnostics.iter().map(|diagnostic| diagnostic.severity).max()
    }

    /// Returns whether nothing may start with this configuration.
    pub fn has_errors(&self) -> bool {
        self.worst() >= Some(Severity::Error)
    }

    /// Returns the exit code of a configuration test, as keepalived's `-t` has it.
    pub fn exit_code(&self) -> u8 {
        match self.worst() {
            None | Some(Severity::Unsupported) => 0,
            Some(Severity::Warning) => 4,
            Some(Severity::Error) => 5,
            Some(Severity::Security) => 6,
        }
    }

    /// Returns the problems as text for people: each with its line, a caret, a label and what to do about it; at the end,
    /// in a line each, what has no effect yet, and how many of what there are.
    pub fn render(&self, color: bool) -> String {
        let theme = if color { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
        let handler = GraphicalReportHandler::new_themed(theme).with_links(false);
        let mut out = String::new();
        let (unsupported, problems): (Vec<_>, Vec<_>) =
            self.diagnostics.iter().partition(|diagnostic| diagnostic.severity == Severity::Unsupported);
        for diagnostic in &problems {
            if diagnostic.labels.is_empty() || handler.render_report(&mut out, *diagnostic).is_err() {
                out.push_str(&diagnostic.compact());
            }
            out.push('\n');
        }
        for diagnostic in &unsupported {
            out.push_str(&diagnostic.compact());
            out.push('\n');
        }
        let is_error = |diagnostic: &&&Diagnostic| diagnostic.severity >= Severity::Error;
        let errors = problems.iter().filter(is_error).count();
        let counts = [
            (errors, "error", "errors"),
            (problems.len() - errors, "warning", "warnings"),
            (unsupported.len(), "keyword without effect yet", "keywords without effect yet"),
        ];
        let counted: Vec<_> = counts
            .into_iter()
            .filter(|(count, ..)| *count > 0)
            .map(|(count, one, many)| format!("{count} {}", if count == 1 { one } else { many }))
            .collect();
        out.push_str(&if counted.is_empty() { "no problems".to_owned() } else { counted.join(", ") });
        out.push('\n');
        out
    }
}
