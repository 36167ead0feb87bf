//! `fast_failover` of an instance.

use std::{collections::HashMap, time::Duration};

use hadp_common::addr::Family;

use super::{
    draft::Draft,
    limits::Limits,
    pace::shown,
    sessions::{Session, Sessions},
};
use crate::{
    config::{
        ast::Word,
        diag::{Problems, Span},
    },
    model::{BfdInstance, Delivery, FastFailover},
};

/// A `fast_failover` statement.
#[derive(Clone, Debug)]
pub(super) struct Fast<'a> {
    /// Where the keyword stands.
    pub(super) span: Span,
    /// The sessions that it names.
    pub(super) names: &'a [Word],
}

/// What decides whether a session is of use to an instance.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reach<'a> {
    /// The instance's family.
    pub(super) family: Family,
    /// How its adverts travel.
    pub(super) delivery: &'a Delivery,
    /// How long a Backup waits at least before it takes over without BFD.
    pub(super) silence: Option<Duration>,
}

impl Draft<'_> {
    /// Returns the instance's fast failover, and reports sessions that cannot make it any faster.
    pub(super) fn fast_failover(
        &self,
        reach: Reach<'_>,
        sessions: &Sessions,
        limits: &mut Limits,
        problems: &mut Problems,
    ) -> Option<FastFailover> {
        let fast = self.fast_failover.as_ref()?;
        if sessions.is_empty() {
            let message = format!("fast_failover of `{}` needs a bfd_instance", self.name.text);
            let problem = problems.error(fast.span, message);
            problem.label("there is none").help("add `bfd_instance NAME { neighbor_ip ADDRESS }`");
            return None;
        }
        let found = if fast.names.is_empty() {
            self.any(fast, reach, sessions, problems);
            Vec::new()
        } else {
            self.named(fast, reach, sessions, problems)
        };
        limits.guard(&found, fast.span, problems);
        Some(FastFailover { sessions: found })
    }

    /// Reports an instance that takes any session, and that none can serve.
    fn any(&self, fast: &Fast<'_>, reach: Reach<'_>, sessions: &Sessions, problems: &mut Problems) {
        let reachable = |session: &&Session| reach.is_heard_from(&session.instance);
        let mut near = sessions.for_vrrp().filter(reachable).peekable();
        if near.peek().is_none() {
            let message = format!("no bfd_instance has a neighbour that `{}` hears", self.name.text);
            let problem = problems.warning(fast.span, message);
            problem.label("has no effect").help(match reach.delivery {
                Delivery::Unicast { .. } => "its neighbour_ip must be a unicast_peer",
                Delivery::Multicast { .. } => {
                    "its neighbour_ip must be of the family of the virtual addresses"
                }
            });
        } else if let Some((fastest, silence)) =
            near.map(|session| detection(&session.instance)).min().zip(reach.silence)
            && fastest >= silence
        {
            slow("BFD", fastest, silence, fast.span, problems);
        }
        // Over multicast, a neighbour may as well be a gateway that the instance does need.
        if let Delivery::Unicast { .. } = reach.delivery {
            sessions.for_vrrp().filter(reachable).for_each(|session| self.needed(session, problems));
        }
    }

    /// Returns the sessions that the statement names, each once.
    fn named(
        &self,
        fast: &Fast<'_>,
        reach: Reach<'_>,
        sessions: &Sessions,
        problems: &mut Problems,
    ) -> Vec<String> {
        let mut found: Vec<String> = Vec::new();
        let mut seen = HashMap::new();
        for word in fast.names {
            if let Some(&first) = seen.get(&word.text) {
                let problem = problems.warning(word.span, format!("`{}` is named twice", word.text));
                problem.label("ignored").related(first, "named here first");
                continue;
            }
            seen.insert(&word.text, word.span);
            let Some(session) = sessions.find("fast_failover", word, problems) else { continue };
            let takes = detection(&session.instance);
            if let Some(silence) = reach.silence.filter(|silence| takes >= *silence) {
                slow(&format!("`{}`", word.text), takes, silence, word.span, problems);
            }
            self.needed(session, problems);
            found.push(word.text.clone());
        }
        found
    }
}

impl Draft<'_> {
    /// Reports a session with the very router whose place this one is to take, without which it is not to run.
    fn needed(&self, session: &Session, problems: &mut Problems) {
        let Some(span) = self.needs(session) else { return };
        let name = &self.name.text;
        let message =
            format!("`{name}` cannot take over: without `{}` it is in FAULT", session.instance.name);
        let problem = problems.warning(span, message);
        problem.label("fast_failover follows it, too").help("remove the entry, or give it a weight");
    }
}

impl Reach<'_> {
    /// Returns whether adverts may come from this neighbour.
    fn is_heard_from(self, session: &BfdInstance) -> bool {
        match self.delivery {
            Delivery::Unicast { peers, .. } => peers.iter().any(|peer| peer.addr == session.neighbor),
            Delivery::Multicast { .. } => Family::of(&session.neighbor) == self.family,
        }
    }
}

/// Returns how long a session takes to find its neighbour dead, if that is configured alike.
fn detection(session: &BfdInstance) -> Duration {
    session.min_rx.max(session.min_tx) * u32::from(session.multiplier)
}

fn slow(what: &str, takes: Duration, silence: Duration, span: Span, problems: &mut Problems) {
    let message =
        format!("{what} takes {} to detect a failure, VRRP's own timers {}", shown(takes), shown(silence));
    let problem = problems.warning(span, message);
    problem.label("no faster than without").help("lower min_rx, min_tx or multiplier on both nodes");
}
