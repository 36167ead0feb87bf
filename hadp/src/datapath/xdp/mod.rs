//! The datapath that runs in the kernel: the programs, their maps, and where they are attached.
//!
//! ```text
//!                 ROUTERS  set_lease: one store          PEERS  heard_since: loads
//!  election ------------------ mmap ------------------------------ mmap ------+
//!                                |                                            |
//!  apply: other halves of ADVERT_KEYS and VIPS, then SETTINGS.half            |
//!                                v                                            |
//!  wire ----------------------> hadp (XDP) ------ EVENTS (ring buffer) -----> election
//!  wire <---------------------- hadp_egress (tcx) <----- the kernel's own packets
//! ```

mod apply;
mod attach;
mod bfd;
mod clock;
mod egress;
mod election;
mod events;
mod guards;
mod link;
mod mapped;
mod object;
mod open;
mod peers;
mod pins;
mod preflight;
mod program_log;
mod stats;
mod sys;

pub use attach::{AttachError, Attached, Mode};
pub use bfd::{BfdPlanError, BfdSessions, PlannedSession};
pub use egress::Egress;
pub use election::Election;
pub use events::{EventRecord, Events};
pub use guards::Guards;
pub use object::BENCH_OBJECT;
pub use open::{OpenError, Xdp};
pub use pins::{CleanupError, PinLock};
pub use program_log::ProgramLog;
pub use stats::ReadError;
