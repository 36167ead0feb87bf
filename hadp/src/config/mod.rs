//! The configuration language: keepalived.conf, read into the [`model`](crate::model).
//!
//! ```text
//! Source --bytes--> text: lines, include, @id, $MACRO, ~SEQ --lines--> parser: words and blocks
//!        --ast--> check: the vocabulary of every block --> lower: values, defaults, cross-checks --> model::Config
//! ```
//!
//! Every step adds to one list of problems and goes on, so a single pass finds them all. Positions survive the
//! expansion of macros: whatever a macro's text gives rise to is reported where the macro is used.

mod ast;
mod check;
mod diag;
mod load;
mod lower;
mod parser;
mod secret;
mod source;
mod suggest;
mod text;
mod vocab;

#[cfg(test)]
mod tests;

pub use diag::{Diagnostic, Report, Severity};
pub use load::{Loaded, Options, load, load_from};
pub use source::{Disk, Kind, Source};
