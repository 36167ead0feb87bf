//! What to do about a death.

use std::{collections::VecDeque, time::Duration};

use crate::{model::OnDaemonDeath, units::Time};

/// So many deaths within [`WINDOW`] are no accident: starting the daemon again does not help.
const TOO_MANY: usize = 3;
const WINDOW: Duration = Duration::from_secs(10);
/// The pause before a daemon that does not stay alive is started again, at first and at most; it doubles each time.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// A daemon that lives so long is well again.
const RECOVERED: Duration = Duration::from_secs(60);

/// What is done.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Remedy {
    /// Start it again at once, and keep its routers Active meanwhile.
    Restart,
    /// Hand over, then start it again after a pause.
    FailOver {
        /// The pause, zero for none.
        pause: Duration,
    },
}

/// The deaths so far.
#[derive(Debug, Default)]
pub(super) struct Deaths {
    recent: VecDeque<Time>,
    last: Option<Time>,
    pause: Option<Duration>,
}

impl Deaths {
    /// Decides on a death that has happened now.
    pub(super) fn remedy(&mut self, now: Time, policy: OnDaemonDeath) -> Remedy {
        if self.last.is_some_and(|last| now.since(last) > RECOVERED) {
            self.pause = None;
        }
        self.last = Some(now);
        self.recent.retain(|death| now.since(*death) < WINDOW);
        self.recent.push_back(now);
        if self.recent.len() >= TOO_MANY || self.pause.is_some() {
            let pause = self.pause.map_or(FIRST_PAUSE, |pause| (2 * pause).min(LONGEST_PAUSE));
            self.pause = Some(pause);
            return Remedy::FailOver { pause };
        }
        match policy {
            OnDaemonDeath::Restart => Remedy::Restart,
            OnDaemonDeath::Failover => Remedy::FailOver { pause: Duration::ZERO },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decisions(policy: OnDaemonDeath, at: &[u64]) -> Vec<Option<u64>> {
        let mut deaths = Deaths::default();
        let mut decide = |second: &u64| match deaths.remedy(Time::from_nanos(second * 1_000_000_000), policy)
        {
            Remedy::Restart => None,
            Remedy::FailOver { pause } => Some(pause.as_secs()),
        };
        at.iter().map(&mut decide).collect()
    }

    #[test]
    fn a_daemon_that_keeps_dying_is_given_up_and_tried_ever_more_rarely() {
        let restart = OnDaemonDeath::Restart;
        assert_eq!(decisions(restart, &[100, 200, 300]), [None, None, None]);
        assert_eq!(decisions(restart, &[100, 105, 109]), [None, None, Some(1)]);
        assert_eq!(
            decisions(restart, &[100, 101, 102, 104, 107, 112, 121, 138, 170, 205]),
            [None, None, Some(1), Some(2), Some(4), Some(8), Some(16), Some(30), Some(30), Some(30)]
        );
        assert_eq!(
            decisions(restart, &[100, 101, 102, 163]),
            [None, None, Some(1), None],
            "it has recovered"
        );
        assert_eq!(
            decisions(OnDaemonDeath::Failover, &[100, 101, 102, 103]),
            [Some(0), Some(0), Some(1), Some(2)]
        );
    }
}
