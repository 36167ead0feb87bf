//! Putting a configuration in force.

use std::{mem::offset_of, sync::atomic::Ordering, time::Duration};

use bytemuck::Pod;
use hadp_common::{
    key::{ADVERT_KEYS_LEN, UnicastPeer, UnicastPeers},
    router::{MAX_ROUTERS, ROUTER_EXACT, ROUTER_NO_ACCEPT, ROUTER_NO_YIELD, ROUTER_VMAC, Router},
    settings::Settings,
    vip::VIPS_LEN,
};

use super::{election::DRAIN, mapped::MappedArray, open::Xdp};
use crate::{
    datapath::{Plan, PlanError, PlannedRouter, tables::Tables},
    units::Time,
};

impl Xdp {
    /// Puts a whole configuration in force at once; leases of slots that stay are untouched.
    ///
    /// Fills the halves that are not in force, sets up the slots, and switches with one store.
    ///
    /// A slot that goes to another router loses its lease first. Its senders are forgotten after the switch, when no more
    /// adverts of its former router can be recorded.
    ///
    /// # Errors
    ///
    /// When the plan does not fit the tables; nothing has changed then.
    pub fn apply(&mut self, plan: &Plan) -> Result<(), PlanError> {
        let tables = Tables::build(plan)?;
        let leaving = self.leaving(plan);
        for slot in &leaving {
            self.election.store_lease(*slot, Time::ZERO);
        }
        let arriving: Vec<u32> = plan.routers.iter().filter_map(|router| self.write_router(router)).collect();
        self.switch(&tables);
        for slot in &leaving {
            if !arriving.contains(slot) {
                self.free(*slot);
            }
        }
        for slot in leaving.iter().chain(&arriving) {
            self.election.clear_peers(*slot);
        }
        Ok(())
    }
}

// `half` and `seed` share a word: one store switches.
const _: () = assert!(
    offset_of!(Settings, half) % 8 == 0 && offset_of!(Settings, seed) == offset_of!(Settings, half) + 4
);

impl Xdp {
    /// Compares the adverts for a router with this plan from now on, before it is in force.
    pub fn expect(&self, router: &PlannedRouter) {
        self.election.fingerprints.set(router.slot, router.advert.addresses_hash);
    }

    /// Returns the slots in use whose router the plan does not keep there.
    fn leaving(&self, plan: &Plan) -> Vec<u32> {
        let stays = |slot: u32, now: &Router| {
            plan.routers
                .iter()
                .any(|router| router.slot.index() == slot && identity(&planned(router, 0)) == identity(now))
        };
        let in_use = (0..MAX_ROUTERS).filter_map(|slot| Some((slot, self.maps.routers.load(slot)?)));
        in_use.filter(|(slot, now)| now.ifindex != 0 && !stays(*slot, now)).map(|(slot, _)| slot).collect()
    }

    /// Writes a router into its slot, all but the lease and the drain, and returns the slot if it is new there.
    fn write_router(&self, router: &PlannedRouter) -> Option<u32> {
        let slot = router.slot.index();
        let entry = self.maps.routers.entry(slot)?;
        let now: Router = entry.load();
        let tick_ns = self.maps.settings.load(0).map_or(0, |settings| settings.tick_ns);
        let mut next = planned(router, tick_ns);
        let is_new = identity(&now) != identity(&next);
        next.generation = now.generation.wrapping_add(u32::from(is_new));
        if is_new {
            self.election.store_lease(slot, Time::ZERO);
            entry.set_word(DRAIN, 0, Ordering::Release);
        }
        entry.store_from(DRAIN + 1, &next);
        self.election.fingerprints.set(router.slot, router.advert.addresses_hash);
        self.maps.unicast_peers.store(slot, &senders(router));
        is_new.then_some(slot)
    }

    /// Fills the halves not in force and puts them in force with one store.
    fn switch(&self, tables: &Tables) {
        let Some(entry) = self.maps.settings.entry(0) else { return };
        let mut settings: Settings = entry.load();
        settings.half = (settings.half & 1) ^ 1;
        settings.seed = tables.seed;
        fill(&self.maps.advert_keys, settings.half * ADVERT_KEYS_LEN, &tables.keys);
        fill(&self.maps.vips, settings.half * VIPS_LEN, &tables.vips);
        std::sync::atomic::fence(Ordering::Release);
        entry.store(&settings); // all words but that of `half` and `seed` are what they were
    }

    /// Zeroes the slot of a router that left; its generation stays, so that a later occupant is told apart.
    fn free(&self, slot: u32) {
        let Some(entry) = self.maps.routers.entry(slot) else { return };
        let now: Router = entry.load();
        entry.set_word(DRAIN, 0, Ordering::Release);
        entry.store_from(DRAIN + 1, &Router { generation: now.generation, ..Router::default() });
        self.maps.unicast_peers.store(slot, &UnicastPeers::default());
    }
}

/// Stores one half of a table.
fn fill<T: Pod>(map: &MappedArray<T>, first: u32, half: &[T]) {
    for (index, entry) in (first..).zip(half) {
        map.store(index, entry);
    }
}

/// How many ticks a lease must have left when it is renewed, for traffic to be admitted by the tick. The time of a tick
/// may be two ticks ahead; the rest is for a renewal that comes late.
const TICKS_LEFT: u32 = 4;

/// Returns a router's value, without lease, drain and generation.
fn planned(router: &PlannedRouter, tick_ns: u64) -> Router {
    let virtual_mac = if router.virtual_mac { ROUTER_VMAC } else { 0 };
    let no_accept = if router.accept { 0 } else { ROUTER_NO_ACCEPT };
    let short = router.lease_left < TICKS_LEFT * Duration::from_nanos(tick_ns);
    let exact = if short { ROUTER_EXACT } else { 0 };
    Router {
        flags: virtual_mac | no_accept | exact | if router.yields { 0 } else { ROUTER_NO_YIELD },
        guard: router.guard,
        priority: router.priority.get(),
        ifindex: router.ifindex,
        mac: router.mac,
        link_mac: router.link_mac,
        vrid: router.vrid.get(),
        family: router.family as u8,
        ..Router::default()
    }
}

/// Returns what makes a router that router.
fn identity(router: &Router) -> (u32, u8, u8) {
    (router.ifindex, router.vrid, router.family)
}

/// Returns the senders that a router names.
fn senders(router: &PlannedRouter) -> UnicastPeers {
    let mut senders = UnicastPeers::default();
    for (to, from) in senders.peers.iter_mut().zip(&router.advert.senders) {
        *to = UnicastPeer { ..*from };
    }
    senders
}
