//! The spans of time the protocol waits.

use std::time::Duration;

use super::Config;
use crate::{
    model::Version,
    units::{Centis, Time},
};

/// What a handover allows for the link and for the successor's timer.
pub(super) const HANDOVER_MARGIN: Duration = Duration::from_millis(20);

/// How many intervals peers wait by default. `down_timer_adverts` is each router's own and not in its adverts.
const PEERS_SILENCES: u32 = 3;

/// How far apart the rates of two nodes' clocks may be: one part in this many. NTP slews each by at most 500 ppm.
const CLOCK_RATES: u32 = 1_000;

/// The shortest time from one answering advert to the next.
const ANSWER_PAUSE: Duration = Duration::from_millis(10);

impl Config {
    /// Returns Skew_Time while the Active router's interval is `active`: a fraction of that interval in v3 (RFC 9568
    /// §6.1), of one second in v2 (RFC 3768 §6.1).
    pub fn skew(&self, active: Centis) -> Duration {
        self.skew_base(active).skew(self.priority.get())
    }

    /// Returns Active_Down_Interval while the Active router's interval is `active`; in v2 that is always the own one.
    ///
    /// `down_timer_adverts` (3 by default) of these intervals, and Skew_Time (RFC 9568 §6.1).
    pub fn active_down_interval(&self, active: Centis) -> Duration {
        self.silence(active) + self.skew(active)
    }

    /// Returns Active_Down_Interval without Skew_Time.
    pub(super) fn silence(&self, active: Centis) -> Duration {
        active.duration() * self.silences()
    }

    /// Returns how long after an advert this router may act as Active: the Active_Down_Interval of its peers without
    /// their Skew_Time, so that it has stopped before any of them takes over.
    ///
    /// Peers are taken to be configured alike, but never to wait longer than by default. The module `lease` tells why
    /// that is enough; only v2's Skew_Time, which does not grow with the interval, makes long spans a little shorter.
    pub fn lease_span(&self) -> Duration {
        let span = self.interval.duration() * self.silences().min(PEERS_SILENCES);
        span - (span / CLOCK_RATES).saturating_sub(self.skew_base(self.interval).skew(u8::MAX))
    }

    /// Returns how long Adver_Timer runs.
    ///
    /// That is the interval, except that with `down_timer_adverts 1` a lease is no longer than the interval: it would
    /// lapse between any two adverts, so they go twice as often.
    pub fn advert_every(&self) -> Duration {
        match self.silences() {
            1 => self.interval.duration() / 2,
            _ => self.interval.duration(),
        }
    }

    /// Returns how long a lease still runs, at the least, when it is renewed in time.
    pub fn lease_left(&self) -> Duration {
        self.lease_span().saturating_sub(self.advert_every())
    }

    /// Returns how long after an advert that answered another one the next answer may leave.
    pub(super) fn answer_pause(&self) -> Duration {
        ANSWER_PAUSE.max(self.interval.duration() / 10)
    }

    /// Returns how long a successor may take to be heard after priority 0: the Skew_Time of a router of priority 1.
    pub(super) fn handover_span(&self) -> Duration {
        self.skew_base(self.interval).skew(1) + HANDOVER_MARGIN
    }

    fn skew_base(&self, active: Centis) -> Centis {
        match self.version {
            Version::V2(_) => Centis::SECOND,
            Version::V3(_) => active,
        }
    }

    fn silences(&self) -> u32 {
        u32::from(self.down_timer_adverts.max(1))
    }
}

/// Returns when a timer of this period that was due at `due` is due next: later than `now`, and without drift unless a
/// whole period was missed.
pub(super) fn next_tick(due: Time, period: Duration, now: Time) -> Time {
    let next = due + period;
    if next > now { next } else { now + period }
}
