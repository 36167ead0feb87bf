//! One node of the virtual cluster.

use std::{collections::BTreeMap, ops::Range};

use super::*;
use crate::proto::{Node, Slot};

/// The slot of every node's only router.
pub(super) const SLOT: Slot = Slot::new(0).unwrap();

/// A span in which a node's lease made it answer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Owned {
    pub(super) start: Time,
    pub(super) end: Time,
}

/// Whether the daemon runs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Process {
    Running,
    Paused,
    Dead,
}

/// A node: the daemon's state, and the datapath's.
#[derive(Debug)]
pub(super) struct Host {
    pub(super) node: Node,
    pub(super) process: Process,
    pub(super) link: bool,
    /// Whether what it sends leaves.
    pub(super) mute: bool,
    pub(super) vips: bool,
    /// The last advert of every sender, as in `PEERS`.
    pub(super) peers: BTreeMap<IpAddr, Heard>,
    /// Events the process has not read.
    pub(super) ring: Vec<Heard>,
    /// The lease as the datapath has it; zero when it is revoked.
    pub(super) lease: Time,
    /// Until when the datapath admits traffic after ownership has ended.
    pub(super) drain: Time,
    /// Whether announcements wait to leave.
    pub(super) announcing: bool,
    pub(super) owned: Vec<Owned>,
    /// When the process did not run.
    pub(super) stalls: Vec<Range<Time>>,
    /// The wake-up that is set, and its number: setting another one cancels it.
    pub(super) alarm: Option<Time>,
    pub(super) alarms: u32,
}

impl Host {
    pub(super) fn new(router: Router) -> Self {
        let mut node = Node::default();
        node.insert(SLOT, router);
        Self {
            node,
            process: Process::Running,
            link: true,
            mute: false,
            vips: false,
            peers: BTreeMap::new(),
            ring: Vec::new(),
            lease: Time::ZERO,
            drain: Time::ZERO,
            announcing: false,
            owned: Vec::new(),
            stalls: Vec::new(),
            alarm: None,
            alarms: 0,
        }
    }

    pub(super) fn router(&self) -> &Router {
        self.node.get(SLOT).unwrap()
    }

    pub(super) fn state(&self) -> &'static str {
        self.router().state().name()
    }

    pub(super) fn priority(&self) -> u8 {
        self.router().config().priority.get()
    }

    /// Ends ownership as the datapath does by itself.
    pub(super) fn revoke(&mut self, now: Time) {
        self.set_lease(now, Time::ZERO);
        self.drain = now + DRAIN;
    }

    /// Extends a lease that has not been revoked, and tells whether it was so.
    pub(super) fn renew_lease(&mut self, now: Time, until: Time) -> bool {
        let stored = self.lease != Time::ZERO;
        if stored {
            self.set_lease(now, until);
        }
        stored
    }

    /// Tells whether the datapath answers.
    pub(super) fn owns(&self, now: Time) -> bool {
        self.lease > now
    }

    pub(super) fn set_lease(&mut self, now: Time, until: Time) {
        self.lease = until;
        match self.owned.last_mut() {
            Some(span) if span.end > now => span.end = until.max(now),
            Some(_) | None if until > now => self.owned.push(Owned { start: now, end: until }),
            Some(_) | None => {}
        }
    }

    pub(super) fn stalled(&self, span: &Range<Time>) -> bool {
        self.stalls.iter().any(|stall| stall.start < span.end && span.start < stall.end)
    }
}
