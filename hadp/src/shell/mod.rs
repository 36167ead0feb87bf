//! The shell: everything that touches the machine on behalf of the protocol.
//!
//! ```text
//!   XDP program --EVENTS--> election thread <--Command-- supervisor <--> netlink, control socket, signals
//!       ^  ^                  |  |  |  |     --Notice-->     |
//!       |  +--- lease store --+  |  |  +--> sockets          +--> tables, log
//!       +------ PEERS read ------+  +-----> placer <---------+
//!                                             +--> VIPs on interfaces
//! ```
//!
//! The election thread does nothing that can wait: no netlink, no file, no lock shared with slower work. The two sides
//! talk through unbounded channels only.

mod announcements;
mod answer;
mod attached;
mod cleanup;
pub mod clock;
mod driver;
mod gates;
mod holdings;
mod interfaces;
mod ledger;
mod messages;
mod obey;
mod orders;
mod outgoing;
mod placement;
mod placer;
mod program_log;
mod realtime;
mod recorder;
mod report;
mod roster;
mod start;
mod supervisor;
mod timer;
mod virtual_macs;
mod voice;

pub use cleanup::clean_up;
pub use roster::TooManyRouters;
pub use start::{Paths, StartError};
pub use supervisor::run;
