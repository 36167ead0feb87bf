//! BFD in a run's plan: who has sessions with whom, and what the links do to their packets.

use std::{net::IpAddr, time::Duration};

use hadp::{
    model::{
        Announce, BfdInstance, ChecksumMode, Delivery, Family, FastFailover, InitialState, LowerPriority,
        Preempt, Router, Version,
    },
    proto::{Config, bfd::SessionId},
    units::{Centis, Priority, Vrid},
};

use super::{
    faults,
    plan::{Plan, address},
    rng::Rng,
};

/// One run in so many has BFD: its packets are a hundred times as many as adverts.
const SHARE: u64 = 32;
/// How many intervals detection takes.
const MULTIPLIER: u8 = 3;

/// The sessions of a run: every host has one with every other one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bfd {
    pub(super) interval: Duration,
}

/// Tells whether a run has BFD.
pub fn has_bfd(seed: u64) -> bool {
    seed % SHARE == SHARE - 1
}

/// Puts BFD into a plan; whatever else it has, its adverts are slow beside BFD.
pub(super) fn draw(plan: &mut Plan) {
    if !has_bfd(plan.seed) {
        return;
    }
    let mut rng = Rng::new(!plan.seed);
    // A run of four hosts at the pace of two would take seconds.
    let paces: &[u64] =
        if plan.hosts() == 2 { &[250, 1_000, 5_000, 10_000] } else { &[4_000, 7_000, 10_000] };
    let micros = rng.pick(paces, 10_000);
    plan.bfd = Some(Bfd { interval: Duration::from_micros(micros) });
    let interval = Centis::new(rng.pick(&[5, 10], 10)).unwrap_or(Centis::SECOND);
    let lower_priority =
        rng.pick(&[LowerPriority::Advertise, LowerPriority::Discard], LowerPriority::Advertise);
    if plan.preempt != Preempt::Never && plan.preempt != Preempt::Always {
        plan.preempt = Preempt::After(interval.duration() * 4);
    }
    // Whom a Backup follows of two that take over at once is a matter of microseconds where they are of one priority, and
    // BFD then speaks of the wrong one.
    let hosts = plan.hosts();
    for (slot, routers) in plan.routers.iter_mut().enumerate().filter(|_| !plan.distinct) {
        for (host, config) in routers.iter_mut().enumerate() {
            let own = 250 - 50 * u8::try_from((host + slot) % hosts).unwrap_or_default();
            config.priority = Priority::new(own).unwrap_or(config.priority);
        }
    }
    plan.distinct = true;
    for config in plan.routers.iter_mut().flatten() {
        (config.interval, config.lower_priority, config.preempt) = (interval, lower_priority, plan.preempt);
        if let Version::V2(_) = config.version {
            config.version = Version::V3(ChecksumMode::WithPseudoHeader);
        }
    }
    plan.max_delay = Duration::from_micros(100);
    plan.loss = plan.loss.min(10);
    if lower_priority == LowerPriority::Discard {
        // A priority 0 that comes a second time, behind its answer, makes one more take over, whom nobody answers.
        plan.duplicates = 0;
    }
    plan.faults.clear();
    faults::draw_with_bfd(plan, &mut rng);
    plan.rng = rng;
}

impl Plan {
    /// Returns how long a BFD neighbour is waited for; zero without BFD.
    pub(super) fn detection(&self) -> Duration {
        self.bfd.map_or(Duration::ZERO, |bfd| bfd.interval * u32::from(MULTIPLIER))
    }

    /// Returns the least and the most that a BFD packet takes: what two of them differ by is within what the margin of a
    /// promise is for, with what clocks differ by.
    pub(super) fn bfd_delays(&self) -> (Duration, Duration) {
        let margin = (self.detection() / 32).max(Duration::from_micros(20));
        (self.max_delay / 4, self.max_delay / 4 + margin / 2)
    }

    /// Returns the sessions of a host.
    pub(super) fn instances(&self, host: usize) -> Vec<(SessionId, BfdInstance)> {
        let Some(bfd) = self.bfd else { return Vec::new() };
        let others = (0..self.hosts()).filter(|other| *other != host);
        others.filter_map(|other| Some((session(other)?, instance(bfd, other)))).collect()
    }
}

/// Returns the identifier of everybody's session with a host.
pub(super) fn session(host: usize) -> Option<SessionId> {
    SessionId::new(u32::try_from(host + 1).ok()?)
}

/// Returns the host that a session is with.
pub(super) fn neighbor(id: SessionId) -> usize {
    id.index() as usize - 1
}

fn instance(bfd: Bfd, other: usize) -> BfdInstance {
    BfdInstance {
        name: format!("N{other}"),
        neighbor: address(other),
        source: None,
        interface: None,
        min_tx: bfd.interval,
        min_rx: bfd.interval,
        idle_tx: Duration::from_secs(1),
        multiplier: MULTIPLIER,
        passive: false,
        ttl: 255,
        min_ttl: 255,
        multihop: false,
        auth: None,
        flap_damping: true,
    }
}

/// Returns a router as configured, as far as following sessions needs it.
pub(super) fn router(slot: usize, config: &Config) -> Option<Router> {
    Some(Router {
        name: format!("VI_{slot}"),
        interface: "eth0".to_owned(),
        vrid: Vrid::new(u8::try_from(slot + 1).ok()?)?,
        family: Family::V4,
        version: config.version,
        state: InitialState::Backup,
        priority: config.priority,
        interval: config.interval,
        delivery: Delivery::Multicast { group: IpAddr::from([224, 0, 0, 18]) },
        source: None,
        ttl: 255,
        preempt: config.preempt,
        down_timer_adverts: config.down_timer_adverts,
        lower_priority: config.lower_priority,
        advert_on_yield: config.advert_on_yield,
        virtual_mac: false,
        accept: true,
        announce: Announce::default(),
        tracks: Vec::new(),
        fast_failover: Some(FastFailover { sessions: Vec::new() }),
        vips: Vec::new(),
        excluded_vips: Vec::new(),
    })
}
