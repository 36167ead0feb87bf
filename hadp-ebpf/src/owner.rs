//! Who owns what: leases, the guards that limit them, and the drains behind them.

use core::ptr::{read_volatile, write_volatile};

use hadp_common::{
    router::{DRAIN_NS, GUARD_ENDED, LEASE_RESIGNED, ROUTER_EXACT, Router},
    stats::Counter,
};

use crate::{
    ctx::Mac,
    maps::{BFD_GUARDS, GUARDS, ROUTERS},
    settings::{InForce, now_ns},
    stats::count,
};

/// Ends the guards of a session whose neighbour has given this node up, and with them what their routers own.
#[inline(never)]
pub(crate) fn end_guards(session: u32) {
    let Some(guards) = BFD_GUARDS.get_ptr(session) else { return };
    // SAFETY: the pointer is to a map value; volatile, since the daemon may store at any time.
    let guards = unsafe { read_volatile(guards) };
    if guards == 0 {
        return;
    }
    for guard in guards.to_ne_bytes() {
        // Entry 0, which stands for none, limits nothing.
        if let Some(until) = GUARDS.get_ptr_mut(u32::from(guard)) {
            // SAFETY: the pointer is to a map value; one store. The daemon renews by compare-and-exchange that leaves
            // this value alone.
            unsafe { write_volatile(until, GUARD_ENDED) };
        }
    }
    count(Counter::GuardEnded);
}

/// A router, asked whether this node owns it.
#[derive(Clone, Copy)]
pub(crate) struct Owner(*mut Router);

impl Owner {
    /// Looks the router of a slot up.
    #[inline(always)]
    pub(crate) fn of(slot: u32) -> Option<Self> {
        ROUTERS.get_ptr_mut(slot).map(Self)
    }

    /// Returns whether this node owns the router now, exactly; a lease of 0 costs no clock read.
    #[inline(always)]
    pub(crate) fn owns(self) -> bool {
        let lease = self.lease();
        if lease == 0 {
            return false;
        }
        let now = now_ns();
        lease > now && self.is_guarded_at(now)
    }

    /// Returns whether this node owns the router: by the tick, which errs towards not owning, except where the lease is
    /// too short for that or a guard limits it.
    #[inline(always)]
    pub(crate) fn holds(self, settings: InForce) -> bool {
        if self.flags() & ROUTER_EXACT != 0 || self.guard() != 0 {
            self.owns()
        } else {
            self.lease() > settings.tick_time()
        }
    }

    /// Returns whether this node takes the router's traffic: as its owner, or because it was until a moment ago.
    #[inline(always)]
    pub(crate) fn admits(self, settings: InForce) -> bool {
        self.holds(settings) || self.drains()
    }

    /// Returns whether ownership ended so recently that traffic may still be under way.
    #[inline(always)]
    pub(crate) fn drains(self) -> bool {
        // SAFETY: the pointer is to a map value; one load, since the daemon may store at any time.
        let until = unsafe { read_volatile(&raw const (*self.0).drain_until_ns) };
        until != 0 && until > now_ns()
    }

    /// Returns whether the lease runs at `now`, whatever its guard says.
    #[inline(always)]
    pub(crate) fn is_leased_at(self, now: u64) -> bool {
        self.lease() > now
    }

    /// Ends ownership at `now`. The lease goes before the drain comes, so that at no instant both are there; where the
    /// guard had lapsed, nothing was owned that could drain.
    #[inline(always)]
    pub(crate) fn revoke(self, now: u64) {
        let until = if self.is_guarded_at(now) { now + DRAIN_NS } else { 0 };
        // SAFETY: the pointer is to a map value. Two aligned words, each stored whole; volatile keeps their order. The
        // daemon renews by compare-and-exchange that leaves 0 alone.
        unsafe {
            write_volatile(&raw mut (*self.0).lease_until_ns, 0);
            write_volatile(&raw mut (*self.0).drain_until_ns, until);
        }
    }

    /// Returns when the lease ends: one load, since the daemon may store at any time.
    #[inline(always)]
    fn lease(self) -> u64 {
        // SAFETY: the pointer is to a map value.
        unsafe { read_volatile(&raw const (*self.0).lease_until_ns) }
    }

    /// Returns whether this node has resigned the router, and waits for a successor.
    #[inline(always)]
    pub(crate) fn has_resigned(self) -> bool {
        self.lease() & LEASE_RESIGNED != 0
    }

    /// Returns whether the router's guard, if it has one, lets its lease count at `now`.
    #[inline(always)]
    fn is_guarded_at(self, now: u64) -> bool {
        let guard = self.guard();
        // SAFETY: the pointer is to a map value; one load, since the daemon may store at any time.
        guard == 0 || GUARDS.get_ptr(guard).is_some_and(|until| unsafe { read_volatile(until) } > now)
    }

    #[inline(always)]
    fn guard(self) -> u32 {
        // SAFETY: the pointer is to a map value.
        unsafe { (*self.0).guard }
    }

    /// Returns the flags.
    #[inline(always)]
    pub(crate) fn flags(self) -> u32 {
        // SAFETY: the pointer is to a map value.
        unsafe { (*self.0).flags }
    }

    /// Returns the priority in this node's own adverts.
    #[inline(always)]
    pub(crate) fn priority(self) -> u8 {
        // SAFETY: the pointer is to a map value.
        unsafe { (*self.0).priority }
    }

    /// Returns the MAC that answers for the router.
    #[inline(always)]
    pub(crate) fn mac(self) -> Mac {
        // SAFETY: the pointer is to a map value.
        Mac::new(unsafe { (*self.0).mac })
    }

    /// Returns the interface's own MAC.
    #[inline(always)]
    pub(crate) fn link_mac(self) -> Mac {
        // SAFETY: the pointer is to a map value.
        Mac::new(unsafe { (*self.0).link_mac })
    }
}
