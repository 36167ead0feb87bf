//! What a run consists of: drawn from its seed before it begins.

use std::{net::IpAddr, time::Duration};

use hadp::{
    model::{Announce, Auth, ChecksumMode, LowerPriority, OnDaemonDeath, Preempt, Version},
    proto::Config,
    units::{Centis, Priority, Time},
};

use super::{
    clock::Clock,
    faults::{self, Planned},
    jam,
    path::{self, Bfd},
    rng::Rng,
};

/// How many addresses a router has.
pub(super) const VIPS: usize = 3;

/// Everything that is decided about a run beforehand.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The seed it was drawn from.
    pub seed: u64,
    pub(super) rng: Rng,
    pub(super) clocks: Vec<Clock>,
    /// For each router, the configuration of each host.
    pub(super) routers: Vec<Vec<Config>>,
    pub(super) preempt: Preempt,
    pub(super) max_delay: Duration,
    pub(super) loss: u64,
    pub(super) duplicates: u64,
    pub(super) on_daemon_death: OnDaemonDeath,
    pub(super) faults: Vec<Planned>,
    pub(super) quiet_at: Time,
    /// The BFD sessions that every router follows, in some runs.
    pub(super) bfd: Option<Bfd>,
    /// Whether every two priorities of a router differ by more than the links and late timers can hide.
    pub(super) distinct: bool,
}

impl Plan {
    /// Draws the run of a seed.
    pub fn draw(seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let hosts = 2 + rng.below(3) as usize;
        let version = match rng.below(4) {
            0 => Version::V2(Auth::None),
            _ => Version::V3(ChecksumMode::WithPseudoHeader),
        };
        let interval = match version {
            Version::V2(_) => Centis::SECOND,
            Version::V3(_) => Centis::new(rng.pick(&[1, 1, 2, 3, 5, 100], 1)).unwrap_or(Centis::SECOND),
        };
        let preempt = match rng.below(4) {
            0 => Preempt::Never,
            1 => Preempt::After(interval.duration() * 4),
            _ => Preempt::Always,
        };
        let distinct = rng.below(4) != 0;
        let down_timer_adverts = rng.pick(&[2, 3, 3, 3, 5], 3);
        let routers = (0..1 + rng.below(3) as usize)
            .map(|router| {
                (0..hosts)
                    .map(|host| {
                        let rank = (host + router) % hosts;
                        let own =
                            if distinct { 250 - 50 * rank as u8 } else { 100 + 50 * rng.below(2) as u8 };
                        config(own, interval, version, preempt, down_timer_adverts)
                    })
                    .collect()
            })
            .collect();
        let clocks = (0..hosts)
            .map(|_| {
                let ppm = rng.below(2 * Clock::MAX_PPM + 1) as i64 - Clock::MAX_PPM as i64;
                Clock::new(1_000_000_000 + rng.below(1 << 50), ppm)
            })
            .collect();
        // A third of what 50 priorities differ in skew: what the links and late timers take together.
        let skew = |own| config(own, interval, version, preempt, down_timer_adverts).skew(interval);
        let max_delay = (skew(100) - skew(150)) / 3;
        let loss = rng.pick(&[0, 0, 10, 200], 0);
        let mut plan = Self {
            seed,
            clocks,
            routers,
            preempt,
            max_delay,
            loss,
            duplicates: rng.pick(&[0, 50], 0),
            on_daemon_death: rng
                .pick(&[OnDaemonDeath::Restart, OnDaemonDeath::Failover], OnDaemonDeath::Restart),
            faults: Vec::new(),
            quiet_at: Time::ZERO,
            bfd: None,
            distinct,
            rng: rng.clone(),
        };
        faults::draw(&mut plan, &mut rng);
        plan.rng = rng;
        path::draw(&mut plan);
        jam::draw(&mut plan);
        plan
    }

    /// Returns how many hosts there are.
    pub(super) fn hosts(&self) -> usize {
        self.clocks.len()
    }

    /// Returns the interval all adverts have.
    pub(super) fn interval(&self) -> Duration {
        self.routers.first().and_then(|hosts| hosts.first()).map_or(Duration::ZERO, |c| c.interval.duration())
    }

    /// Returns the longest Active_Down_Interval of any router.
    pub(super) fn longest_down(&self) -> Duration {
        let all = self.routers.iter().flatten();
        all.map(|config| config.active_down_interval(config.interval)).max().unwrap_or_default()
    }

    /// Returns how late a timer may fire.
    pub(super) fn lateness(&self) -> Duration {
        self.max_delay / 4
    }
}

fn config(own: u8, interval: Centis, version: Version, preempt: Preempt, down_timer_adverts: u8) -> Config {
    Config {
        priority: Priority::new(own).unwrap_or(Priority::OWNER),
        interval,
        version,
        preempt,
        down_timer_adverts,
        lower_priority: LowerPriority::Advertise,
        advert_on_yield: false,
        announce: Announce::default(),
        vips: VIPS,
        announce_interval: Duration::ZERO,
    }
}

/// Returns the address a host sends from.
pub(super) fn address(host: usize) -> IpAddr {
    IpAddr::from([10, 77, 0, u8::try_from(host + 1).unwrap_or(u8::MAX)])
}
