//! What the supervisor says: log lines, the service manager's notices, the status.

use std::collections::BTreeMap;

use hadp_common::stats::{Counter, DropReason};
use sd_notify::NotifyState;
use tracing::{debug, error, info, warn};

use super::{
    clock,
    messages::{Mismatch, Notice, RouterView, Views},
    placement,
    roster::Entry,
    sessions,
    supervisor::Supervisor,
};
use crate::{
    datapath::ReadError,
    net::addr::{AddressError, Placed},
    observe::snapshot::{self, ActiveRouter, Peer, Snapshot, mac},
    proto::{
        Next, Slot, State,
        bfd::{Diag, SessionId},
    },
    units::Time,
};

/// Tells the service manager, if there is one, that the daemon works.
pub(super) fn ready(routers: usize) {
    info!(routers, "running");
    notify_manager(NotifyState::Ready);
}

/// Tells the service manager that the daemon is stopping.
pub(super) fn stopping() {
    notify_manager(NotifyState::Stopping);
}

fn notify_manager(state: NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(false, &[state]) {
        warn!(%error, "cannot notify the service manager");
    }
}

/// Writes an error with all its causes.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

/// Logs what failed on addresses.
pub(super) fn address_errors(errors: &[AddressError]) {
    for error in errors {
        warn!("{error}");
    }
}

/// Logs a notice of the election thread.
pub(super) fn notice(supervisor: &Supervisor, notice: &Notice) {
    let (roster, links) = (&supervisor.roster, &supervisor.links);
    let session = |id: &SessionId| {
        let neighbor = supervisor.reach.neighbors.get(*id);
        neighbor.map_or(("?", "?".to_owned()), |known| {
            (&*known.instance.name, known.instance.neighbor.to_string())
        })
    };
    let name = |slot: &Slot| roster.get(*slot).map_or("?", |entry| entry.router.name.as_str());
    match notice {
        Notice::Transition { slot, transition } => {
            let (from, to, reason) = (transition.from, transition.to, transition.reason);
            if from == to {
                info!("({}) still {to}: {reason}", name(slot));
            } else {
                info!("({}) {from} -> {to}: {reason}", name(slot));
            }
        }
        Notice::Conflict { slot, addr, mac: claimer } => {
            warn!("({}) {} claims {addr}, which this node owns", name(slot), mac(*claimer))
        }
        Notice::Rejected { ifindex, from, mac: sender, vrid, reason } => {
            let dev = links.by_index(*ifindex).map_or("?", |link| link.name.as_str());
            warn!(
                "dropped an advert on {dev} from {from} ({}) for VRID {vrid}: {}; all are counted, one a second is told",
                mac(*sender),
                reason.name()
            );
        }
        Notice::Mismatch { slot, from, what: Mismatch::Addresses } => {
            warn!("({}) {from} advertises other virtual addresses than are configured here", name(slot));
        }
        Notice::Mismatch { slot, from, what: Mismatch::Interval { theirs_cs } } => warn!(
            "({}) {from} advertises every {} ms, not at the interval configured here",
            name(slot),
            u32::from(*theirs_cs) * 10
        ),
        Notice::AdvertsLost(slot) => {
            let dev = roster.get(*slot).map_or("?", |entry| entry.router.interface.as_str());
            warn!(
                "({}) {dev} loses frames: it took an advert and never said that it has left; later ones leave",
                name(slot)
            );
        }
        Notice::AdvertsStuck(slot) => {
            let dev = roster.get(*slot).map_or("?", |entry| entry.router.interface.as_str());
            warn!("({}) adverts are queued on {dev} and do not leave", name(slot));
        }
        Notice::SendFailed { slot, what, error } => warn!("({}) cannot send an {what}: {error}", name(slot)),
        Notice::Session { id, from, to, diag } => {
            let (name, neighbor) = session(id);
            let (from, to) = (from.name(), to.name());
            match reason(*diag) {
                None => info!("({name}) BFD session with {neighbor} {from} -> {to}"),
                Some(why) => info!("({name}) BFD session with {neighbor} {from} -> {to}: {why}"),
            }
        }
        Notice::GuardLapsed(routers) => warn!(
            routers,
            "BFD packets left too late: neighbours may have given this node up, and the routers they follow step down"
        ),
        Notice::GuardOutlived(routers) => info!(
            routers,
            "BFD packets left too late, but those who wait for them are dead: the routers taken over from them go on"
        ),
        Notice::Unheard { id, error } => warn!("({}) cannot send BFD packets: {error}", session(id).0),
        Notice::Behind { id, asked, kept } => warn!(
            ?asked,
            ?kept,
            "({}) the machine does not keep the pace of this BFD session: give it a longer interval, or fewer sessions",
            session(id).0
        ),
        Notice::Standing { slot, standing } => debug!("({}) tracking: {standing:?}", name(slot)),
        Notice::Retired(_) => debug!("a socket is retired"),
        Notice::PutBack { slot, addresses } => {
            for Placed { vip, .. } in addresses {
                warn!(
                    "({}) somebody removed a virtual address, which is put back: {} on {}",
                    name(slot),
                    vip.addr,
                    vip.dev
                );
            }
        }
        Notice::AcquiredVips(slot) | Notice::ReleasedVips(slot) | Notice::AddressesFailed { slot, .. } => {
            debug!("({}) addresses", name(slot))
        }
        Notice::Left(slot) | Notice::Forgotten(slot) => debug!("({}) is out of its slot", name(slot)),
        Notice::SessionEnded(id) => debug!("({}) BFD session is over", session(id).0),
        Notice::Ended { vital, cause } => error!("the {} thread ended by itself: {cause}", vital.name()),
        Notice::Stopped => debug!("election stopped"),
    }
}

impl Supervisor {
    /// Describes the node.
    pub(super) fn snapshot(&self, views: &Views) -> Snapshot {
        let now = clock::now();
        let stats = self.datapath.stats().unwrap_or_else(|error| unread(&error));
        let drops = self.datapath.drops().unwrap_or_else(|error| unread(&error));
        Snapshot {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            restarts: self.will.deaths().unwrap_or(0),
            router_id: self.global.router_id.clone().unwrap_or_default(),
            config: self.paths.config.display().to_string(),
            routers: self.routers(&views.routers, now),
            bfd: sessions::describe(self, &views.sessions, now),
            lateness: [
                ("election".to_owned(), sessions::lateness(&self.threads.lateness)),
                ("heartbeat".to_owned(), sessions::lateness(&self.threads.heartbeat.shown().lateness)),
            ]
            .into(),
            relieved: self.threads.heartbeat.shown().relieved(),
            datapath: self.attached.values().map(|on| (on.name.clone(), on.mode.clone())).collect(),
            counters: Counter::ALL
                .iter()
                .map(|&which| (which.name().to_owned(), stats.count(which)))
                .collect(),
            drops: DropReason::ALL
                .iter()
                .map(|&which| (which.name().to_owned(), drops.count(which)))
                .collect::<BTreeMap<_, _>>(),
        }
    }

    /// Describes the routers in the configuration's order.
    fn routers(&self, views: &[RouterView], now: Time) -> Vec<snapshot::Router> {
        let mut entries: Vec<_> =
            views.iter().filter_map(|view| Some((self.roster.get(view.slot)?, view))).collect();
        entries.sort_by_key(|(entry, _)| entry.position);
        entries.into_iter().map(|(entry, view)| self.router(entry, view, now)).collect()
    }

    fn router(&self, entry: &Entry, view: &RouterView, now: Time) -> snapshot::Router {
        let router = &entry.router;
        let (cause, lease) = match view.state {
            State::Initialize { cause } => (Some(cause.to_string()), Time::ZERO),
            State::Backup { .. } => (None, Time::ZERO),
            State::Active { lease, .. } => (None, lease),
            State::Resigning { until, next: Next::Initialize(cause) } => (Some(cause.to_string()), until),
            State::Resigning { until, next: Next::Backup | Next::Available } => (None, until),
        };
        snapshot::Router {
            name: router.name.clone(),
            state: view.state.name().to_owned(),
            cause,
            since_ms: millis(now, view.since),
            interface: router.interface.clone(),
            vrid: router.vrid.get(),
            version: router.version.number(),
            family: router.family as u8,
            priority: router.priority.get(),
            interval_ms: u64::from(router.interval.get()) * 10,
            source: view.source,
            lease_ms: millis(lease, now),
            vips: placement::vips(router).map(|vip| format!("{}/{}", vip.addr, vip.prefix)).collect(),
            active_router: view.following.map(|(addr, priority)| ActiveRouter { addr, priority }),
            takeover: view.takeover.map(|times| snapshot::Takeover {
                decided_ns: times.decided.as_nanos(),
                stored_after_ns: nanos(times.stored, times.decided),
                advertised_after_ns: times.advertised.map(|at| nanos(at, times.decided)),
                placed_after_ns: times.placed.map(|at| nanos(at, times.decided)),
                announced_after_ns: times.announced.map(|at| nanos(at, times.decided)),
            }),
            peers: self.datapath.peers(view.slot).iter().map(|peer| describe(peer, now)).collect(),
        }
    }
}

/// Returns why a session is not Up, in words.
pub(super) fn reason(diag: Diag) -> Option<&'static str> {
    match diag {
        Diag::None => None,
        Diag::DetectionTimeExpired => Some("the neighbour fell silent"),
        Diag::NeighborSignaledDown => Some("the neighbour went down"),
        Diag::PathDown => Some("the path is down"),
        Diag::AdministrativelyDown => Some("taken down on purpose"),
    }
}

/// Logs that counters could not be read, which then show as zero.
fn unread<T: Default>(error: &ReadError) -> T {
    warn!("{}", chain(error));
    T::default()
}

fn describe(peer: &hadp_common::peer::Peer, now: Time) -> Peer {
    Peer {
        addr: peer.addr.into(),
        mac: mac(peer.mac),
        priority: peer.priority,
        interval_ms: u64::from(peer.interval_cs) * 10,
        adverts: peer.adverts,
        last_seen_ms: millis(now, Time::from_nanos(peer.last_seen_ns)),
    }
}

/// Returns the nanoseconds from `earlier` to `later`, 0 if it is not later.
fn nanos(later: Time, earlier: Time) -> u64 {
    later.as_nanos().saturating_sub(earlier.as_nanos())
}

/// Returns the whole milliseconds from `earlier` to `later`, 0 if it is not later.
pub(super) fn millis(later: Time, earlier: Time) -> u64 {
    u64::try_from(later.since(earlier).as_millis()).unwrap_or(u64::MAX)
}
