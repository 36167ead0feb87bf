//! VRRP adverts through the XDP program: why they are dropped, what is recorded, what is told.
#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test fails by panicking")]

mod heard;
mod refused;

use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr},
};

use hadp::{
    datapath::{Datapath, EventRecord, Plan, PlannedRouter},
    model::Family,
    proto::AddressList,
    units::{Centis, Time},
};
use hadp_common::{
    addr::Address,
    key::UnicastPeer,
    peer::{ADDRESSES_SEED, fold_address},
    router::virtual_mac,
    stats::{Counter, DropReason},
    wire::{
        checksum,
        vrrp::{Advert, Body, ChecksumMode, GROUP_V4},
    },
};
use hadp_tests::checks::seal;
use hadp_tests::prog::{
    Action, Arp, Frame, Ip, Outcome, PEER_MAC, Runner,
    plans::{OWN, router, slot, v2_router, vmac_router},
    v2, v3,
};

const PEER: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 2);
const OTHER: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 3);
const VIP: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 100);
const PASSWORD: [u8; 8] = *b"secret\0\0";
/// The address of a router that accepts no packets.
const CLOSED: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 150);

/// Slot 0: v3, VRID 10, one VIP. Slot 1: v2 with a password, VRID 20. Slot 2: unicast v3 with one sender at any distance
/// of at most 5 hops, VRID 30. Slot 3: v3 with its virtual MAC, VRID 40.
fn runner() -> Runner {
    let mut runner = Runner::new().unwrap();
    let mut first = router(0, 10, &[VIP]);
    first.advert.addresses_hash = fold_address(ADDRESSES_SEED, u32::from_ne_bytes(VIP.octets()));
    let mut unicast = router(2, 30, &[]);
    unicast.advert.group = None;
    unicast.advert.min_ttl = 1;
    unicast.advert.senders =
        vec![UnicastPeer { addr: Address::from(PEER), min_ttl: 250, max_ttl: 254, reserved: [0; 2] }];
    let second = v2_router(router(1, 20, &[]), 1, Some(PASSWORD));
    let closed = PlannedRouter { accept: false, ..router(4, 50, &[CLOSED]) };
    let routers = vec![first, second, unicast, vmac_router(router(3, 40, &[])), closed];
    runner.apply(&Plan { routers }).unwrap();
    runner.xdp.set_lease(slot(4), Time::from_nanos(u64::MAX));
    runner
}

/// Changes a message and gives it a valid checksum again.
fn edited(mut message: Vec<u8>, edit: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    edit(&mut message);
    seal(&mut message);
    message
}

fn good_v3() -> Vec<u8> {
    v3(PEER, 10, 200, 100, &[VIP])
}

fn good_v2() -> Vec<u8> {
    v2(20, 200, 1, Some(PASSWORD), &[VIP])
}

/// A message for the unicast router; its checksum covers the message alone, so that any destination will do.
fn unicast(src: Ipv4Addr, dst: Ipv4Addr, ttl: u8) -> Ip {
    let message = edited(v3(PEER, 30, 200, 100, &[VIP]), |_| ());
    Ip { dst, ttl, ..Ip::vrrp(src, message) }
}

fn vrrp(message: Vec<u8>) -> Vec<u8> {
    Frame::ip(&Ip::vrrp(PEER, message)).octets()
}

/// The frame of a datagram, with the lowest bit of one octet flipped.
fn flipped(ip: &Ip, at: usize) -> Vec<u8> {
    let mut frame = Frame::ip(ip).octets();
    frame[at] ^= 1;
    frame
}
