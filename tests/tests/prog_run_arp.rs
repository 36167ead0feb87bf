//! ARP through the XDP program: who answers, who keeps silent, who complains.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::Ipv4Addr;

use hadp::{
    datapath::{Datapath, EventRecord, Plan},
    model::Family,
    units::Time,
};
use hadp_common::{
    router::virtual_mac,
    stats::{Counter, DropReason},
    vip::Vip,
    wire::arp::{ARP_REPLY, ARP_REQUEST},
};
use hadp_tests::prog::{
    Action, Arp, Frame, PEER_MAC, Runner,
    plans::{OWN_MAC, router, slot, vmac_router},
};
use nix::time::{ClockId, clock_gettime};

const CLIENT: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 9);
const OWNED: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 100);
const OWNED_VMAC: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 101);
const NOT_OWNED: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 102);
const NO_VIP: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 103);
const VMAC: [u8; 6] = virtual_mac(Family::V4, 11);

fn now() -> Time {
    let now = std::time::Duration::from(clock_gettime(ClockId::CLOCK_MONOTONIC).unwrap());
    Time::from_nanos(u64::try_from(now.as_nanos()).unwrap())
}

/// Slot 0 owns `OWNED` and answers with the interface's MAC, slot 1 owns `OWNED_VMAC` and answers with its virtual one,
/// slot 2 does not own `NOT_OWNED`.
fn runner() -> Runner {
    let mut runner = Runner::new().unwrap();
    let routers =
        vec![router(0, 10, &[OWNED]), vmac_router(router(1, 11, &[OWNED_VMAC])), router(2, 12, &[NOT_OWNED])];
    runner.apply(&Plan { routers }).unwrap();
    runner.xdp.set_lease(slot(0), Time::from_nanos(u64::MAX));
    runner.xdp.set_lease(slot(1), Time::from_nanos(u64::MAX));
    runner
}

/// The answer of `mac` for `vip`.
fn answer(vip: Ipv4Addr, mac: [u8; 6], to: Ipv4Addr) -> Frame {
    Frame::arp(&Arp { operation: ARP_REPLY, sender_mac: mac, sender: vip, target_mac: PEER_MAC, target: to })
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Told {
    Nothing,
    Conflict(Ipv4Addr),
}

#[test]
fn requests_claims_and_probes() {
    use Told::{Conflict, Nothing};
    let ask = |target| Arp::request(CLIENT, target);
    let frame = |arp| Frame::arp(&arp);
    let garp = |addr, operation| Arp { operation, sender: addr, target: addr, ..ask(addr) };
    let reply =
        |sender, sender_mac| Arp { operation: ARP_REPLY, sender, sender_mac, target: CLIENT, ..ask(CLIENT) };
    let probe = Arp { sender: Ipv4Addr::UNSPECIFIED, ..ask(OWNED) };
    let own = |arp| Arp { sender_mac: OWN_MAC, ..arp };
    let unspecified = Ipv4Addr::UNSPECIFIED;
    let mut short = frame(ask(OWNED));
    short.payload.truncate(27);
    let mut ieee802 = frame(ask(OWNED));
    ieee802.payload[1] = 6;
    let mut reverse = frame(ask(OWNED));
    reverse.payload[7] = 3;
    let tagged = |vlans: &[u16]| frame(ask(OWNED)).tagged(vlans);
    // Name, packet, verdict and packet out where it differs, counters, event.
    type Row = (&'static str, Frame, Result<Option<Frame>, DropReason>, &'static [Counter], Told);
    let rows: Vec<Row> = vec![
        (
            "owned",
            frame(ask(OWNED)),
            Ok(Some(answer(OWNED, OWN_MAC, CLIENT))),
            &[Counter::ArpAnswered],
            Nothing,
        ),
        (
            "owned, virtual MAC",
            frame(ask(OWNED_VMAC)),
            Ok(Some(answer(OWNED_VMAC, VMAC, CLIENT))),
            &[Counter::ArpAnswered],
            Nothing,
        ),
        (
            "owned, asked by unicast",
            frame(ask(OWNED)).to(OWN_MAC),
            Ok(Some(answer(OWNED, OWN_MAC, CLIENT))),
            &[Counter::ArpAnswered],
            Nothing,
        ),
        ("not owned", frame(ask(NOT_OWNED)), Err(DropReason::ArpNotOwner), &[], Nothing),
        ("no virtual address", frame(ask(NO_VIP)), Ok(None), &[], Nothing),
        (
            "priority tag",
            tagged(&[0]),
            Ok(Some(answer(OWNED, OWN_MAC, CLIENT).tagged(&[0]))),
            &[Counter::ArpAnswered],
            Nothing,
        ),
        (
            "two priority tags",
            tagged(&[0, 0]),
            Ok(Some(answer(OWNED, OWN_MAC, CLIENT).tagged(&[0, 0]))),
            &[Counter::ArpAnswered],
            Nothing,
        ),
        (
            "on VLAN 7",
            tagged(&[7]),
            Ok(Some(answer(OWNED, OWN_MAC, CLIENT).tagged(&[7]))),
            &[Counter::ArpAnswered],
            Nothing,
        ),
        (
            "on VLAN 7 behind a priority tag",
            tagged(&[0, 7]),
            Ok(Some(answer(OWNED, OWN_MAC, CLIENT).tagged(&[0, 7]))),
            &[Counter::ArpAnswered],
            Nothing,
        ),
        (
            "on VLAN 8 in 9",
            tagged(&[9, 8]),
            Ok(Some(answer(OWNED, OWN_MAC, CLIENT).tagged(&[9, 8]))),
            &[Counter::ArpAnswered],
            Nothing,
        ),
        ("on VLAN 9 in 8", tagged(&[8, 9]), Ok(None), &[], Nothing),
        ("on VLAN 8", tagged(&[8]), Ok(None), &[], Nothing),
        ("three tags", tagged(&[0, 0, 0]), Ok(None), &[], Nothing),
        (
            "gratuitous request for an owned address",
            frame(garp(OWNED, ARP_REQUEST)),
            Ok(None),
            &[Counter::EventSent, Counter::Conflict],
            Conflict(OWNED),
        ),
        (
            "gratuitous reply for an owned address",
            frame(garp(OWNED, ARP_REPLY)),
            Ok(None),
            &[Counter::EventSent, Counter::Conflict],
            Conflict(OWNED),
        ),
        ("our own gratuitous request", frame(own(garp(OWNED, ARP_REQUEST))), Ok(None), &[], Nothing),
        (
            "gratuitous request for an address not owned",
            frame(garp(NOT_OWNED, ARP_REQUEST)),
            Ok(None),
            &[],
            Nothing,
        ),
        (
            "reply from an owned address",
            frame(reply(OWNED, PEER_MAC)),
            Ok(None),
            &[Counter::EventSent, Counter::Conflict],
            Conflict(OWNED),
        ),
        ("reply with the virtual MAC", frame(reply(OWNED_VMAC, VMAC)), Ok(None), &[], Nothing),
        ("reply with the interface's MAC", frame(reply(OWNED_VMAC, OWN_MAC)), Ok(None), &[], Nothing),
        ("reply from an address not owned", frame(reply(NOT_OWNED, PEER_MAC)), Ok(None), &[], Nothing),
        (
            "request from an owned address",
            frame(Arp { sender: OWNED, ..ask(NO_VIP) }),
            Ok(None),
            &[Counter::EventSent, Counter::Conflict],
            Conflict(OWNED),
        ),
        (
            "probe for an owned address",
            frame(probe),
            Ok(Some(answer(OWNED, OWN_MAC, unspecified))),
            &[Counter::EventSent, Counter::ArpAnswered, Counter::Conflict],
            Conflict(OWNED),
        ),
        ("our own request, looped back", frame(own(ask(OWNED))), Ok(None), &[], Nothing),
        ("our own request for an address not owned", frame(own(ask(NOT_OWNED))), Ok(None), &[], Nothing),
        ("truncated", short, Ok(None), &[], Nothing),
        ("hardware type 6", ieee802, Ok(None), &[], Nothing),
        ("reverse ARP", reverse, Ok(None), &[], Nothing),
    ];
    let mut runner = runner();
    for vlans in [[7, 0], [9, 8]] {
        runner.add_vip(Vip { addr: OWNED.into(), ifindex: 1, vlans, slot: 0, service: 0 }).unwrap();
    }
    for (name, packet, expected, counted, told) in rows {
        runner.lift_limits().unwrap();
        let packet = packet.octets();
        let outcome = runner.run(&packet).unwrap();
        let (action, out) = match &expected {
            Ok(Some(answer)) => (Action::Transmit, answer.octets()),
            Ok(None) => (Action::Pass, packet),
            Err(_) => (Action::Drop, packet),
        };
        assert_eq!((outcome.action, &outcome.packet), (action, &out), "{name}");
        assert_eq!(outcome.dropped.first().copied(), expected.err(), "{name}");
        assert_eq!(outcome.counted, counted, "{name}");
        let conflict = match outcome.events[..] {
            [] => Nothing,
            [
                EventRecord::Conflict {
                    slot: found, addr: std::net::IpAddr::V4(addr), mac, ifindex: 1, ..
                },
            ] => {
                assert_eq!((found, mac), (slot(0), PEER_MAC), "{name}");
                Conflict(addr)
            }
            _ => panic!("{name}: {outcome:?}"),
        };
        assert_eq!(conflict, told, "{name}");
    }
}

/// A kernel that asked with the virtual MAC is answered there, and takes only what is to its interface's own.
#[test]
fn answers_to_the_virtual_mac_are_let_in() {
    let mut runner = runner();
    let reply = Arp {
        operation: ARP_REPLY,
        sender: CLIENT,
        target: OWNED_VMAC,
        target_mac: VMAC,
        ..Arp::request(CLIENT, OWNED_VMAC)
    };
    let packet = Frame::arp(&reply);
    let outcome = runner.run(&packet.octets()).unwrap();
    assert_eq!((outcome.action, &outcome.counted[..]), (Action::Pass, &[Counter::VmacRewritten][..]));
    assert_eq!(outcome.packet, packet.clone().to(OWN_MAC).octets());
    runner.xdp.set_lease(slot(1), Time::ZERO);
    assert_eq!(runner.run(&packet.octets()).unwrap().dropped, [DropReason::VmacNotOwner]);
    runner.xdp.set_drain(slot(1), Time::from_nanos(u64::MAX));
    assert_eq!(runner.run(&packet.octets()).unwrap().action, Action::Pass, "asked before the drain");
}

/// The exact clock decides: an answer even 1 ns after the lease is one too many.
#[test]
fn the_lease_ends_exactly() {
    let mut runner = runner();
    let ask = Frame::arp(&Arp::request(CLIENT, OWNED)).octets();
    let second = std::time::Duration::from_secs(1);
    let rows = [
        ("revoked", Time::ZERO, Action::Drop),
        ("ended 1 ns after boot", Time::from_nanos(1), Action::Drop),
        ("ends now, so before the packet", now(), Action::Drop),
        ("ends in a second", now() + second, Action::Transmit),
        ("ended a second ago", now() - second, Action::Drop),
    ];
    for (name, until, action) in rows {
        runner.xdp.set_lease(slot(0), until);
        assert_eq!(runner.run(&ask).unwrap().action, action, "{name}");
    }
    for _ in 0..1_000 {
        runner.xdp.set_lease(slot(0), now()); // the tick alone could not tell
        assert_eq!(runner.run(&ask).unwrap().action, Action::Drop);
    }
}

#[test]
fn conflicts_are_told_once_a_second_and_router() {
    let mut runner = runner();
    let garp = |addr| Frame::arp(&Arp { sender: addr, ..Arp::request(addr, addr) }).octets();
    let told: Vec<usize> =
        [OWNED, OWNED, OWNED_VMAC, OWNED].map(|addr| runner.run(&garp(addr)).unwrap().events.len()).to_vec();
    assert_eq!(told, [1, 0, 1, 0]);
    assert_eq!(runner.xdp.stats().unwrap().conflict, 4, "each is counted");
}
