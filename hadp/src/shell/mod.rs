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

mod adapt;
mod announcements;
mod answer;
mod apart;
mod attached;
mod cleanup;
pub mod clock;
mod conduct;
mod driver;
mod farewell;
mod gates;
mod handover;
mod hearing;
mod heartbeat;
mod holdings;
mod idle;
mod interfaces;
mod lapse;
mod lateness;
mod launch;
mod ledger;
mod messages;
mod neighbors;
mod obey;
mod orders;
mod outgoing;
mod placement;
mod placer;
mod program_log;
mod reach;
mod realtime;
mod recorder;
mod reload;
mod report;
mod resume;
mod roster;
mod sessions;
mod signals;
mod start;
mod stopping;
mod supervisor;
mod threads;
mod timer;
mod virtual_macs;
mod vital;
mod voice;
mod watch;

pub use cleanup::clean_up;
pub use neighbors::TooManySessions;
pub use roster::TooManyRouters;
pub use start::{Paths, StartError};
pub use supervisor::run;
