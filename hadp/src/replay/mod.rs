//! Event logs: what a daemon's state machines were told and what they ordered, to be gone through once more.
//!
//! ```text
//!   hadp run --record FILE                       hadp replay FILE
//!   election thread ─► queue ─► writer ─► FILE ─► Reader ─► Player ─► the same proto::Node
//!                                                             ├─► Timeline: what a person wants to know
//!                                                             └─► where it orders something else: a Divergence
//! ```
//!
//! The protocol knows no clock and no socket, so the log of an incident is all there is to know about it, and a changed
//! version can be tried on it.

mod bfd;
mod divergence;
mod player;
mod reader;
mod record;
mod reload;
#[cfg(test)]
pub(crate) mod tests;
mod timeline;
mod what;

pub use bfd::{Instruction, Quiet, Remark, Saying, SessionRecord};
pub use divergence::{Difference, Divergence};
pub use player::{Played, Player, Totals};
pub use reader::{ReadError, Reader};
pub use record::{FORMAT, Header, OLDEST_FORMAT, Record};
pub use reload::Told;
pub use timeline::Entry;
pub use what::{Steady, What};
