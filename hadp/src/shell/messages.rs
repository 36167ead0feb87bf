//! What the election thread and the supervisor tell each other.

use std::{collections::BTreeMap, io, net::IpAddr, sync::Arc, time::Duration};

use tokio::sync::oneshot;

use super::vital::Vital;
use crate::{
    net::{
        addr::{AddressError, Placed},
        address_set::AddressSet,
        frames::Outlet,
    },
    proto::{
        Cause, Config, Reconfiguration, Slot, State, Transition,
        bfd::{self, Counts, Diag, Followers, Received, Remote, SessionId, SessionState, Standing},
    },
    units::{Priority, Time},
};

/// From the supervisor to the election thread.
pub(crate) enum Command {
    /// A router joins, in Initialize. Adverts count that came since then.
    Insert { slot: Slot, name: Arc<str>, config: Config, since: Time },
    /// Another daemon left this router with a lease that still runs: go on with these frames.
    Resume { slot: Slot, source: IpAddr, lease: Time, outlet: Box<Outlet>, addresses: Arc<AddressSet> },
    /// A router's interface can be used: (re)start it with these frames.
    Start { slot: Slot, source: IpAddr, outlet: Box<Outlet>, addresses: Arc<AddressSet> },
    /// A router cannot run.
    Fault { slot: Slot, cause: Cause },
    /// Hand over one router, and say what became of it.
    Resign { slot: Slot, reply: oneshot::Sender<Handover> },
    /// Hand over every router, then stop.
    Shutdown,
    /// A router's priority has changed, and its frames with it.
    Priority { slot: Slot, priority: Priority, outlet: Box<Outlet> },
    /// A router's configuration has changed.
    Reconfigure(Box<Reconfigure>),
    /// A router has left the configuration: hand it over, and tell when nothing is left of it.
    Leave(Slot),
    /// Follow sessions in this way from now on, and say what that makes of every router that tracks something.
    Follow { followers: Box<Followers>, reply: oneshot::Sender<BTreeMap<Slot, Standing>> },
    /// A BFD session's configuration has changed.
    SessionChanged { id: SessionId, config: bfd::Config },
    /// A BFD session has left the configuration: take it down, and tell when the neighbour has been told.
    EndSession(SessionId),
    /// A BFD session may run.
    Session { id: SessionId, name: Arc<str>, config: bfd::Config, discriminator: u32 },
    /// The interface of a session is down.
    PathDown(SessionId),
    /// A tracked interface came up or went down.
    Link { name: String, up: bool },
    /// The heartbeat found a guard lapsed.
    GuardLapsed(u32),
    /// The packets of a session do not leave any more.
    Unheard { id: SessionId, error: io::Error },
    /// The machine does not keep a session's pace: its packets should be so far apart, and are.
    Behind { id: SessionId, asked: Duration, kept: Duration },
    /// The heartbeat heard an authenticated packet that changes something.
    Packet { id: SessionId, received: Received },
    /// Describe every router and session.
    Inspect(oneshot::Sender<Views>),
}

/// What a reload makes of a router.
pub(crate) struct Reconfigure {
    /// Which.
    pub(crate) slot: Slot,
    /// Its name now.
    pub(crate) name: Arc<str>,
    /// What changes.
    pub(crate) change: Reconfiguration,
    /// Its frames now; none where it cannot run now.
    pub(crate) frames: Option<Frames>,
    /// Whether clients are to learn another MAC.
    pub(crate) moves: bool,
}

/// What a router speaks with.
pub(crate) struct Frames {
    /// The address it sends from.
    pub(crate) source: IpAddr,
    /// What it sends, and by what.
    pub(crate) outlet: Box<Outlet>,
    /// What it puts on interfaces.
    pub(crate) addresses: Arc<AddressSet>,
}

/// From the election thread to the supervisor.
pub(crate) enum Notice {
    /// A router that was to leave has left.
    Left(Slot),
    /// None of its addresses is on an interface any more.
    Forgotten(Slot),
    /// The neighbour of a session that was to end has been told.
    SessionEnded(SessionId),
    /// The router's addresses are being put on their interfaces.
    AcquiredVips(Slot),
    /// The router's addresses are being taken off their interfaces.
    ReleasedVips(Slot),
    /// Addresses that should have been on their interfaces were not, and are again.
    PutBack { slot: Slot, addresses: Vec<Placed> },
    /// Addresses could not be put on, or taken off.
    AddressesFailed { slot: Slot, errors: Vec<AddressError> },
    /// The router changed its state.
    Transition { slot: Slot, transition: Transition },
    /// Another station claimed an address this node owns.
    Conflict { slot: Slot, addr: IpAddr, mac: [u8; 6] },
    /// An advert was dropped.
    Rejected { ifindex: u32, from: IpAddr, mac: [u8; 6], vrid: u8, reason: hadp_common::stats::DropReason },
    /// A valid advert differs from what is configured here.
    Mismatch { slot: Slot, from: IpAddr, what: Mismatch },
    /// Frames and a socket that are no longer used, to be dropped where that may wait.
    Retired(Box<Outlet>),
    /// Frames could not be sent.
    SendFailed { slot: Slot, what: &'static str, error: io::Error },
    /// Adverts of the router's interface were taken by its queue, and have not left for most of an interval.
    AdvertsStuck(Slot),
    /// The router's interface took adverts and never said that they have left, while later ones have.
    AdvertsLost(Slot),
    /// A BFD session changed its state.
    Session { id: SessionId, from: SessionState, to: SessionState, diag: Diag },
    /// What a router tracks makes something else of it.
    Standing { slot: Slot, standing: Standing },
    /// So many Active routers stepped down, since their guard had lapsed.
    GuardLapsed(usize),
    /// So many Active routers went on although their guard had lapsed.
    GuardOutlived(usize),
    /// The packets of a BFD session do not leave any more.
    Unheard { id: SessionId, error: io::Error },
    /// The machine does not keep a session's pace: its packets should be so far apart, and are.
    Behind { id: SessionId, asked: Duration, kept: Duration },
    /// A thread ended by itself that the daemon cannot do without.
    Ended { vital: Vital, cause: io::Error },
    /// Every router is handed over.
    Stopped,
}

/// What became of a handover that was asked for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Handover {
    /// A successor was heard.
    Done { to: IpAddr, took: Duration },
    /// None was, and the router is Active as before.
    Kept,
    /// The router was not Active, or something else ended that first.
    NotActive { state: State, following: Option<(IpAddr, u8)> },
}

/// How an accepted advert differs (RFC 9568 §7.1: log, do not drop).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Mismatch {
    /// Its interval.
    Interval { theirs_cs: u16 },
    /// Its address list.
    Addresses,
}

/// The election as its thread sees it.
#[derive(Clone, Debug)]
pub(crate) struct Views {
    /// The routers, by slot.
    pub(crate) routers: Vec<RouterView>,
    /// The BFD sessions, by place.
    pub(crate) sessions: Vec<SessionView>,
}

/// A BFD session as the election thread sees it.
#[derive(Clone, Debug)]
pub(crate) struct SessionView {
    /// Its place.
    pub(crate) id: SessionId,
    /// Its state.
    pub(crate) state: SessionState,
    /// Why it is not Up.
    pub(crate) diag: Diag,
    /// Since when it is in that state.
    pub(crate) since: Time,
    /// What the neighbour says.
    pub(crate) remote: Option<Remote>,
    /// The interval of its packets, before jitter.
    pub(crate) transmit: Option<Duration>,
    /// After how much silence the neighbour is given up.
    pub(crate) detection: Option<Duration>,
    /// When the neighbour was last heard; zero if it never was.
    pub(crate) last_heard: Time,
    /// How many of its packets were valid.
    pub(crate) heard: u64,
    /// How often it came up and went down.
    pub(crate) counts: Counts,
    /// Whether it flapped and is not counted on.
    pub(crate) damped: bool,
}

/// A router as the election thread sees it.
#[derive(Clone, Debug)]
pub(crate) struct RouterView {
    /// Its slot.
    pub(crate) slot: Slot,
    /// Its state.
    pub(crate) state: State,
    /// Since when it is in that state.
    pub(crate) since: Time,
    /// The address it sends from, once it was started.
    pub(crate) source: Option<IpAddr>,
    /// The Active router it follows, when it is Backup and has heard one: address and priority.
    pub(crate) following: Option<(IpAddr, u8)>,
    /// How its last takeover went.
    pub(crate) takeover: Option<Takeover>,
}

/// The times of a takeover.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Takeover {
    /// When the event that decided it was taken up.
    pub(crate) decided: Time,
    /// When the lease had been stored: from here on XDP answers.
    pub(crate) stored: Time,
    /// When the first advert had left.
    pub(crate) advertised: Option<Time>,
    /// When the last address was on its interface.
    pub(crate) placed: Option<Time>,
    /// When as many announcements had left as there are addresses.
    pub(crate) announced: Option<Time>,
}
