//! The namespace lab: a switch, nodes and a client, as network namespaces joined by virtual links.
//!
//! ```text
//!   n1 10.77.0.1    n2 10.77.0.2    ...      client 10.77.0.50
//!     eth0            eth0                     eth0
//!       |               |                        |
//!      p1              p2                       p50
//!   +--------------------- br0 -----------------------+   switch
//! ```
//!
//! Namespaces are anonymous: each lives as long as its holder process, which dies with the thread that made it; what
//! programs have started is left to a guardian. So a panic, and even a SIGKILL of the test, leaves nothing behind, and labs
//! of different processes cannot collide.

mod daemon;
mod freezer;
mod frr;
mod guardian;
mod holder;
mod lan;
mod log;
mod node;
mod pair;
mod process;
mod procfs;
mod rtnl;
mod wait;

pub use daemon::{Daemon, KEEPALIVED_REALTIME, Software, hadp_binary, hadp_status};
pub use freezer::Freezer;
pub use frr::Frr;
pub use holder::Holder;
pub use lan::Lan;
pub use log::{Line, Log};
pub use node::{Address, Node};
pub use pair::Pair;
pub use process::Process;
pub use procfs::sweep;
pub use wait::wait_until;
