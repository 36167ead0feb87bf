//! The election thread's sessions: hears the neighbours, and draws the conclusions for the routers.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use super::{
    clock,
    driver::Driver,
    farewell::{Farewell, Kin},
    heartbeat::{Heartbeat, Order},
    messages::{Notice, SessionView},
};
use crate::{
    datapath::{BfdSessions, Datapath, Guards},
    proto::{
        Cause, Event, Slot,
        bfd::{self, Followers, Received, Session, SessionId, SessionState, Sessions, Standing},
    },
    units::Time,
};

/// How long before a session's deadline the thread wakes up at most: about what it takes to. A neighbour that is alive has
/// been heard by then, and the deadline moves; for one that is silent the thread stays awake until it is over.
const AHEAD: Duration = Duration::from_micros(50);

/// What the election thread needs for its sessions.
pub(crate) struct Senses {
    /// Who sends.
    pub(crate) heartbeat: Heartbeat,
    /// What was heard.
    pub(crate) heard: BfdSessions,
    /// What limits leases.
    pub(crate) guards: Guards,
    /// Which routers follow which sessions.
    pub(crate) followers: Followers,
}

/// The sessions of the node and who follows them.
pub(super) struct Watch {
    pub(super) sessions: Sessions,
    pub(super) senses: Senses,
    /// Tracked interfaces that are up.
    links: BTreeSet<String>,
    /// What each router was last found fit for.
    pub(super) standings: BTreeMap<Slot, Standing>,
    farewell: Farewell,
    /// Sessions that have left the configuration, and until when their neighbours are told.
    pub(super) parting: BTreeMap<SessionId, Time>,
    /// Sessions of which it is not known that the neighbour was told of the last fall, before anything was taken over from it.
    pub(super) untold: BTreeSet<SessionId>,
    /// Lapsed guards that were looked at in this turn.
    pub(super) judged: BTreeSet<u32>,
    /// Whether the heartbeat has orders that it was not woken up for.
    unrung: bool,
    /// Kept for their memory.
    pub(super) actions: Vec<(SessionId, bfd::Action)>,
    pub(super) events: Vec<(Slot, Event)>,
}

impl Watch {
    pub(super) fn new(senses: Senses) -> Self {
        Self {
            sessions: Sessions::default(),
            senses,
            links: BTreeSet::new(),
            standings: BTreeMap::new(),
            farewell: Farewell::default(),
            parting: BTreeMap::new(),
            untold: BTreeSet::new(),
            judged: BTreeSet::new(),
            unrung: false,
            actions: Vec::with_capacity(16),
            events: Vec::with_capacity(64),
        }
    }

    /// Returns when something is due, or is so soon that the thread has to be awake.
    pub(super) fn next_deadline(&self) -> Option<Time> {
        let session = self.sessions.first().map(|(id, deadline)| deadline - self.ahead(id));
        let parting = self.parting.values().min().copied();
        [session, self.farewell.next_deadline(), parting].into_iter().flatten().min()
    }

    /// Returns how long before a session's deadline the thread is to be awake: where a neighbour may die.
    fn ahead(&self, id: SessionId) -> Duration {
        let up = self.sessions.get(id).filter(|session| session.state() == SessionState::Up);
        up.and_then(Session::detection_time).map_or(Duration::ZERO, |time| AHEAD.min(time / 8))
    }

    /// Gives the heartbeat an order, to be obeyed once this turn's adverts and announcements have left: to wake it takes longer
    /// than to send one.
    pub(super) fn order(&mut self, order: Order) {
        self.senses.heartbeat.queue(order);
        self.unrung = true;
    }

    /// Has the heartbeat obey what it was ordered in this turn.
    pub(super) fn ring(&mut self) {
        self.judged.clear();
        if std::mem::take(&mut self.unrung) {
            self.senses.heartbeat.ring();
        }
    }

    /// Tells the datapath which guards end when the neighbour says that it has given this node up: those of its session's
    /// followers, unless the session flaps, when neither end goes by it.
    pub(super) fn set_ends(&self, id: SessionId, now: Time) {
        self.set_ends_of(id, None, now);
    }

    /// Does so while routers go over to other followers: of both, and of those before first, which limit leases now.
    pub(super) fn set_ends_of(&self, id: SessionId, others: Option<&Followers>, now: Time) {
        let counts = self.sessions.get(id).is_some_and(|session| !session.is_damped(now));
        let followers = [Some(&self.senses.followers), others];
        let mut guards: Vec<u32> = Vec::new();
        for guard in followers.into_iter().flatten().flat_map(|followers| followers.guards().of_session(id)) {
            if counts && !guards.contains(&guard) {
                guards.push(guard);
            }
        }
        self.senses.heard.set_ends(id, guards);
    }

    /// Has the heartbeat look at the guards of a session that the datapath has ended: where nothing is renewed, nothing else
    /// shows that.
    fn note_ended(&mut self, id: SessionId) {
        let Senses { heartbeat, guards, followers, .. } = &self.senses;
        for guard in followers.guards().of_session(id).filter(|guard| guards.is_ended(*guard)) {
            heartbeat.queue(Order::Ended(guard));
            self.unrung = true;
        }
    }

    /// Describes every session.
    pub(super) fn views(&self, now: Time) -> Vec<SessionView> {
        let view = |(id, session): (SessionId, &Session)| SessionView {
            id,
            state: session.state(),
            diag: session.diag(),
            since: session.since(),
            remote: session.remote(),
            transmit: session.transmission().map(|what| what.every),
            detection: session.detection_time(),
            last_heard: self.senses.heard.last_seen(id).max(session.last_heard().unwrap_or(Time::ZERO)),
            heard: self.senses.heard.packets(id),
            counts: session.counts(),
            damped: session.is_damped(now),
        };
        self.sessions.iter().map(view).collect()
    }

    /// Returns what the datapath has heard since the session was last told, as the event to tell.
    pub(super) fn news(&self, id: SessionId) -> Option<bfd::Event> {
        self.sessions.get(id)?.reading(self.senses.heard.received(id)?)
    }
}

impl<D: Datapath> Driver<D> {
    /// Takes a packet that changes something.
    pub(super) fn hear_session(&mut self, id: SessionId, received: Received) {
        self.feed_session(id, bfd::Event::Packet(received));
        self.watch.note_ended(id);
    }

    /// Runs every session's deadline that has passed, and waits for one that is about to.
    pub(super) fn expire_sessions(&mut self) {
        if let Some((id, deadline)) = self.watch.sessions.first()
            && deadline <= clock::now() + self.watch.ahead(id)
        {
            match self.watch.news(id) {
                Some(news) => self.feed_session(id, news),
                None => clock::wait_until(deadline),
            }
        }
        let now = clock::now();
        while let Some(id) = self.watch.sessions.due(now) {
            if let Some(news) = self.watch.news(id) {
                self.feed_session(id, news);
                self.watch.note_ended(id); // its own event may have been lost
            }
            self.feed_session(id, bfd::Event::Timeout);
        }
        for id in self.watch.farewell.over(now) {
            self.feed_session(id, bfd::Event::AdminUp);
        }
        self.end_parting(now);
    }

    /// Looks again at what tracking makes of a router. It steps down here and now; whatever takes other frames, or a link
    /// that is up, is the supervisor's to begin.
    pub(super) fn reconsider(&mut self, slot: Slot, now: Time) {
        let Some(standing) = self.standing(slot, now) else { return };
        if self.watch.standings.insert(slot, standing) == Some(standing) {
            return;
        }
        if standing == Standing::Fault
            && let Some(event) = Followers::bring(slot, standing, &self.node)
        {
            self.feed(slot, event);
        }
        self.tell(Notice::Standing { slot, standing });
    }

    /// Returns what tracking makes of a router, if it tracks anything.
    pub(super) fn standing(&self, slot: Slot, now: Time) -> Option<Standing> {
        let watch = &self.watch;
        watch.senses.followers.standing(now, slot, &watch.sessions, |name| watch.links.contains(name))
    }

    /// Notes whether a tracked interface is up.
    pub(super) fn link_changed(&mut self, name: String, up: bool) {
        let changed = if up { self.watch.links.insert(name) } else { self.watch.links.remove(&name) };
        if changed {
            let (now, slots) = (clock::now(), self.routers.slots().collect::<Vec<_>>());
            for slot in slots {
                self.reconsider(slot, now);
            }
        }
    }

    /// Lets a session run.
    pub(super) fn start_session(
        &mut self,
        id: SessionId,
        name: &Arc<str>,
        config: bfd::Config,
        discriminator: u32,
    ) {
        let now = clock::now();
        if let Some(recorder) = &mut self.recorder {
            recorder.session_joined(now, id, name, (&config, discriminator));
        }
        self.watch.sessions.insert(id, Session::new(config, discriminator, now));
        self.watch.set_ends(id, now);
        self.feed_session(id, bfd::Event::Start);
    }

    /// Tells the neighbours over what is left when a router's link is gone, where nothing speaks against it.
    pub(super) fn say_farewell(&mut self, slot: Slot, cause: Cause) {
        if !cause.is_link() {
            return;
        }
        let guards = self.watch.senses.followers.guards();
        let of = |slot: Slot| guards.of(slot).unwrap_or(0);
        let sessions = guards.iter().find(|(guard, _)| *guard == of(slot));
        let Some((_, sessions)) = sessions else { return };
        let kin: Vec<(SessionId, Kin)> = sessions
            .iter()
            .map(|id| {
                let followers = guards
                    .iter()
                    .filter(|(_, set)| set.contains(id))
                    .flat_map(|(guard, _)| guards.routers(guard));
                let trackers = self.watch.senses.followers.trackers(*id).iter().copied();
                let active = followers.chain(trackers).filter(|other| self.is_active(*other)).count();
                let up =
                    self.watch.sessions.get(*id).is_some_and(|session| session.state() == SessionState::Up);
                (*id, Kin { active, up })
            })
            .collect();
        let now = clock::now();
        for id in self.watch.farewell.begin(&kin, now) {
            self.feed_session(id, bfd::Event::AdminDown);
        }
    }

    /// Takes every session down for good, and returns until when the neighbours are told.
    pub(super) fn end_sessions(&mut self) -> Option<Time> {
        // None of those that said farewell comes up again.
        self.watch.farewell = Farewell::default();
        let ids: Vec<SessionId> = self.watch.sessions.iter().map(|(id, _)| id).collect();
        for &id in &ids {
            self.feed_session(id, bfd::Event::AdminDown);
        }
        ids.iter().filter_map(|id| self.watch.sessions.get(*id)?.farewell_until()).max()
    }
}
