//! Traffic to virtual addresses and virtual MACs through the XDP program.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{net::Ipv4Addr, time::Duration};

use hadp::{
    datapath::{Datapath, Plan},
    model::Family,
    units::Time,
};
use hadp_common::{
    router::{ROUTER_EXACT, virtual_mac},
    stats::{Counter, DropReason},
};
use hadp_tests::prog::{
    Action, Frame, Ip, Runner,
    plans::{OWN_MAC, router, slot, vmac_router},
};
use nix::time::{ClockId, clock_gettime};

const CLIENT: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 9);
const ELSEWHERE: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
const OWNED: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 100);
const NOT_OWNED: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 101);

/// Slots 0 (VRID 10) and 1 (VRID 11) use their virtual MACs; slot 2 (VRID 12) does not. Slots 0 and 2 are owned.
fn runner() -> Runner {
    let mut runner = Runner::new().unwrap();
    let routers = vec![
        vmac_router(router(0, 10, &[OWNED])),
        vmac_router(router(1, 11, &[NOT_OWNED])),
        router(2, 12, &[Ipv4Addr::new(10, 77, 0, 102)]),
    ];
    runner.apply(&Plan { routers }).unwrap();
    runner.xdp.set_lease(slot(0), Time::from_nanos(u64::MAX));
    runner.xdp.set_lease(slot(2), Time::from_nanos(u64::MAX));
    runner
}

#[test]
fn packets_by_destination() {
    let udp = |dst| Ip::udp(CLIENT, dst);
    let frame = |ip: Ip| Frame::ip(&ip);
    let vmac = |vrid| virtual_mac(Family::V4, vrid);
    let with_options = |dst, words: usize| frame(Ip { options: vec![1; 4 * words], ..udp(dst) });
    let mut not_ip = frame(udp(NOT_OWNED));
    not_ip.payload[0] = 0x65;
    let mut short_header = frame(udp(NOT_OWNED));
    short_header.payload[0] = 0x44;
    let mut cut = frame(udp(NOT_OWNED));
    cut.payload.truncate(19);
    let mut ipv6 = frame(udp(NOT_OWNED));
    ipv6.ethertype = 0x86dd;
    // Name, frame, drop reason or destination MAC afterwards, counters.
    type Row = (&'static str, Frame, Result<[u8; 6], DropReason>, &'static [Counter]);
    let rows: Vec<Row> = vec![
        ("to an owned address", frame(udp(OWNED)), Ok(OWN_MAC), &[Counter::VipAdmitted]),
        ("to an address not owned", frame(udp(NOT_OWNED)), Err(DropReason::VipNotOwner), &[]),
        ("to another address", frame(udp(ELSEWHERE)), Ok(OWN_MAC), &[]),
        ("from an address not owned", frame(Ip::udp(NOT_OWNED, ELSEWHERE)), Ok(OWN_MAC), &[]),
        ("longest header, owned", with_options(OWNED, 10), Ok(OWN_MAC), &[Counter::VipAdmitted]),
        ("longest header, not owned", with_options(NOT_OWNED, 10), Err(DropReason::VipNotOwner), &[]),
        (
            "first fragment",
            frame(Ip { fragment: 0x2000, ..udp(NOT_OWNED) }),
            Err(DropReason::VipNotOwner),
            &[],
        ),
        ("later fragment", frame(Ip { fragment: 100, ..udp(NOT_OWNED) }), Err(DropReason::VipNotOwner), &[]),
        (
            "later fragment, owned",
            frame(Ip { fragment: 100, ..udp(OWNED) }),
            Ok(OWN_MAC),
            &[Counter::VipAdmitted],
        ),
        ("tagged", frame(udp(NOT_OWNED)).tagged(&[7]), Ok(OWN_MAC), &[]),
        ("priority tag", frame(udp(NOT_OWNED)).tagged(&[0]), Err(DropReason::VipNotOwner), &[]),
        ("version 6 in an IPv4 frame", not_ip, Ok(OWN_MAC), &[]),
        ("header length 4", short_header, Ok(OWN_MAC), &[]),
        ("19 octets", cut, Ok(OWN_MAC), &[]),
        ("IPv6", ipv6, Ok(OWN_MAC), &[]),
        (
            "to an owned virtual MAC",
            frame(udp(ELSEWHERE)).to(vmac(10)),
            Ok(OWN_MAC),
            &[Counter::VmacRewritten],
        ),
        (
            "to an owned virtual MAC and address",
            frame(udp(OWNED)).to(vmac(10)),
            Ok(OWN_MAC),
            &[Counter::VipAdmitted, Counter::VmacRewritten],
        ),
        (
            "to an owned virtual MAC, address not owned",
            frame(udp(NOT_OWNED)).to(vmac(10)),
            Err(DropReason::VipNotOwner),
            &[Counter::VmacRewritten],
        ),
        (
            "to a virtual MAC not owned",
            frame(udp(ELSEWHERE)).to(vmac(11)),
            Err(DropReason::VmacNotOwner),
            &[],
        ),
        ("to a virtual MAC not used", frame(udp(ELSEWHERE)).to(vmac(12)), Ok(vmac(12)), &[]),
        ("to a virtual MAC of another network", frame(udp(ELSEWHERE)).to(vmac(99)), Ok(vmac(99)), &[]),
        (
            "to a virtual MAC of IPv6",
            frame(udp(ELSEWHERE)).to(virtual_mac(Family::V6, 11)),
            Ok(virtual_mac(Family::V6, 11)),
            &[],
        ),
        ("to a virtual MAC, tagged", frame(udp(ELSEWHERE)).to(vmac(11)).tagged(&[7]), Ok(vmac(11)), &[]),
    ];
    let mut runner = runner();
    for (name, packet, expected, counted) in rows {
        let outcome = runner.run(&packet.octets()).unwrap();
        let action = if expected.is_ok() { Action::Pass } else { Action::Drop };
        assert_eq!((outcome.action, outcome.dropped.first().copied()), (action, expected.err()), "{name}");
        assert_eq!(outcome.counted, counted, "{name}");
        if let Ok(mac) = expected {
            assert_eq!(outcome.packet, packet.to(mac).octets(), "{name}");
        }
        assert_eq!(outcome.events, [], "{name}");
    }
}

/// No frame, however short or odd, is dropped or changed unless it was recognised.
#[test]
fn whatever_is_not_recognised_passes() {
    let mut runner = runner();
    let whole = Frame::ip(&Ip::udp(CLIENT, NOT_OWNED)).tagged(&[0, 0]).octets();
    for len in 14..22 + 20 {
        let outcome = runner.run(&whole[..len]).unwrap();
        assert_eq!((outcome.action, &outcome.packet[..]), (Action::Pass, &whole[..len]), "{len} octets");
    }
    for ethertype in [0u16, 0x0805, 0x0807, 0x0801, 0x88cc, 0x88f7, 0x9100, 0xffff] {
        let mut packet = whole.clone();
        packet[12..14].copy_from_slice(&ethertype.to_be_bytes());
        assert_eq!(runner.run(&packet).unwrap().action, Action::Pass, "EtherType {ethertype:#x}");
    }
}

fn now() -> Time {
    let now = Duration::from(clock_gettime(ClockId::CLOCK_MONOTONIC).unwrap());
    Time::from_nanos(u64::try_from(now.as_nanos()).unwrap())
}

/// By the tick, ownership may end up to two ticks early but never late; with ROUTER_EXACT it does neither.
#[test]
fn the_lease_ends_by_the_tick_or_exactly() {
    let mut runner = runner();
    let packet = Frame::ip(&Ip::udp(CLIENT, OWNED)).octets();
    let tick = Duration::from(nix::time::clock_getres(ClockId::CLOCK_MONOTONIC_COARSE).unwrap());
    for _ in 0..1_000 {
        runner.xdp.set_lease(slot(0), now());
        assert_eq!(runner.run(&packet).unwrap().action, Action::Drop, "late");
    }
    runner.xdp.set_lease(slot(0), now() + tick * 10);
    assert_eq!(runner.run(&packet).unwrap().action, Action::Pass);

    let mut router = runner.router(0).unwrap();
    router.flags |= ROUTER_EXACT;
    runner.set_router(0, router).unwrap();
    let mut admitted = 0;
    for _ in 0..1_000 {
        runner.xdp.set_lease(slot(0), now() + tick / 2);
        admitted += u32::from(runner.run(&packet).unwrap().action == Action::Pass);
        runner.xdp.set_lease(slot(0), now());
        assert_eq!(runner.run(&packet).unwrap().action, Action::Drop, "late, exactly");
    }
    assert!(admitted > 500, "half a tick of lease admitted {admitted} of 1000 packets");
}
