//! BFD (RFC 5880) without IO: sessions, and what their failure means to the routers that follow them.
//!
//! The datapath hears the neighbours and tells what changed; a thread of its own sends, at the pace a [`Transmission`]
//! says. A [`Session`] takes the time and an event, like a [`Router`](super::Router); [`Sessions`] holds all of them.

mod action;
mod auth;
mod damping;
mod event;
mod follow;
mod guard;
mod hearing;
mod jitter;
mod pace;
mod promise;
mod reception;
mod schedule;
mod session;
mod sessions;
mod soonest;
mod speech;
#[cfg(test)]
mod tests;
mod track;

pub use action::{Action, Diag, Transmission};
pub use auth::{AUTH_PACKET_LEN, Sealer, Verifier, VerifyError};
pub use event::{Config, Event, Received, SessionId};
pub use follow::Followers;
pub use guard::{Guards, TooManyGuards};
pub use jitter::jitter;
pub use promise::{Promises, Verdict};
pub use schedule::{Luck, Schedule};
pub use session::{Counts, Remote, Session};
pub use sessions::Sessions;
pub use track::{Standing, effective_priority, standing};

pub use hadp_common::wire::bfd::SessionState;
