//! Problems as they are found.

use super::Span;

/// How bad a problem is.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Severity {
    /// keepalived knows it and hadp does not implement it yet; the rest of the configuration is as good as without it.
    Unsupported,
    /// Skipped or corrected, as keepalived does.
    Warning,
    /// Nothing starts.
    Error,
    /// A script that others than root could have written; nothing starts.
    Security,
}

/// One problem.
#[derive(Clone, Debug)]
pub(crate) struct Problem {
    pub(crate) severity: Severity,
    pub(crate) span: Span,
    pub(crate) message: String,
    pub(crate) label: String,
    pub(crate) help: Option<String>,
    pub(crate) related: Option<(Span, String)>,
}

impl Problem {
    /// Sets what stands under the caret.
    pub(crate) fn label(&mut self, label: impl Into<String>) -> &mut Self {
        self.label = label.into();
        self
    }

    /// Sets what to do about it.
    pub(crate) fn help(&mut self, help: impl Into<String>) -> &mut Self {
        self.help = Some(help.into());
        self
    }

    /// Points at a second place.
    pub(crate) fn related(&mut self, span: Span, label: impl Into<String>) -> &mut Self {
        self.related = Some((span, label.into()));
        self
    }
}

/// The problems of one pass, in the order they were found.
#[derive(Debug, Default)]
pub(crate) struct Problems {
    pub(super) list: Vec<Problem>,
    strict: bool,
}

impl Problems {
    /// Builds an empty list; a `strict` one takes warnings for errors.
    pub(crate) const fn new(strict: bool) -> Self {
        Self { list: Vec::new(), strict }
    }

    /// Adds a problem with which nothing starts.
    pub(crate) fn error(&mut self, span: Span, message: impl Into<String>) -> &mut Problem {
        self.push(Severity::Error, span, message.into())
    }

    /// Adds a problem that is skipped or corrected.
    pub(crate) fn warning(&mut self, span: Span, message: impl Into<String>) -> &mut Problem {
        let severity = if self.strict { Severity::Error } else { Severity::Warning };
        self.push(severity, span, message.into())
    }

    /// Adds something that hadp does not implement yet.
    pub(crate) fn unsupported(&mut self, span: Span, message: impl Into<String>) -> &mut Problem {
        self.push(Severity::Unsupported, span, message.into())
    }

    fn push(&mut self, severity: Severity, span: Span, message: String) -> &mut Problem {
        let problem = Problem { severity, span, message, label: String::new(), help: None, related: None };
        self.list.push_mut(problem)
    }
}
