//! Problems: where they are, how bad they are, how they are shown.

mod hidden;
mod problem;
mod report;
mod span;

pub(super) use problem::Problems;
pub use problem::Severity;
pub use report::{Diagnostic, Report};
pub(super) use span::{Files, Span};
