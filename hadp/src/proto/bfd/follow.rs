//! What a session's change means to the routers that follow it.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    time::Duration,
};

use hadp_common::addr::Family;

use super::{Action, Guards, Session, SessionId, SessionState, Sessions, Standing, standing};
use crate::{
    model::{BfdInstance, Delivery, Router, Track, Tracked},
    proto::{self, Cause, Event, Node, Slot, State},
    units::{Priority, Time},
};

/// How much longer a Backup waits for each step of priority below 255, so that one of several takes over.
const STAGGER: Duration = Duration::from_micros(10);

/// The routers that follow sessions by `fast_failover` or `track_bfd`.
#[derive(Clone, Debug, Default)]
pub struct Followers {
    fast: BTreeMap<SessionId, Vec<Follower>>,
    tracking: BTreeMap<SessionId, Vec<Slot>>,
    tracked: BTreeMap<Slot, Tracking>,
    names: BTreeMap<String, SessionId>,
    guards: Guards,
}

/// How a router follows a session by `fast_failover`.
#[derive(Clone, Copy, Debug)]
struct Follower {
    slot: Slot,
    /// Whose router the session stands for; `None` for whoever is Active.
    neighbor: Option<IpAddr>,
    /// Whether other nodes may follow the same Active router.
    rivals: bool,
}

/// What a router tracks.
#[derive(Clone, Debug)]
struct Tracking {
    base: Priority,
    tracks: Vec<Track>,
}

impl Followers {
    /// Finds out who follows what, given every router and every session of the node.
    ///
    /// Of `fast_failover` without names, every session counts whose neighbour could send the router's adverts: of the
    /// same family and, where it is bound to an interface, on the same one. A session stands for the router of its
    /// neighbour's address; the only one named, or the only one there is, for whoever is Active, since it may run over a
    /// link of its own.
    pub fn new<'a>(
        routers: impl IntoIterator<Item = (Slot, &'a Router)>,
        sessions: &[(SessionId, &BfdInstance)],
    ) -> Self {
        Self::with(routers, sessions, &Guards::default())
    }

    /// Finds that out anew; guards keep the numbers that they have in `before`.
    pub fn with<'a>(
        routers: impl IntoIterator<Item = (Slot, &'a Router)>,
        sessions: &[(SessionId, &BfdInstance)],
        before: &Guards,
    ) -> Self {
        let names = sessions.iter().map(|(id, instance)| (instance.name.clone(), *id)).collect();
        let mut followers = Self { names, ..Self::default() };
        let routers: Vec<(Slot, &Router)> = routers.into_iter().collect();
        let sets = routers.iter().map(|(slot, router)| (*slot, relevant(router, sessions)));
        followers.guards = Guards::assign(sets, before);
        for (slot, router) in routers {
            followers.follow(slot, router, sessions);
            followers.track(slot, router);
        }
        followers
    }

    /// Returns the guards of the routers with `fast_failover`; one that is refused a guard follows nothing.
    pub fn guards(&self) -> &Guards {
        &self.guards
    }

    /// Appends what a session's change of state tells the routers that follow it by `fast_failover`.
    ///
    /// [`Event::ActiveDown`] for every Backup whose Active router is the neighbour, if the neighbour was Up and fell
    /// silent, or says AdminDown. A neighbour that signals Down is alive: VRRP's own timers decide; but if it does so
    /// because it has given this node up, it takes over, and every router that is Active here gets [`Event::Revoked`].
    /// `sessions` is as the change left it.
    pub fn fail_over(
        &self,
        now: Time,
        (id, action): (SessionId, &Action),
        sessions: &Sessions,
        node: &Node,
        out: &mut Vec<(Slot, Event)>,
    ) {
        let Action::Changed { from: SessionState::Up, to: SessionState::Down, .. } = action else { return };
        let Some(session) = sessions.get(id) else { return };
        for follower in self.fast.get(&id).into_iter().flatten() {
            let Some(router) = node.get(follower.slot) else { continue };
            let event = if session.neighbor_is_gone() {
                follower.take_over(router)
            } else if session.is_unheard() {
                step_down(now, session.last_heard(), router)
            } else {
                None
            };
            out.extend(event.map(|event| (follower.slot, event)));
        }
    }

    /// Tells whether a router goes on as Active although its guard has lapsed: it took over from neighbours that had been found
    /// dead, all that its guard stands for, and neither has one of them said anything since, nor any router advertised. So nobody
    /// took it for alive before, and to go on is what to take over is. Whether they have been told is for the shell to know.
    ///
    /// A router that was Active before steps down: a neighbour may have taken over that is silent for another reason, as where
    /// this node stood still and has yet to hear what arrived.
    pub fn outlives(&self, guard: u32, router: &proto::Router, sessions: &Sessions) -> bool {
        let deserted = |session: &Session| session.is_deserted() && session.since() <= router.active_since();
        let rival = router.last_heard().is_some_and(|heard| router.is_contested_by(heard));
        matches!(router.state(), State::Active { .. })
            && !rival
            && self.guards.sessions(guard).all(|id| sessions.get(id).is_some_and(deserted))
    }

    /// Returns the routers that track a session: when its state changes, or it is settled, their standing may have.
    pub fn trackers(&self, id: SessionId) -> &[Slot] {
        self.tracking.get(&id).map_or(&[], Vec::as_slice)
    }

    /// Tells whether a router tracks something.
    pub fn tracks(&self, slot: Slot) -> bool {
        self.tracked.get(&slot).is_some_and(|tracking| !tracking.tracks.is_empty())
    }

    /// Returns the routers that track something.
    pub fn tracking_routers(&self) -> impl Iterator<Item = Slot> {
        self.tracked.iter().filter(|(_, tracking)| !tracking.tracks.is_empty()).map(|(slot, _)| *slot)
    }

    /// Returns what everything a router tracks makes of it, interfaces included; `None` if it tracks nothing.
    pub fn standing(
        &self,
        now: Time,
        slot: Slot,
        sessions: &Sessions,
        link_is_up: impl Fn(&str) -> bool,
    ) -> Option<Standing> {
        let tracking = self.tracked.get(&slot)?;
        let up = |object: &Tracked| match object {
            Tracked::Interface(name) => link_is_up(name),
            Tracked::Bfd(name) => {
                let session = self.names.get(name).and_then(|id| sessions.get(*id));
                session.is_some_and(|session| session.is_usable(now))
            }
        };
        let tracks: Vec<(&Track, bool)> =
            tracking.tracks.iter().map(|track| (track, up(&track.object))).collect();
        Some(standing(tracking.base, &tracks))
    }

    /// Returns the event that brings a router to this standing, if it is not there; one that may run again is to be
    /// started by the shell, which knows whether its link is up.
    pub fn bring(slot: Slot, standing: Standing, node: &Node) -> Option<Event> {
        let router = node.get(slot)?;
        match (standing, router.state()) {
            (Standing::Fault, State::Initialize { .. }) => None,
            (Standing::Fault, State::Backup { .. } | State::Active { .. } | State::Resigning { .. }) => {
                Some(Event::Fault(Cause::Tracked))
            }
            (Standing::Runs(priority), _) if router.config().priority != priority => {
                Some(Event::Priority(priority))
            }
            (
                Standing::Runs(_),
                State::Initialize { .. }
                | State::Backup { .. }
                | State::Active { .. }
                | State::Resigning { .. },
            ) => None,
        }
    }

    /// Tells whether a router fails over by this session.
    pub fn is_followed(&self, id: SessionId) -> bool {
        self.fast.contains_key(&id)
    }

    fn follow(&mut self, slot: Slot, router: &Router, sessions: &[(SessionId, &BfdInstance)]) {
        if self.guards.of(slot).is_err() {
            return;
        }
        let set = relevant(router, sessions);
        let named = router.fast_failover.as_ref().is_some_and(|fast| !fast.sessions.is_empty());
        let only = set.len() == 1 && (named || sessions.len() == 1);
        for (id, instance) in sessions.iter().filter(|(id, _)| set.contains(id)) {
            let neighbor = if only { None } else { Some(instance.neighbor) };
            let follower = Follower { slot, neighbor, rivals: has_rivals(router, &set) };
            self.fast.entry(*id).or_default().push(follower);
        }
    }

    fn track(&mut self, slot: Slot, router: &Router) {
        if router.tracks.is_empty() {
            return;
        }
        let names = router.tracks.iter().filter_map(|track| match &track.object {
            Tracked::Bfd(name) => self.names.get(name),
            Tracked::Interface(_) => None,
        });
        for id in names.collect::<BTreeSet<_>>() {
            self.tracking.entry(*id).or_default().push(slot);
        }
        self.tracked.insert(slot, Tracking { base: router.priority, tracks: router.tracks.clone() });
    }
}

impl Follower {
    /// Returns what a Backup of a dead neighbour's router is told.
    fn take_over(&self, router: &proto::Router) -> Option<Event> {
        let backup = matches!(router.state(), State::Backup { .. });
        let from = router.last_heard().filter(|_| backup)?.from;
        let steps = u32::from(u8::MAX - router.config().priority.get());
        let wait = if self.rivals { STAGGER * steps } else { Duration::ZERO };
        self.neighbor.is_none_or(|neighbor| neighbor == from).then_some(Event::ActiveDown { from, wait })
    }
}

/// Tells whether other nodes may follow the same Active router. Unicast peers are all there are; other Backups of a
/// multicast group say nothing, so that only sessions with more than one node tell of them.
fn has_rivals(router: &Router, sessions: &BTreeSet<SessionId>) -> bool {
    match &router.delivery {
        Delivery::Unicast { peers, .. } => peers.len() > 1,
        Delivery::Multicast { .. } => sessions.len() > 1,
    }
}

/// Returns what a router is told whose neighbour has given this node up.
///
/// An Active one goes: the neighbour has taken over, or is about to, and would be told so only by an advert. What the
/// neighbour loses are BFD packets alone as far as is known here, so this node hears its successor's adverts, and where it
/// outranks it, preempts it by its own rules. If their adverts have crossed already, and this one has answered, the
/// successor yields: then one of them is to stay, unless the datapath has ended its guard by then. Nor does what the neighbour
/// said at `heard` concern a router that has become Active since, as after this node stood still.
fn step_down(now: Time, heard: Option<Time>, router: &proto::Router) -> Option<Event> {
    let active = matches!(router.state(), State::Active { .. }) && heard > Some(router.since());
    (active && !router.has_answered_lower_priority(now)).then_some(Event::Revoked)
}

/// Returns the sessions that a router follows by `fast_failover`.
fn relevant(router: &Router, sessions: &[(SessionId, &BfdInstance)]) -> BTreeSet<SessionId> {
    let Some(fast) = &router.fast_failover else { return BTreeSet::new() };
    let named = |instance: &BfdInstance| fast.sessions.contains(&instance.name);
    let nearby = |instance: &BfdInstance| {
        let other_link =
            !instance.multihop && instance.interface.as_ref().is_some_and(|name| *name != router.interface);
        sessions.len() == 1 || (Family::of(&instance.neighbor) == router.family && !other_link)
    };
    let counts =
        |instance: &BfdInstance| if fast.sessions.is_empty() { nearby(instance) } else { named(instance) };
    sessions.iter().filter(|(_, instance)| counts(instance)).map(|(id, _)| *id).collect()
}
