//! BFD sessions in an event log: their records, their state machines, and what of them a person wants to know.

mod news;
mod player;
mod record;
#[cfg(test)]
pub(crate) mod tests;
mod timeline;

pub use news::{Quiet, Remark, Saying};
pub(super) use player::Sessions;
pub use record::{Instruction, SessionRecord};
