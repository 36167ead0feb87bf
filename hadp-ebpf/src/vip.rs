//! Traffic to virtual addresses and virtual MACs.

use hadp_common::{
    addr::Address,
    router::{ROUTER_NO_ACCEPT, ROUTER_VMAC},
    stats::{Counter, DropReason},
    table::{PROBES, vip_index},
    vip::{VIPS_LEN, Vip},
};

use crate::{
    Verdict,
    ctx::Mac,
    key,
    maps::VIPS,
    owner::Owner,
    parse::{Frame, Ipv4},
    settings::InForce,
    stats::count,
};

/// Decides on an IPv4 packet that is not an advert: to a virtual MAC, to a virtual address, or neither.
#[inline(always)]
pub(crate) fn traffic(frame: &Frame, ip: Ipv4, settings: InForce) -> Result<Verdict, DropReason> {
    to_virtual_mac(frame, settings)?;
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

/// Handles a frame, should it be to a virtual MAC: the owner makes it its interface's own, another node drops it (RFC 9568 §6.4.2).
///
/// Frames to MACs of virtual routers that are not configured here, or do not use theirs, are left alone.
#[inline(always)]
pub(crate) fn to_virtual_mac(frame: &Frame, settings: InForce) -> Result<(), DropReason> {
    let to = frame.header.mac::<0, 4>();
    if to.high == VMAC_HIGH { virtual_mac(frame, to, settings) } else { Ok(()) }
}

/// Handles a frame whose destination begins like a virtual MAC.
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
