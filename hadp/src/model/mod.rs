//! The validated configuration: what the daemon runs, with every default filled in.

mod announce;
mod config;
mod router;
mod vip;

pub use announce::Announce;
pub use config::{Config, Global, XdpMode};
pub use router::{Auth, Delivery, InitialState, LowerPriority, Preempt, Router, UnicastPeer, Version};
pub use vip::{Scope, Vip};

pub use hadp_common::{addr::Family, wire::vrrp::ChecksumMode};
