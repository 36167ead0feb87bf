//! From files to lines: comments, `include`, `@id`, macros and repetition.

mod builtin;
mod comment;
mod expand;
mod glob;
mod include;
mod line;
mod macros;
mod reader;
mod repeat;

pub(super) use line::Line;
pub(super) use reader::Reader;
