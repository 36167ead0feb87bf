//! BFD (RFC 5880) without IO: sessions, and what their failure means to the routers that follow them.
//!
//! The datapath hears the neighbours and tells what changed; a thread of its own sends, at the pace a [`Transmission`]
//! says. A session takes the time and an event, like a [`Router`](super::Router).

mod action;
mod event;

pub use action::{Action, Diag, Transmission};
pub use event::{Config, Event, Received, SessionId};

pub use hadp_common::wire::bfd::SessionState;
