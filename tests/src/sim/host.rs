//! One node of the cluster.

use std::collections::VecDeque;

use hadp::{
    proto::{Config, Event, Node, Router, Slot, bfd::SessionId},
    units::Time,
};
use hadp_common::wire::bfd::Control;

use super::{
    clock::Clock,
    datapath::{self, Datapath},
    heart::Heart,
    jam::Kept,
    plan::address,
    sessions::Watch,
};

/// Whether the machine runs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Power {
    On,
    Frozen,
    Off,
}

/// A node: its machine, its datapath, its daemon and its companion.
#[derive(Debug)]
pub(super) struct Host {
    pub(super) index: usize,
    pub(super) clock: Clock,
    pub(super) power: Power,
    pub(super) datapath: Datapath,
    /// The daemon, unless it is dead.
    pub(super) daemon: Option<Daemon>,
    /// Whether the daemon is stopped, and since when by the node's clock.
    pub(super) stopped: Option<Time>,
    /// Adverts that had left when the daemon was stopped, of which it was not told yet.
    pub(super) unreported: Vec<(usize, Time)>,
    /// How many processes watch the daemon: the companion, unless it is dead.
    pub(super) companion: bool,
    /// Counts daemons and companions: what was meant for an earlier one is void.
    pub(super) life: u32,
    pub(super) link: bool,
    /// Whether what it sends leaves.
    pub(super) mute: bool,
    /// Whether what it sends is kept, and what is.
    pub(super) jammed: bool,
    pub(super) kept: Vec<Kept>,
    /// When each router's last advert left.
    pub(super) left: Vec<Time>,
    /// Whether the operator wants it to run.
    pub(super) wanted: bool,
    /// For each router: its configuration, and whether its addresses are on the interface.
    pub(super) configs: Vec<Config>,
    pub(super) vips: Vec<bool>,
    /// Frames that arrived while the machine stood still.
    pub(super) backlog: Vec<(usize, hadp::proto::Heard)>,
    /// BFD packets that did, and from whom.
    pub(super) packets: Vec<(usize, Control)>,
    /// The daemon's heartbeat.
    pub(super) heart: Option<Heart>,
    /// Whether the heartbeat does not get to run.
    pub(super) heart_stopped: bool,
    /// Routers that the daemon gave up as it started, and has not resigned yet.
    pub(super) given_up: Vec<usize>,
}

/// What the daemon has in its memory.
#[derive(Debug)]
pub(super) struct Daemon {
    pub(super) node: Node,
    /// Since when adverts count, for each router.
    pub(super) since: Time,
    /// The wake-up that is set, and its number: setting another one cancels it.
    pub(super) alarm: Option<Time>,
    pub(super) alarms: u32,
    pub(super) watch: Watch,
    /// Guards that the heartbeat found lapsed.
    pub(super) lapsed: VecDeque<u32>,
}

impl Host {
    pub(super) fn new(index: usize, clock: Clock, configs: Vec<Config>) -> Self {
        let vips = vec![false; configs.len()];
        let mut host = Self {
            index,
            clock,
            power: Power::On,
            datapath: Datapath::default(),
            daemon: None,
            stopped: None,
            unreported: Vec::new(),
            companion: true,
            life: 0,
            link: true,
            mute: false,
            jammed: false,
            kept: Vec::new(),
            left: vec![Time::ZERO; configs.len()],
            wanted: true,
            configs,
            vips,
            backlog: Vec::new(),
            packets: Vec::new(),
            heart: None,
            heart_stopped: false,
            given_up: Vec::new(),
        };
        host.reset();
        host
    }

    /// Empties the machine: new maps, no addresses.
    pub(super) fn reset(&mut self) {
        let slot = |config: &Config| {
            let priority = config.priority.get();
            datapath::Slot::new(priority, address(self.index), priority != 255)
        };
        self.datapath = Datapath { slots: self.configs.iter().map(slot).collect(), ..Datapath::default() };
        self.vips.fill(false);
        self.backlog.clear();
        self.packets.clear();
    }

    /// Makes a daemon, which is then to be started; returns what to tell each of its routers first.
    pub(super) fn spawn(&mut self, now: Time, revive_expired: bool) -> Vec<Event> {
        let mut node = Node::default();
        let mut events = Vec::new();
        let source = address(self.index);
        for (index, config) in self.configs.iter().enumerate() {
            if let Some(slot) = Slot::new(index as u32) {
                node.insert(slot, Router::new(config.clone(), now));
            }
            // A lease that has been resigned, or whose link is gone, is not gone on with.
            let link = self.link;
            if let Some(slot) = self.datapath.slots.get_mut(index).filter(|slot| slot.resigned || !link) {
                (slot.lease, slot.resigned) = (Time::ZERO, false);
            }
            let kept = self.datapath.slots.get(index);
            let lease = kept.map_or(Time::ZERO, |slot| slot.lease);
            // What a dead daemon left on the interfaces of routers that are not its own any more is swept away.
            if let Some(vips) = self.vips.get_mut(index)
                && lease <= now
            {
                *vips = false;
            }
            events.push(if lease > now {
                Event::Resume { source, lease }
            } else if revive_expired && lease > Time::ZERO {
                Event::Resume { source, lease: now + config.interval.duration() * 3 }
            } else {
                Event::Startup { source }
            });
        }
        self.daemon = Some(Daemon {
            node,
            since: now,
            alarm: None,
            alarms: 0,
            watch: Watch::default(),
            lapsed: VecDeque::new(),
        });
        self.stopped = None;
        self.heart_stopped = false;
        self.unreported.clear();
        self.companion = true;
        self.life += 1;
        events
    }

    /// Returns the guards that a session counts for.
    pub(super) fn guards_of(&self, id: SessionId) -> Vec<u32> {
        let daemon = self.daemon.iter();
        daemon.flat_map(|daemon| daemon.watch.followers.guards().of_session(id)).collect()
    }

    /// Tells whether the daemon gets to run.
    pub(super) fn runs(&self) -> bool {
        self.power == Power::On && self.stopped.is_none() && self.daemon.is_some()
    }

    /// Returns the router in a slot as the daemon has it.
    pub(super) fn router(&self, slot: usize) -> Option<&Router> {
        self.daemon.as_ref()?.node.get(Slot::new(slot as u32)?)
    }

    /// Returns the name of a router's state.
    pub(super) fn state(&self, slot: usize) -> &'static str {
        self.router(slot).map_or("dead", |router| router.state().name())
    }
}
