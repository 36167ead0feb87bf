//! The kernel half of hadp: an XDP program that hears VRRP adverts and BFD packets, answers ARP for the virtual addresses
//! this node owns, and keeps their traffic out where it does not; and a classifier that keeps the kernel from sending from
//! those.
//!
//! Whatever is not positively recognised is passed: a mistake here must never cut a machine off.
#![no_std]
#![no_main]

mod arp;
mod bfd;
mod clock;
mod ctx;
mod egress;
mod event;
mod ipv6;
mod key;
mod maps;
mod neighbor;
mod owner;
mod parse;
mod peer;
mod settings;
mod stats;
mod vip;
mod vrrp;

use aya_ebpf::{bindings::xdp_action, macros::xdp, programs::XdpContext};
use hadp_common::{
    stats::DropReason,
    wire::{
        ether::{ETHERTYPE_ARP, ETHERTYPE_IPV4, ETHERTYPE_IPV6},
        ipv4::IPPROTO_VRRP,
    },
};

use crate::{
    bfd::Reception,
    ctx::Packet,
    parse::{Frame, Ipv4},
    settings::InForce,
};

/// What becomes of a packet that is not dropped.
enum Verdict {
    /// The kernel gets it.
    Pass,
    /// It goes back out where it came in.
    Transmit,
}

/// The verdict table.
#[xdp]
fn hadp(ctx: XdpContext) -> u32 {
    match verdict(Packet::new(&ctx)) {
        Ok(Verdict::Pass) => xdp_action::XDP_PASS,
        Ok(Verdict::Transmit) => xdp_action::XDP_TX,
        Err(reason) => {
            stats::count_drop(reason);
            xdp_action::XDP_DROP
        }
    }
}

/// EtherTypes as loaded.
const ARP: u16 = ETHERTYPE_ARP.to_be();
const IPV4: u16 = ETHERTYPE_IPV4.to_be();
const IPV6: u16 = ETHERTYPE_IPV6.to_be();

/// Decides on a packet by its protocol.
#[inline(always)]
fn verdict(packet: Packet) -> Result<Verdict, DropReason> {
    let Some(frame) = Frame::parse(packet) else { return Ok(Verdict::Pass) };
    let Some(settings) = InForce::read() else { return Ok(Verdict::Pass) };
    match frame.ethertype {
        IPV4 => match Ipv4::parse(&frame) {
            Some(ip) if ip.protocol() == IPPROTO_VRRP => vrrp::verdict(&frame, ip, settings),
            Some(ip) => match bfd::over_ipv4(&frame, ip)? {
                Reception::Ours => Ok(Verdict::Pass),
                Reception::NotOurs => vip::traffic(&frame, ip, settings),
            },
            None => Ok(Verdict::Pass),
        },
        ARP => arp::verdict(&frame, settings),
        IPV6 => bfd::over_ipv6(&frame).map(|_| Verdict::Pass),
        _ => Ok(Verdict::Pass),
    }
}

#[cfg(not(test))]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    loop {}
}

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
