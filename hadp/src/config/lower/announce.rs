//! `garp_*` and `gna_interval`, in an instance and, with `vrrp_` before them, in `global_defs`.

use std::time::Duration;

use super::value::{number, seconds};
use crate::{
    config::{ast::Node, diag::Problems},
    model::Announce,
};

/// The longest delay, in seconds.
const MAX_SECONDS: u32 = 1_000_000;
/// The most rounds of announcements.
const MAX_REPEAT: u32 = 1000;
/// The longest pause between two announcements.
const MAX_INTERVAL: Duration = Duration::from_secs(4294);

/// What a block says about announcements.
#[derive(Clone, Debug, Default)]
pub(super) struct Schedule {
    delay: Option<Duration>,
    repeat: Option<u32>,
    refresh: Option<Duration>,
    refresh_repeat: Option<u32>,
    lower_priority_delay: Option<Duration>,
    lower_priority_repeat: Option<u32>,
    garp_interval: Option<Duration>,
    gna_interval: Option<Duration>,
}

impl Schedule {
    /// Reads a statement; false if it is not about announcements.
    pub(super) fn read(&mut self, node: &Node, problems: &mut Problems) -> bool {
        let keyword = node.name();
        let Some(word) = node.param(0) else { return false };
        let whole = |problems: &mut Problems| {
            let value = number(keyword, word, 0..=MAX_SECONDS, problems);
            value.map(|seconds| Duration::from_secs(seconds.into()))
        };
        let rounds = |least: u32, problems: &mut Problems| {
            let value = number(keyword, word, 0..=MAX_REPEAT, problems)?;
            if value < least {
                problems
                    .warning(word.span, format!("{keyword} is at least {least}"))
                    .label(format!("taken for {least}"));
            }
            Some(value.max(least))
        };
        // Tutorials write an interval of 0 for "no pause", which is the default.
        let pause = |problems: &mut Problems| seconds(keyword, word, Duration::ZERO..=MAX_INTERVAL, problems);
        match keyword.strip_prefix("vrrp_").unwrap_or(keyword) {
            "garp_master_delay" => self.delay = whole(problems).or(self.delay),
            "garp_master_repeat" => self.repeat = rounds(1, problems).or(self.repeat),
            "garp_master_refresh" => self.refresh = whole(problems).or(self.refresh),
            "garp_master_refresh_repeat" => self.refresh_repeat = rounds(1, problems).or(self.refresh_repeat),
            "garp_lower_prio_delay" => {
                self.lower_priority_delay = whole(problems).or(self.lower_priority_delay)
            }
            "garp_lower_prio_repeat" => {
                self.lower_priority_repeat = rounds(0, problems).or(self.lower_priority_repeat);
            }
            "garp_interval" => self.garp_interval = pause(problems).or(self.garp_interval),
            "gna_interval" => self.gna_interval = pause(problems).or(self.gna_interval),
            _ => return false,
        }
        true
    }

    /// Returns the schedule of an instance: what it says, else what `global_defs` say, else keepalived's defaults.
    ///
    /// With `vrrp_min_garp` (`minimal`) one announcement replaces the two bursts where nothing else is said.
    pub(super) fn over(&self, global: &Self, minimal: bool) -> Announce {
        let base = Announce::default();
        let (base_delay, base_repeat) = if minimal { (Duration::ZERO, 1) } else { (base.delay, base.repeat) };
        let delay = self.delay.or(global.delay).unwrap_or(base_delay);
        let repeat = self.repeat.or(global.repeat).unwrap_or(base_repeat);
        Announce {
            delay,
            repeat,
            refresh: self.refresh.or(global.refresh).unwrap_or(base.refresh),
            refresh_repeat: self.refresh_repeat.or(global.refresh_repeat).unwrap_or(base.refresh_repeat),
            lower_priority_delay: self.lower_priority_delay.or(global.lower_priority_delay).unwrap_or(delay),
            lower_priority_repeat: self
                .lower_priority_repeat
                .or(global.lower_priority_repeat)
                .unwrap_or(repeat),
            garp_interval: self.garp_interval.or(global.garp_interval).unwrap_or(base.garp_interval),
            gna_interval: self.gna_interval.or(global.gna_interval).unwrap_or(base.gna_interval),
        }
    }
}
