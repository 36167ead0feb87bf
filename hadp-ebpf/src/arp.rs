//! ARP for virtual addresses.

use hadp_common::{
    stats::{Counter, DropReason},
    wire::arp::{ARP_LEN, ARP_PREFIX, ARP_REPLY, ARP_REQUEST},
};

use crate::{
    Verdict,
    ctx::{Mac, Window},
    event,
    owner::Owner,
    parse::Frame,
    settings::InForce,
    stats::count,
    vip,
};

/// Decides on an ARP message: the owner of the address asked for answers, another node keeps silent.
#[inline(always)]
pub(crate) fn verdict(frame: &Frame, settings: InForce) -> Result<Verdict, DropReason> {
    let Some(arp) = Message::parse(frame) else { return Ok(Verdict::Pass) };
    if arp.operation == ARP_REQUEST.to_be() && arp.sender != arp.target {
        if let Some(vip) = vip::find(frame, arp.target, settings) {
            return request(frame, &arp, vip.slot, settings);
        }
    } else if arp.operation != ARP_REQUEST.to_be() && arp.operation != ARP_REPLY.to_be() {
        return Ok(Verdict::Pass);
    }
    claim(frame, &arp, settings);
    // What this node's kernel asked with the virtual MAC is answered there.
    vip::to_virtual_mac(frame, settings)?;
    Ok(Verdict::Pass)
}

/// Decides on a request for the virtual address of a router.
#[inline(always)]
fn request(frame: &Frame, arp: &Message, slot: u32, settings: InForce) -> Result<Verdict, DropReason> {
    let Some(router) = Owner::of(slot) else { return Ok(Verdict::Pass) };
    let mac = router.mac();
    if arp.sender_mac == mac || arp.sender_mac == router.link_mac() {
        return Ok(Verdict::Pass); // our own request, looped back
    }
    if !router.owns() {
        return Err(DropReason::ArpNotOwner);
    }
    if arp.sender == 0 {
        // A probe: somebody is about to use the address (RFC 5227 §2.1.1). The answer stops it.
        event::conflict(frame, slot, arp.target, settings);
    }
    arp.answer(frame, mac);
    count(Counter::ArpAnswered);
    Ok(Verdict::Transmit)
}

/// Reports a sender that claims a virtual address which this node owns: a gratuitous announcement, a reply, or a
/// request from it (RFC 5227 §2.4).
#[inline(always)]
fn claim(frame: &Frame, arp: &Message, settings: InForce) {
    let Some(vip) = vip::find(frame, arp.sender, settings) else { return };
    let Some(router) = Owner::of(vip.slot) else { return };
    if arp.sender_mac != router.mac() && arp.sender_mac != router.link_mac() && router.owns() {
        event::conflict(frame, vip.slot, arp.sender, settings);
    }
}

/// An ARP message for IPv4 over Ethernet; all fields as loaded.
pub(crate) struct Message {
    window: Window<ARP_LEN>,
    operation: u16,
    pub(crate) sender_mac: Mac,
    pub(crate) sender: u32,
    target: u32,
}

impl Message {
    /// Parses the message, or returns `None` if it is not one.
    #[inline(always)]
    pub(crate) fn parse(frame: &Frame) -> Option<Self> {
        let window = frame.packet.window::<ARP_LEN>(frame.payload)?;
        let prefix = Mac::new(ARP_PREFIX);
        if window.u32::<0>() != prefix.high || window.u16::<4>() != prefix.low {
            return None;
        }
        Some(Self {
            window,
            operation: window.u16::<6>(),
            sender_mac: window.mac::<8, 12>(),
            sender: window.u32::<14>(),
            target: window.u32::<24>(),
        })
    }

    /// Turns the request into its answer, in place; VLAN tags stay.
    #[inline(always)]
    fn answer(&self, frame: &Frame, mac: Mac) {
        frame.header.set_mac::<0, 4>(self.sender_mac);
        frame.header.set_mac::<6, 10>(mac);
        self.window.set_u16::<6>(ARP_REPLY.to_be());
        self.window.set_mac::<8, 12>(mac);
        self.window.set_u32::<14>(self.target);
        self.window.set_mac::<18, 22>(self.sender_mac);
        self.window.set_u32::<24>(self.sender);
    }
}
