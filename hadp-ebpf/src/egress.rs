//! What leaves this node: nothing from a virtual address that it does not own, and with the virtual MAC where the router
//! uses one.

use aya_ebpf::{
    bindings::{TC_ACT_SHOT, TC_ACT_UNSPEC},
    macros::classifier,
    programs::TcContext,
};
use hadp_common::{
    router::ROUTER_VMAC,
    stats::{Counter, DropReason},
    wire::{
        arp::ARP_LEN,
        ether::{ETH_LEN, VLAN_LEN},
        ipv4::IPPROTO_VRRP,
    },
};

use crate::{
    ARP, IPV4, arp,
    ctx::{Mac, Packet},
    owner::Owner,
    parse::{Frame, Ipv4},
    settings::InForce,
    stats::{count, count_drop},
    vip,
};

/// The verdict table of what leaves. What is not dropped goes to the programs after this one.
///
/// A packet is read in place but written by a helper: before a classifier that writes in place, the kernel makes every
/// clone writable, and TCP sends clones only.
#[classifier]
fn hadp_egress(ctx: TcContext) -> i32 {
    match verdict(&ctx) {
        Ok(()) => TC_ACT_UNSPEC,
        Err(reason) => {
            count_drop(reason);
            TC_ACT_SHOT
        }
    }
}

/// How many octets the longest headers take that a verdict needs: ARP behind two tags.
const HEADERS: usize = ETH_LEN + 2 * VLAN_LEN + ARP_LEN;

/// Decides on a frame by its protocol.
#[inline(always)]
fn verdict(ctx: &TcContext) -> Result<(), DropReason> {
    let mut packet = Packet::leaving(ctx);
    if packet.window::<HEADERS>(0).is_none() && packet.len() < ctx.len() as usize {
        // Headers may be paged out, as of what a process sends as whole frames from a mapped ring.
        if ctx.pull_data(ctx.len().min(HEADERS as u32)).is_err() {
            return Ok(());
        }
        packet = Packet::leaving(ctx);
    }
    let Some(frame) = frame(ctx, packet) else { return Ok(()) };
    let Some(settings) = InForce::read() else { return Ok(()) };
    match frame.ethertype {
        IPV4 => match Ipv4::parse(&frame) {
            // Adverts tell who owns; they do not depend on it.
            Some(ip) if ip.protocol() != IPPROTO_VRRP => traffic(ctx, &frame, ip, settings),
            Some(_) | None => Ok(()),
        },
        ARP => claim(ctx, &frame, settings),
        _ => Ok(()),
    }
}

/// Parses the headers; the tag of a VLAN interface is beside the frame until the driver puts it in.
#[inline(always)]
fn frame(ctx: &TcContext, packet: Packet) -> Option<Frame> {
    let mut frame = Frame::parse(packet)?;
    // SAFETY: the context is the running program's own.
    let (tagged, control) = unsafe { ((*ctx.skb.skb).vlan_present, (*ctx.skb.skb).vlan_tci) };
    let outer = control & 0x0fff;
    if tagged != 0 && outer != 0 {
        if frame.vlans & 0xffff != 0 {
            return None; // three tags
        }
        frame.vlans = (outer << 16) | (frame.vlans >> 16);
    }
    Some(frame)
}

/// Decides on an IPv4 packet: from a virtual address it leaves only while this node owns that, or did a moment ago.
#[inline(always)]
fn traffic(ctx: &TcContext, frame: &Frame, ip: Ipv4, settings: InForce) -> Result<(), DropReason> {
    let Some(vip) = vip::find(frame, ip.source(), settings) else { return Ok(()) };
    let Some(router) = Owner::of(vip.slot) else { return Ok(()) };
    if !router.holds(settings) {
        // In a drain the virtual MAC is the successor's already: the frame keeps the interface's own.
        return if router.drains() { Ok(()) } else { Err(DropReason::EgressNotOwner) };
    }
    let mac = router.mac();
    if router.flags() & ROUTER_VMAC != 0 && frame.header.mac::<6, 10>() != mac {
        set_mac(ctx, SOURCE, mac);
        count(Counter::VmacSent);
    }
    Ok(())
}

/// Decides on an ARP message: whoever sends one from a virtual address claims it (RFC 5227 §2.3), which only its owner may.
#[inline(always)]
fn claim(ctx: &TcContext, frame: &Frame, settings: InForce) -> Result<(), DropReason> {
    let Some(arp) = arp::Message::parse(frame) else { return Ok(()) };
    let Some(vip) = vip::find(frame, arp.sender, settings) else { return Ok(()) };
    let Some(router) = Owner::of(vip.slot) else { return Ok(()) };
    if !router.owns() {
        return Err(DropReason::ArpClaimNotOwner);
    }
    let mac = router.mac();
    if router.flags() & ROUTER_VMAC != 0 && (arp.sender_mac != mac || frame.header.mac::<6, 10>() != mac) {
        let sender = frame.payload + SENDER_MAC;
        set_mac(ctx, SOURCE, mac);
        set_mac(ctx, sender, mac);
        count(Counter::VmacSent);
    }
    Ok(())
}

/// Where a frame has its source MAC.
const SOURCE: usize = 6;
/// Where an ARP message has its sender's MAC.
const SENDER_MAC: usize = 8;

/// Overwrites a MAC address; what was read of the packet before is not valid any more.
#[inline(always)]
fn set_mac(ctx: &TcContext, at: usize, mac: Mac) {
    // It fails only beyond the end of the frame, which has been read that far.
    let _ = ctx.store(at, &mac.octets(), 0);
}
