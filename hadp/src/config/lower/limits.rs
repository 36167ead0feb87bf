//! How many routers, addresses and guards the datapath's tables hold.

use std::collections::HashSet;

use hadp_common::{
    router::{MAX_GUARDS, MAX_ROUTERS},
    vip::MAX_VIPS,
};

use super::vip::VipDraft;
use crate::config::{
    ast::Word,
    diag::{Problems, Span},
};

/// What the instances so far need.
#[derive(Debug, Default)]
pub(super) struct Limits {
    routers: u32,
    vips: u32,
    guards: HashSet<Vec<String>>,
}

impl Limits {
    /// Counts an instance, and reports the first one for which there is no slot.
    pub(super) fn router(&mut self, name: &Word, problems: &mut Problems) {
        let help = "run the others on another node";
        count(&mut self.routers, MAX_ROUTERS, "virtual routers", name.span, help, problems);
    }

    /// Counts addresses, excluded ones too, and reports the first one for which there is no entry.
    pub(super) fn vips<'a>(&mut self, vips: impl IntoIterator<Item = &'a VipDraft>, problems: &mut Problems) {
        let help = "virtual_ipaddress and virtual_ipaddress_excluded of all instances count";
        for vip in vips {
            count(&mut self.vips, MAX_VIPS, "virtual addresses", vip.span, help, problems);
        }
    }

    /// Counts what a fast failover depends on, once for all routers that depend on the same sessions, and reports the
    /// first one for which there is no guard.
    pub(super) fn guard(&mut self, sessions: &[String], span: Span, problems: &mut Problems) {
        // Guard 0 is never used.
        let most = (MAX_GUARDS - 1) as usize;
        let mut sessions = sessions.to_vec();
        sessions.sort_unstable();
        if self.guards.insert(sessions) && self.guards.len() == most + 1 {
            let message = format!("a node has at most {most} different choices of sessions in fast_failover");
            let problem = problems.error(span, message);
            problem.label("the first one beyond").help("routers that name the same sessions share one");
        }
    }
}

fn count(so_far: &mut u32, most: u32, what: &str, span: Span, help: &str, problems: &mut Problems) {
    if *so_far == most {
        let problem = problems.error(span, format!("a node has at most {most} {what}"));
        problem.label("the first one beyond").help(help);
    }
    *so_far = so_far.saturating_add(1);
}
