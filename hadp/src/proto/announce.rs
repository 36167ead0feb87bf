//! When the virtual addresses are announced (GARP, unsolicited NA).

use std::{ops::Range, time::Duration};

use enum_map::{Enum, EnumMap};

use super::{Action, Config, timers::next_tick};
use crate::units::Time;

/// The time from one burst that adverts of lower priority provoke to the next at least.
const PROVOKED_PAUSE: Duration = Duration::from_secs(1);

/// The announcements an Active router still owes.
#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "daemon", derive(serde::Deserialize, serde::Serialize))]
pub(super) struct Announcer {
    timers: EnumMap<Timer, Option<Time>>,
    queue: Queue,
    /// From when on an advert of lower priority may provoke a burst.
    provoked_at: Time,
}

/// A burst that lies ahead.
#[derive(Clone, Copy, Debug, Enum)]
#[cfg_attr(feature = "daemon", derive(serde::Deserialize, serde::Serialize))]
enum Timer {
    /// The second one of a takeover.
    Takeover,
    /// The second one after an advert of lower priority.
    LowerPriority,
    /// The next refresh.
    Refresh,
}

/// Announcements that `announce_interval` keeps apart.
#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "daemon", derive(serde::Deserialize, serde::Serialize))]
struct Queue {
    /// How many are left, going round the addresses.
    left: u64,
    /// The address whose turn it is.
    vip: usize,
    /// When its turn is, or was.
    at: Time,
}

impl Announcer {
    /// Starts the schedule of a takeover.
    pub(super) fn begin(&mut self, now: Time, config: &Config, out: &mut Vec<Action>) {
        let schedule = &config.announce;
        self.timers[Timer::Takeover] = after(now, schedule.delay);
        self.timers[Timer::Refresh] = after(now, schedule.refresh);
        self.burst(now, schedule.repeat, config, out);
    }

    /// Builds the schedule of a router that goes on as Active: nothing is owed but the next refresh.
    pub(super) fn resumed(now: Time, config: &Config) -> Self {
        let mut announcer = Self::default();
        announcer.timers[Timer::Refresh] = after(now, config.announce.refresh);
        announcer
    }

    /// Announces once more, outside any schedule.
    pub(super) fn again(&mut self, now: Time, config: &Config, out: &mut Vec<Action>) {
        self.burst(now, config.announce.repeat, config, out);
    }

    /// Announces after an advert of lower priority: its sender may have announced the addresses too, so once now and
    /// once again when the switches have calmed down.
    ///
    /// A burst is far more than the advert that provokes it, so one has to do for all adverts of a second; whatever
    /// came after it, the last burst comes after that.
    pub(super) fn lower_priority(&mut self, now: Time, config: &Config, out: &mut Vec<Action>) {
        let schedule = &config.announce;
        if schedule.lower_priority_repeat == 0 {
            return;
        }
        let again = if now >= self.provoked_at {
            self.provoked(now, config, out);
            after(now, schedule.lower_priority_delay)
        } else {
            Some(now + schedule.lower_priority_delay)
        };
        self.timers[Timer::LowerPriority] = again.map(|at| at.max(self.provoked_at));
    }

    /// Goes on by another schedule, and with another list of addresses.
    pub(super) fn reconfigure(&mut self, now: Time, old: &Config, config: &Config, out: &mut Vec<Action>) {
        if config.announce.refresh != old.announce.refresh {
            self.timers[Timer::Refresh] = after(now, config.announce.refresh);
        }
        let rounds = self.queue.fit(config);
        if rounds > 0 {
            self.burst(now, rounds, config, out);
        }
    }

    /// Announces addresses that have been added to those that are announced already.
    pub(super) fn added(&mut self, now: Time, new: &[Range<usize>], config: &Config, out: &mut Vec<Action>) {
        let rounds = config.announce.repeat;
        if rounds == 0 || new.is_empty() {
            return;
        }
        if config.announce_interval.is_zero() {
            out.extend(new.iter().map(|vips| Action::Announce { vips: vips.clone(), rounds }));
        } else {
            // A queue goes round all of them.
            self.burst(now, rounds, config, out);
        }
    }

    /// Announces all that is due.
    pub(super) fn run(&mut self, now: Time, config: &Config, out: &mut Vec<Action>) {
        let schedule = &config.announce;
        if self.fired(Timer::Takeover, now).is_some() {
            self.burst(now, schedule.repeat, config, out);
        }
        if self.fired(Timer::LowerPriority, now).is_some() {
            self.provoked(now, config, out);
        }
        if let Some(due) = self.fired(Timer::Refresh, now) {
            self.timers[Timer::Refresh] = Some(next_tick(due, schedule.refresh, now));
            self.burst(now, schedule.refresh_repeat, config, out);
        }
        self.queue.run(now, config, out);
    }

    /// Returns when [`run`](Self::run) has something to do.
    pub(super) fn next_deadline(&self) -> Option<Time> {
        let queued = (self.queue.left > 0).then_some(self.queue.at);
        self.timers.values().copied().flatten().chain(queued).min()
    }

    /// Announces what adverts of lower priority have provoked.
    fn provoked(&mut self, now: Time, config: &Config, out: &mut Vec<Action>) {
        self.provoked_at = now + PROVOKED_PAUSE;
        self.burst(now, config.announce.lower_priority_repeat, config, out);
    }

    /// Takes a timer that has fired, with when it was due.
    fn fired(&mut self, timer: Timer, now: Time) -> Option<Time> {
        self.timers[timer].take_if(|due| now >= *due)
    }

    /// Announces every address `rounds` times: at once, or queued where announcements are kept apart.
    fn burst(&mut self, now: Time, rounds: u32, config: &Config, out: &mut Vec<Action>) {
        if rounds == 0 || config.vips == 0 {
            return;
        }
        if config.announce_interval.is_zero() {
            out.push(Action::Announce { vips: 0..config.vips, rounds });
            return;
        }
        // What is still queued goes round the same addresses, so the longer of the two serves both bursts, and a
        // sender that keeps provoking bursts cannot make the queue grow without end.
        self.queue.left = self.queue.left.max(u64::from(rounds).saturating_mul(config.vips as u64));
        self.queue.run(now, config, out);
    }
}

impl Queue {
    /// Goes on with another list of addresses; returns how many rounds are owed at once where they are not to be kept apart any
    /// more.
    fn fit(&mut self, config: &Config) -> u32 {
        let vips = config.vips as u64;
        if self.left == 0 || vips == 0 {
            *self = Self::default();
            return 0;
        }
        let rounds = u32::try_from(self.left.div_ceil(vips)).unwrap_or(u32::MAX);
        if config.announce_interval.is_zero() {
            *self = Self::default();
            return rounds.min(config.announce.repeat.max(1));
        }
        if self.vip >= config.vips {
            self.vip = 0;
        }
        0
    }

    /// Announces the next address if it is time.
    fn run(&mut self, now: Time, config: &Config, out: &mut Vec<Action>) {
        if self.left == 0 || now < self.at {
            return;
        }
        out.push(Action::Announce { vips: self.vip..self.vip + 1, rounds: 1 });
        self.left -= 1;
        self.vip = if self.vip + 1 < config.vips { self.vip + 1 } else { 0 };
        self.at = next_tick(self.at, config.announce_interval, now);
    }
}

/// Returns when this span will have passed; a span of zero never does.
fn after(now: Time, span: Duration) -> Option<Time> {
    (!span.is_zero()).then(|| now + span)
}
