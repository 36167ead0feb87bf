//! The virtual cluster: the daemon's core and a model of its datapath on one virtual clock.
//!
//! ```text
//!   Plan (seed) --> World --- Happening queue, one virtual clock, the true time
//!                     |
//!      Host 0 .. Host n: clock of its own (offset, rate), power
//!        Daemon     proto::Node, told and obeyed as shell::driver does; may be stopped, killed, restarted, reloaded
//!        Companion  keeps leases alive while the daemon restarts
//!        Watch      proto::bfd's sessions, in some runs; Heart, the thread that sends their packets and renews guards
//!        Datapath   leases, guards, drains, peers, ring buffer: what XDP does, instant by instant
//!                     |
//!      Network: delay, jitter, loss, duplicates, partitions
//!                     |
//!      Audit: who answered when; what was owed and what was done --> Violation
//! ```
//!
//! A run is a function of its seed: the same seed gives the same run, to the nanosecond. A [`Mutation`] breaks one thing
//! on purpose; the audit has to notice.

mod audit;
mod befall;
mod clock;
mod daemon;
mod datapath;
mod excuse;
mod faults;
mod heart;
mod host;
mod jam;
mod lapse;
mod mutation;
mod network;
mod path;
mod plan;
mod rng;
mod sessions;
mod world;

pub use audit::{Summary, Violation};
pub use jam::has_jam;
pub use mutation::Mutation;
pub use path::has_bfd;
pub use plan::Plan;
pub use world::World;

/// Runs the cluster of this seed, and returns what it did or what was wrong with it.
///
/// # Errors
///
/// The first violation found, with the seed in it.
pub fn run(seed: u64, mutation: Option<Mutation>) -> Result<Summary, Violation> {
    let mut world = World::new(Plan::draw(seed), mutation);
    world.run();
    world.audit()
}
