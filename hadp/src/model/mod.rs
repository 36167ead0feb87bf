//! The validated configuration: what the daemon runs, with every default filled in.

mod announce;
mod bfd;
mod config;
mod realtime;
mod router;
mod track;
mod vip;

pub use announce::Announce;
pub use bfd::{BfdAuth, BfdInstance};
pub use config::{Config, Global, XdpMode};
pub use realtime::{IdleLatency, OnDaemonDeath, Realtime};
pub use router::{Auth, Delivery, InitialState, LowerPriority, Preempt, Router, UnicastPeer, Version};
pub use track::{Effect, FastFailover, Track, Tracked};
pub use vip::{Scope, Vip};

pub use hadp_common::{addr::Family, wire::vrrp::ChecksumMode};
