//! Virtual addresses and virtual MACs: who owns them, and their traffic.

use hadp_common::{
    addr::Address,
    router::{ROUTER_EXACT, ROUTER_NO_ACCEPT, ROUTER_VMAC, Router},
    stats::{Counter, DropReason},
    table::{PROBES, vip_index},
    vip::{VIPS_LEN, Vip},
};

use crate::{
    Verdict,
    ctx::Mac,
    key,
    maps::{ROUTERS, VIPS},
    parse::{Frame, Ipv4},
    settings::{InForce, now_ns},
    stats::count,
};

/// Decides on an IPv4 packet that is not an advert: to a virtual MAC, to a virtual address, or neither.
#[inline(always)]
pub(crate) fn traffic(frame: &Frame, ip: Ipv4, settings: InForce) -> Result<Verdict, DropReason> {
    let to = frame.header.mac::<0, 4>();
    if to.high == VMAC_HIGH {
        virtual_mac(frame, to, settings)?;
    }
    let Some(vip) = find(frame, ip.destination(), settings) else { return Ok(Verdict::Pass) };
    let Some(router) = Owner::of(vip.slot) else { return Ok(Verdict::Pass) };
    if !router.admits(settings) {
        return Err(DropReason::VipNotOwner);
    }
    if router.flags() & ROUTER_NO_ACCEPT != 0 {
        return Err(DropReason::VipNotAccepted);
    }
    count(Counter::VipAdmitted);
    Ok(Verdict::Pass)
}

/// The first four octets of every virtual MAC (RFC 9568 §7.3), as loaded.
const VMAC_HIGH: u32 = u32::from_ne_bytes([0x00, 0x00, 0x5e, 0x00]);

/// Handles a frame to a virtual MAC: the owner makes it its interface's own, another node drops it (RFC 9568 §6.4.2).
///
/// Frames to MACs of virtual routers that are not configured here, or do not use theirs, are left alone.
#[inline(always)]
fn virtual_mac(frame: &Frame, to: Mac, settings: InForce) -> Result<(), DropReason> {
    let [family, vrid] = to.low.to_ne_bytes();
    if family != 1 || frame.vlans != 0 {
        return Ok(());
    }
    let Some(key) = key::find(frame.ifindex, vrid, settings) else { return Ok(()) };
    let Some(router) = Owner::of(key.slot) else { return Ok(()) };
    if router.flags() & ROUTER_VMAC == 0 {
        return Ok(());
    }
    if !router.admits(settings) {
        return Err(DropReason::VmacNotOwner);
    }
    frame.header.set_mac::<0, 4>(router.link_mac());
    count(Counter::VmacRewritten);
    Ok(())
}

/// Finds the entry of an IPv4 address on the frame's interface and VLAN.
#[inline(always)]
pub(crate) fn find(frame: &Frame, addr: u32, settings: InForce) -> Option<&'static Vip> {
    let wanted = Address::from_v4_word(addr);
    let first = vip_index(wanted.words(), frame.ifindex, frame.vlans, settings.seed, VIPS_LEN);
    for probe in 0..PROBES {
        let vip = VIPS.get(settings.half * VIPS_LEN + ((first + probe) & (VIPS_LEN - 1)))?;
        if vip.ifindex == 0 {
            return None;
        }
        let vlans = (u32::from(vip.vlans[0]) << 16) | u32::from(vip.vlans[1]);
        if vip.addr.words() == wanted.words() && vip.ifindex == frame.ifindex && vlans == frame.vlans {
            return Some(vip);
        }
    }
    None
}

/// A router, asked whether this node owns it.
#[derive(Clone, Copy)]
pub(crate) struct Owner(*const Router);

impl Owner {
    /// Looks the router of a slot up.
    #[inline(always)]
    pub(crate) fn of(slot: u32) -> Option<Self> {
        ROUTERS.get_ptr(slot).map(Self)
    }

    /// Returns when ownership ends: one load, since the daemon may store at any time.
    #[inline(always)]
    fn lease(self) -> u64 {
        // SAFETY: the pointer is to a map value.
        unsafe { (&raw const (*self.0).lease_until_ns).read_volatile() }
    }

    /// Returns whether this node owns the router at `now`, which is exact.
    #[inline(always)]
    pub(crate) fn owns_at(self, now: u64) -> bool {
        self.lease() > now
    }

    /// Returns whether this node owns the router now, exactly; a lease of 0 costs no clock read.
    #[inline(always)]
    pub(crate) fn owns(self) -> bool {
        let lease = self.lease();
        lease != 0 && lease > now_ns()
    }

    /// Returns whether this node takes the router's traffic: by the tick, which errs towards not owning, except where
    /// the lease is too short for that.
    #[inline(always)]
    fn admits(self, settings: InForce) -> bool {
        if self.flags() & ROUTER_EXACT != 0 { self.owns() } else { self.lease() > settings.tick_time() }
    }

    /// Returns the flags.
    #[inline(always)]
    fn flags(self) -> u32 {
        // SAFETY: the pointer is to a map value.
        unsafe { (*self.0).flags }
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
