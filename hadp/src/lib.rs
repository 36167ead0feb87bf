//! hadp, the high-availability data plane.
//!
//! The arrows point one way: [`config`] reads keepalived.conf into the [`model`]; [`proto`] is the protocol, without
//! IO, clock or thread; the shell (feature `daemon`) owns sockets, clocks and maps and runs the protocol's actions.

pub mod config;
pub mod datapath;
pub mod model;
pub mod proto;
pub mod units;

#[cfg(feature = "daemon")]
pub mod companion;
#[cfg(feature = "daemon")]
pub mod dir_lock;
#[cfg(feature = "daemon")]
pub mod net;
#[cfg(feature = "daemon")]
pub mod observe;
#[cfg(feature = "daemon")]
pub mod replay;
#[cfg(feature = "daemon")]
pub mod shell;
