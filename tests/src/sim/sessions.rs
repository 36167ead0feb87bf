//! The election's part of BFD: hears the neighbours and draws the conclusions, as `shell::watch` does it.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use hadp::{
    proto::{
        Event, Slot,
        bfd::{self, Action, Diag, Followers, Received, Session, SessionId, Sessions, Verdict},
    },
    units::Time,
};
use hadp_common::wire::bfd::{Control, FINAL, POLL, SessionState};

use super::{
    heart::{Heart, Order},
    host::Power,
    mutation::Mutation,
    path,
    world::{Happening, World},
};

/// What the election knows of its sessions.
#[derive(Debug, Default)]
pub(super) struct Watch {
    pub(super) sessions: Sessions,
    pub(super) followers: Followers,
    told: BTreeMap<SessionId, Control>,
    /// Sessions whose neighbour was not told of the last fall before anything was taken over from it.
    pub(super) untold: BTreeSet<SessionId>,
}

/// A change of a session's state.
#[derive(Clone, Copy, Debug)]
pub(super) struct SessionChange {
    pub(super) at: Time,
    pub(super) host: usize,
    pub(super) neighbor: usize,
    pub(super) from: SessionState,
    pub(super) to: SessionState,
    pub(super) diag: Diag,
    /// Whether routers take over from the neighbour by it: the datapath then takes no notice of what that one says of this node.
    pub(super) takes_over: bool,
}

impl World {
    /// Gives a new daemon its sessions.
    pub(super) fn start_sessions(&mut self, host: usize) {
        let instances = self.plan.instances(host);
        let now = self.local(host);
        let Some(this) = self.hosts.get_mut(host).filter(|_| !instances.is_empty()) else { return };
        let Some(daemon) = &mut this.daemon else { return };
        let routers: Vec<_> =
            this.configs.iter().enumerate().filter_map(|(slot, config)| path::router(slot, config)).collect();
        let slots = (0..).filter_map(Slot::new).zip(&routers);
        let named: Vec<_> = instances.iter().map(|(id, instance)| (*id, instance)).collect();
        daemon.watch.followers = Followers::new(slots, &named);
        let mut heart = Heart::default();
        for (guard, sessions) in daemon.watch.followers.guards().iter() {
            for id in sessions {
                // Nothing has been promised yet.
                let _: Verdict = heart.promises.join(guard, *id, now);
            }
        }
        for (slot, entry) in this.datapath.slots.iter_mut().enumerate() {
            let slot = Slot::new(slot as u32);
            entry.guard = slot.and_then(|slot| daemon.watch.followers.guards().of(slot).ok()).unwrap_or(0);
        }
        for (id, instance) in &instances {
            let discriminator = (self.rng.below(1 << 24) as u32) << 8 | id.index();
            this.datapath.keys.insert(*id, discriminator);
            daemon.watch.sessions.insert(*id, Session::new(instance.into(), discriminator, now));
        }
        this.heart = Some(heart);
        for (id, _) in instances {
            self.set_ends(host, id, now);
            self.feed_session(host, id, bfd::Event::Start);
        }
    }

    /// Tells a session of a packet that the datapath reported.
    pub(super) fn hear_session(&mut self, host: usize, id: SessionId, received: Received) {
        let daemon = self.hosts.get_mut(host).and_then(|host| host.daemon.as_mut());
        let Some(daemon) = daemon else { return };
        let event = daemon.watch.tell(id, received);
        self.feed_session(host, id, event);
        let guards = self.hosts.get(host).map(|host| host.guards_of(id)).unwrap_or_default();
        for guard in guards {
            self.order(host, Order::Ended(guard));
        }
    }

    /// Returns how much too early a mutation lets silence be found.
    pub(super) fn impatience(&self) -> Duration {
        match self.mutation {
            Some(Mutation::BfdImpatient) => self.plan.detection() / 3,
            _ => Duration::ZERO,
        }
    }

    /// Runs every session's deadline that has passed.
    pub(super) fn expire_sessions(&mut self, host: usize) {
        let early = self.impatience();
        for _ in 0..64 {
            let now = self.local(host) + early;
            let Some(this) = self.hosts.get_mut(host).filter(|host| host.runs()) else { return };
            let Some(daemon) = &mut this.daemon else { return };
            let Some(id) = daemon.watch.sessions.due(now) else { return };
            let record = this.datapath.records.get(&id).copied();
            if let Some(news) = record.and_then(|record| daemon.watch.news(id, record)) {
                self.feed_session(host, id, news);
            }
            self.feed_session_at(host, id, bfd::Event::Timeout, now);
        }
        self.broken.push(format!("the sessions of host {host} make no progress"));
    }

    fn feed_session(&mut self, host: usize, id: SessionId, event: bfd::Event) {
        let now = self.local(host);
        self.feed_session_at(host, id, event, now);
    }

    fn feed_session_at(&mut self, host: usize, id: SessionId, event: bfd::Event, now: Time) {
        let Some(this) = self.hosts.get_mut(host).filter(|host| host.runs()) else { return };
        let Some(daemon) = &mut this.daemon else { return };
        let mut out = Vec::new();
        daemon.watch.sessions.handle(now, id, event, &mut out);
        if !out.is_empty() && std::env::var_os("HADP_SIM_TRACE").is_some() {
            let at = self.now.as_nanos() as f64 / 1e6;
            eprintln!("{at:12.6} host {host} session {}: {event:?} -> {out:?}", path::neighbor(id));
        }
        for (id, action) in &out {
            match action {
                Action::Transmit(what) => self.order(host, Order::Transmit(*id, *what)),
                Action::SendNow(control) => self.order(host, Order::SendNow(*id, *control)),
                Action::Changed { .. } | Action::Settled => {}
            }
        }
        let events = self.foresee(host, &out, now);
        if out.iter().any(|(_, action)| action.gives_up()) {
            let said = out.iter().filter_map(|(id, action)| match action {
                Action::SendNow(control) => Some((*id, *control)),
                Action::Transmit(_) | Action::Changed { .. } | Action::Settled => None,
            });
            for (id, control) in said {
                let told = self.hasten(host, (id, control));
                if let Some(daemon) = self.hosts.get_mut(host).and_then(|host| host.daemon.as_mut()) {
                    let untold = &mut daemon.watch.untold;
                    let _ = if told { untold.remove(&id) } else { untold.insert(id) };
                }
            }
        }
        self.conclude(host, events);
    }

    /// Tells the datapath which guards end when the neighbour of a session has given this node up.
    fn set_ends(&mut self, host: usize, id: SessionId, now: Time) {
        let Some(this) = self.hosts.get_mut(host) else { return };
        let Some(daemon) = &this.daemon else { return };
        let counts = daemon.watch.sessions.get(id).is_some_and(|session| !session.is_damped(now));
        let guards = if counts { this.guards_of(id) } else { Vec::new() };
        this.datapath.ends.insert(id, guards);
    }

    /// Returns what a session's change tells the routers that follow it, and prepares the datapath for it.
    fn foresee(&mut self, host: usize, actions: &[(SessionId, Action)], now: Time) -> Vec<(Slot, Event)> {
        let mut events = Vec::new();
        for (id, action) in actions {
            if action.is_at_neighbor_too() {
                self.set_ends(host, *id, now);
            }
            let Some(this) = self.hosts.get_mut(host) else { return events };
            let Some(daemon) = &this.daemon else { return events };
            let (watch, before) = (&daemon.watch, events.len());
            watch.followers.fail_over(now, (*id, action), &watch.sessions, &daemon.node, &mut events);
            let mut told = events.iter().skip(before);
            let takes_over = told.any(|(_, event)| matches!(event, Event::ActiveDown { .. }));
            if takes_over {
                this.datapath.ends.remove(id);
            }
            if let Action::Changed { from, to, diag } = *action {
                let (at, neighbor) = (self.now, path::neighbor(*id));
                self.session_changes.push(SessionChange { at, host, neighbor, from, to, diag, takes_over });
            }
        }
        events
    }

    /// Tells the routers what was foreseen.
    fn conclude(&mut self, host: usize, events: Vec<(Slot, Event)>) {
        for (slot, event) in events {
            if matches!(event, Event::ActiveDown { .. }) {
                self.catch_up(host, slot.index() as usize);
            }
            if event == Event::Revoked {
                if self.mutation == Some(Mutation::StepDownForgotten) {
                    continue;
                }
                self.summary.stepped_down += 1;
            }
            self.tell(host, slot.index() as usize, event);
        }
    }

    /// Sends a packet to the neighbour of a session; false if it did not leave.
    pub(super) fn send_bfd(&mut self, host: usize, id: SessionId, control: Control) -> bool {
        let other = path::neighbor(id);
        let Some(this) = self.hosts.get(host).filter(|host| !host.mute) else { return false };
        let up = this.link && self.hosts.get(other).is_some_and(|other| other.link);
        let delays = self.plan.bfd_delays();
        if let Some(at) = self.network.carry_bfd(self.now, (host, other), up, delays, &mut self.rng) {
            self.push(at, other, Happening::Bfd { from: host, control });
        }
        true
    }

    /// A packet arrives at a machine, which hears it unless it stands still.
    pub(super) fn arrive_bfd(&mut self, host: usize, from: usize, control: Control) {
        let Some(this) = self.hosts.get_mut(host).filter(|host| host.link) else { return };
        match this.power {
            Power::Off => {}
            Power::Frozen => this.packets.push((from, control)),
            Power::On => self.record_bfd(host, from, control),
        }
    }

    /// The datapath hears a packet.
    pub(super) fn record_bfd(&mut self, host: usize, from: usize, control: Control) {
        let at = self.local(host);
        let (Some(id), Some(this)) = (path::session(from), self.hosts.get_mut(host)) else { return };
        let deaf = self.mutation == Some(Mutation::GivenUpUnheard);
        let is_news = this.datapath.record(id, Received { at, control }, deaf);
        for slot in 0..self.plan.routers.len() {
            self.note(host, slot, None);
        }
        if is_news {
            self.read_events(host);
        }
    }

    /// Gives up what a guard limits, since nobody can renew what the sessions of the former daemon promised, and comes back
    /// once the neighbours have found its silence; false if there is nothing of the kind.
    pub(super) fn give_up(&mut self, host: usize) -> bool {
        const AFTER_GUARD: Duration = Duration::from_millis(20);
        const LONG: Duration = Duration::from_millis(300);
        let now = self.local(host);
        let bfd = self.plan.bfd;
        let Some(this) = self.hosts.get_mut(host).filter(|_| bfd.is_some()) else { return false };
        let guarded = |slot: usize| this.datapath.guard(slot).is_some();
        let until = (0..this.datapath.slots.len()).filter_map(|slot| this.datapath.guard(slot)).max();
        let left: Vec<usize> = (0..this.datapath.slots.len()).filter(|slot| guarded(*slot)).collect();
        let mut given_up = Vec::new();
        for slot in left {
            let Some(entry) = this.datapath.slots.get_mut(slot) else { continue };
            if entry.lease > now {
                given_up.push(slot);
            }
            entry.lease = Time::ZERO;
        }
        this.datapath.guards.clear();
        this.given_up = given_up;
        for slot in 0..self.plan.routers.len() {
            self.note(host, slot, None);
        }
        let Some(this) = self.hosts.get_mut(host).filter(|host| !host.given_up.is_empty()) else {
            return false;
        };
        let Some(at) = until.map(|until| until + AFTER_GUARD).filter(|at| at.since(now) < LONG) else {
            return false;
        };
        this.companion = true;
        this.life += 1;
        let (life, at) = (this.life, this.clock.when(at));
        self.push(at.max(self.now), host, Happening::Respawn { life });
        true
    }

    /// Says for what was given up that nobody needs to wait.
    pub(super) fn resign_given_up(&mut self, host: usize) {
        let given_up = self.hosts.get_mut(host).map(|host| std::mem::take(&mut host.given_up));
        for slot in given_up.into_iter().flatten() {
            self.send(host, slot, 0);
        }
    }
}

impl Watch {
    /// Returns what the datapath has heard since a session was last told, as the event to tell.
    fn news(&mut self, id: SessionId, received: Received) -> Option<bfd::Event> {
        if !self.is_news(id, &received) {
            return None;
        }
        match self.told.get(&id) == Some(&content(&received.control)) {
            true => Some(bfd::Event::Alive { at: received.at }),
            false => Some(self.tell(id, received)),
        }
    }

    /// Tells whether a session was not told yet of what the datapath has heard.
    pub(super) fn is_news(&self, id: SessionId, received: &Received) -> bool {
        self.sessions.get(id).is_some_and(|session| session.last_heard() < Some(received.at))
    }

    fn tell(&mut self, id: SessionId, received: Received) -> bfd::Event {
        self.told.insert(id, content(&received.control));
        bfd::Event::Packet(received)
    }
}

/// Returns what a packet says for longer than it takes to answer it.
pub(super) fn content(control: &Control) -> Control {
    Control { flags: control.flags & !(POLL | FINAL), ..*control }
}
