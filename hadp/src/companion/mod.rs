//! The companion: the parent process of the daemon, which does the next thing when the daemon dies.
//!
//! ```text
//!            memfd: the testament                    ROUTERS (pinned)
//!       +--------------------------+              +------------------+
//!  will | adverts, spans,          | estate       | leases           |
//!  ---> | phase, policy            | ---> caretaker ---> renewals ---> |
//!  |    +--------------------------+       |      +------------------+
//!  |                                       +--> adverts, resignations
//!  daemon <---- spawns, watches by pidfd ---- companion <---- signals, service manager
//! ```
//!
//! `hadp run` is the companion: it starts the daemon proper, passes signals on, and ends with the daemon's exit code. It has
//! no runtime, little memory, and one thread besides another that waits for the death of the daemon's election thread, so
//! that next to nothing can happen to it.
//!
//! When the daemon dies, `on_daemon_death` decides. With `restart` it is started again at once; until it has gone on, the
//! companion sends the adverts it left at their pace and renews the leases that still run. No second owner can come of
//! that: a renewal never replaces a lease of 0, and the datapath revokes leases by itself when it hears a router of higher
//! rank. With `failover`, and when restarting does not help, it revokes every lease first, and then resigns for those
//! routers, so that the Backups take over at once; the daemon is started again, as Backup.
//!
//! It does not speak BFD: the daemon's packets go by the kernel's routes and are signed with its sequence numbers. What a
//! dead daemon's sessions promised, its neighbours find out by their silence.
//!
//! A daemon that ends by itself because one of its threads failed ([`Phase::Failed`]) has died like any other. One that
//! hangs is none of the companion's business: that is what leases are for. Should the companion die, the daemon goes on and
//! says so; under a service manager the service has failed then, and is started anew, which adopts what runs.

mod caretaker;
mod child;
mod codec;
mod deaths;
mod estate;
mod lifeline;
mod realtime;
mod record;
mod testament;
mod voice;
mod watch;
mod will;

pub use child::Inherited;
pub use lifeline::Lifeline;
pub(crate) use realtime::calm;
pub use record::{Record, Speech};
pub use testament::Phase;
pub use watch::{CompanionError, Options, run};
pub use will::{Companion, Will};
