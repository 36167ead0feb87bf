//! All virtual routers of this machine.

use super::{Action, BySlot, Event, Reconfiguration, Router, deadlines::Deadlines};
use crate::units::{OutOfRange, Time};

/// The place of a virtual router in `ROUTERS` and `PEERS`, below [`MAX_ROUTERS`](hadp_common::router::MAX_ROUTERS).
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[cfg_attr(
    feature = "daemon",
    derive(serde::Deserialize, serde::Serialize),
    serde(try_from = "u32", into = "u32")
)]
pub struct Slot(u32);

impl Slot {
    /// Builds a slot, or `None` beyond the maps' end.
    pub const fn new(index: u32) -> Option<Self> {
        if index < hadp_common::router::MAX_ROUTERS { Some(Self(index)) } else { None }
    }

    /// Returns the index in the maps.
    pub const fn index(self) -> u32 {
        self.0
    }
}

impl TryFrom<u32> for Slot {
    type Error = OutOfRange;

    fn try_from(index: u32) -> Result<Self, OutOfRange> {
        Self::new(index).ok_or(OutOfRange::new("a slot", index))
    }
}

impl From<Slot> for u32 {
    fn from(slot: Slot) -> Self {
        slot.index()
    }
}

/// The routers of a node, and which of them is due next.
///
/// The driver's loop is: while [`due`](Self::due) names a slot, tell that router the adverts recorded for it, then
/// [`Event::Timeout`]; its deadline then lies ahead, so the loop ends, and every router has had its turn.
#[derive(Clone, Debug, Default)]
pub struct Node {
    routers: BySlot<Router>,
    /// Every router's [`Router::next_deadline`].
    deadlines: Deadlines,
    scratch: Vec<Action>,
}

impl Node {
    /// Puts a router in a slot and returns the one that was there.
    pub fn insert(&mut self, slot: Slot, router: Router) -> Option<Router> {
        self.deadlines.set(slot, router.next_deadline());
        self.routers.insert(slot, router)
    }

    /// Takes a router out; to give up what it owns, it is to be shut down before.
    pub fn remove(&mut self, slot: Slot) -> Option<Router> {
        self.deadlines.set(slot, None);
        self.routers.remove(slot)
    }

    /// Returns the router in a slot.
    pub fn get(&self, slot: Slot) -> Option<&Router> {
        self.routers.get(slot)
    }

    /// Returns all routers, by ascending slot.
    pub fn iter(&self) -> impl Iterator<Item = (Slot, &Router)> {
        self.routers.iter()
    }

    /// Applies one event to the router in `slot`, see [`Router::handle`]; without one, nothing happens.
    pub fn handle(&mut self, now: Time, slot: Slot, event: Event, out: &mut Vec<(Slot, Action)>) {
        self.change(slot, out, |router, actions| router.handle(now, event, actions));
    }

    /// Takes up a changed configuration of the router in `slot`, see [`Router::reconfigure`].
    pub fn reconfigure(
        &mut self,
        now: Time,
        slot: Slot,
        change: Reconfiguration,
        out: &mut Vec<(Slot, Action)>,
    ) {
        self.change(slot, out, |router, actions| router.reconfigure(now, change, actions));
    }

    fn change(
        &mut self,
        slot: Slot,
        out: &mut Vec<(Slot, Action)>,
        change: impl FnOnce(&mut Router, &mut Vec<Action>),
    ) {
        let Some(router) = self.routers.get_mut(slot) else { return };
        let before = router.next_deadline();
        change(router, &mut self.scratch);
        let after = router.next_deadline();
        if before != after {
            self.deadlines.set(slot, after);
        }
        out.extend(self.scratch.drain(..).map(|action| (slot, action)));
    }

    /// Tells whether no router runs or has anything left to do, see [`Router::is_idle`].
    pub fn is_idle(&self) -> bool {
        self.routers.values().all(Router::is_idle)
    }

    /// Returns when the next router is due.
    pub fn next_deadline(&self) -> Option<Time> {
        self.deadlines.first().map(|(at, _)| at)
    }

    /// Returns the router that has been due longest, if one is.
    pub fn due(&self, now: Time) -> Option<Slot> {
        self.deadlines.first().filter(|(at, _)| *at <= now).map(|(_, slot)| slot)
    }
}
