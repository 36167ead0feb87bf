//! What may leave through the classifier, and as what.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{net::Ipv4Addr, process::Command, time::Duration};

use aya::{
    Ebpf,
    maps::{Array, ProgramArray},
    programs::{SchedClassifier, TestRun, TestRunOptions},
};
use hadp::{
    datapath::{BENCH_OBJECT, Datapath, Egress, Plan, PlannedRouter},
    model::{Family, XdpMode},
    net::packet::{self, PacketSocket},
    units::Time,
};
use hadp_common::{
    router::virtual_mac,
    stats::{Counter, DropReason},
    vip::Vip,
    wire::{
        arp::{ARP_REPLY, gratuitous},
        ether::ETH_LEN,
    },
};
use hadp_tests::prog::{
    Action, Arp, Frame, IFINDEX, Ip, PEER_MAC, Runner,
    plans::{OWN, OWN_MAC, router, slot, vmac_router},
    v3,
};
use nix::time::{ClockId, clock_gettime};

const CLIENT: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 9);
const FOREVER: Time = Time::from_nanos(u64::MAX);

/// The addresses of the routers: owned, not owned, draining; and the same three with virtual MACs.
const OWNED: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 100);
const NOT_OWNED: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 101);
const DRAINING: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 102);
const OWNED_VMAC: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 110);
const NOT_OWNED_VMAC: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 111);
const DRAINING_VMAC: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 112);
/// Addresses on VLAN 7: not owned and owned.
const TAGGED: Ipv4Addr = Ipv4Addr::new(10, 78, 0, 101);
const TAGGED_OWNED: Ipv4Addr = Ipv4Addr::new(10, 78, 0, 110);

const VMAC: [u8; 6] = virtual_mac(Family::V4, 20);

fn now() -> Time {
    let now = Duration::from(clock_gettime(ClockId::CLOCK_MONOTONIC).unwrap());
    Time::from_nanos(u64::try_from(now.as_nanos()).unwrap())
}

/// Slots 0 to 2 are owned, not owned and draining, and so are slots 3 to 5, which use their virtual MACs.
fn runner() -> Runner {
    let mut runner = Runner::new().unwrap();
    let routers = vec![
        router(0, 10, &[OWNED]),
        router(1, 11, &[NOT_OWNED]),
        router(2, 12, &[DRAINING]),
        vmac_router(router(3, 20, &[OWNED_VMAC])),
        vmac_router(router(4, 21, &[NOT_OWNED_VMAC])),
        vmac_router(router(5, 22, &[DRAINING_VMAC])),
    ];
    runner.apply(&Plan { routers }).unwrap();
    for index in [0, 3] {
        runner.xdp.set_lease(slot(index), FOREVER);
    }
    for index in [2, 5] {
        runner.xdp.set_drain(slot(index), FOREVER);
    }
    for (addr, slot) in [(TAGGED, 1), (TAGGED_OWNED, 3)] {
        let vip = Vip { addr: addr.into(), ifindex: IFINDEX, vlans: [7, 0], slot, ..Vip::default() };
        runner.add_vip(vip).unwrap();
    }
    runner
}

/// Sends a frame with the interface's own MAC as its source.
fn own(mut frame: Frame) -> Frame {
    frame.src = OWN_MAC;
    frame
}

fn udp(src: Ipv4Addr) -> Frame {
    own(Frame::ip(&Ip::udp(src, CLIENT)))
}

/// An ARP request of this node's kernel.
fn request(sender: Ipv4Addr) -> Frame {
    Frame::arp(&Arp { sender_mac: OWN_MAC, ..Arp::request(sender, CLIENT) })
}

/// An ARP reply of this node's kernel.
fn reply(sender: Ipv4Addr) -> Frame {
    let (operation, target_mac) = (ARP_REPLY, PEER_MAC);
    Frame::arp(&Arp { operation, sender_mac: OWN_MAC, sender, target_mac, target: CLIENT })
}

fn gratuitous_frame(mac: [u8; 6], addr: Ipv4Addr) -> Vec<u8> {
    gratuitous(mac, addr.octets()).to_vec()
}

/// Replaces the source MAC and, in an ARP message that begins at `arp`, the sender's.
fn from(octets: &[u8], mac: [u8; 6], arp: Option<usize>) -> Vec<u8> {
    let mut octets = octets.to_vec();
    octets.splice(6..12, mac);
    if let Some(start) = arp {
        octets.splice(start + 8..start + 14, mac);
    }
    octets
}

#[test]
fn what_leaves_by_its_source() {
    use DropReason::{ArpClaimNotOwner, EgressNotOwner};
    const SENT: &[Counter] = &[Counter::VmacSent];
    let advert = |src| own(Frame::ip(&Ip::vrrp(src, v3(src, 11, 100, 100, &[NOT_OWNED])))).octets();
    let with_options = own(Frame::ip(&Ip { options: vec![1; 40], ..Ip::udp(NOT_OWNED, CLIENT) })).octets();
    let fragment = own(Frame::ip(&Ip { fragment: 100, ..Ip::udp(NOT_OWNED, CLIENT) })).octets();
    let to_vip = own(Frame::ip(&Ip::udp(CLIENT, NOT_OWNED))).octets();
    let probe = request(Ipv4Addr::UNSPECIFIED).octets();
    let for_vip = Frame::arp(&Arp { sender_mac: OWN_MAC, ..Arp::request(OWN, NOT_OWNED) }).octets();
    let mut other_arp = request(NOT_OWNED).octets();
    other_arp[ETH_LEN + 1] = 6; // hardware type IEEE 802
    let mut ipv6 = udp(NOT_OWNED);
    ipv6.ethertype = 0x86dd;
    let as_vmac = |octets: Vec<u8>, arp| from(&octets, VMAC, arp);
    let inside = Some(ETH_LEN);
    // Name, frame, drop reason or the frame afterwards (`None`: as it was), counters.
    type Row = (&'static str, Vec<u8>, Result<Option<Vec<u8>>, DropReason>, &'static [Counter]);
    let rows: Vec<Row> = vec![
        ("from an own address", udp(OWN).octets(), Ok(None), &[]),
        ("from an owned address", udp(OWNED).octets(), Ok(None), &[]),
        ("from an address not owned", udp(NOT_OWNED).octets(), Err(EgressNotOwner), &[]),
        ("from an address not owned, options", with_options, Err(EgressNotOwner), &[]),
        ("from an address not owned, later fragment", fragment, Err(EgressNotOwner), &[]),
        ("from a draining address", udp(DRAINING).octets(), Ok(None), &[]),
        ("to an address not owned", to_vip, Ok(None), &[]),
        ("an advert from an own address", advert(OWN), Ok(None), &[]),
        ("an advert from an address not owned", advert(NOT_OWNED), Ok(None), &[]),
        ("an advert from an owned address with a virtual MAC", advert(OWNED_VMAC), Ok(None), &[]),
        ("IPv6", ipv6.octets(), Ok(None), &[]),
        (
            "from an owned address with a virtual MAC",
            udp(OWNED_VMAC).octets(),
            Ok(Some(as_vmac(udp(OWNED_VMAC).octets(), None))),
            SENT,
        ),
        ("the same, sent from there already", as_vmac(udp(OWNED_VMAC).octets(), None), Ok(None), &[]),
        ("from one not owned with a virtual MAC", udp(NOT_OWNED_VMAC).octets(), Err(EgressNotOwner), &[]),
        ("from one draining with a virtual MAC", udp(DRAINING_VMAC).octets(), Ok(None), &[]),
        ("a request from an own address", request(OWN).octets(), Ok(None), &[]),
        ("a request for an address not owned", for_vip, Ok(None), &[]),
        ("a probe", probe, Ok(None), &[]),
        ("ARP of another kind", other_arp, Ok(None), &[]),
        ("a request from an owned address", request(OWNED).octets(), Ok(None), &[]),
        ("a reply from an owned address", reply(OWNED).octets(), Ok(None), &[]),
        ("an announcement of an owned address", gratuitous_frame(OWN_MAC, OWNED), Ok(None), &[]),
        ("a request from an address not owned", request(NOT_OWNED).octets(), Err(ArpClaimNotOwner), &[]),
        ("a reply from an address not owned", reply(NOT_OWNED).octets(), Err(ArpClaimNotOwner), &[]),
        (
            "an announcement of an address not owned",
            gratuitous_frame(OWN_MAC, NOT_OWNED),
            Err(ArpClaimNotOwner),
            &[],
        ),
        ("a request from a draining address", request(DRAINING).octets(), Err(ArpClaimNotOwner), &[]),
        ("a reply from a draining address", reply(DRAINING_VMAC).octets(), Err(ArpClaimNotOwner), &[]),
        (
            "a request from an owned address with a virtual MAC",
            request(OWNED_VMAC).octets(),
            Ok(Some(as_vmac(request(OWNED_VMAC).octets(), inside))),
            SENT,
        ),
        (
            "a reply from an owned address with a virtual MAC",
            reply(OWNED_VMAC).octets(),
            Ok(Some(as_vmac(reply(OWNED_VMAC).octets(), inside))),
            SENT,
        ),
        (
            "one in whose header alone the virtual MAC is",
            from(&request(OWNED_VMAC).octets(), VMAC, None),
            Ok(Some(as_vmac(request(OWNED_VMAC).octets(), inside))),
            SENT,
        ),
        ("an announcement by the daemon", gratuitous_frame(VMAC, OWNED_VMAC), Ok(None), &[]),
        (
            "an announcement by the daemon after the end",
            gratuitous_frame(virtual_mac(Family::V4, 21), NOT_OWNED_VMAC),
            Err(ArpClaimNotOwner),
            &[],
        ),
        ("tagged, of an untagged address", udp(NOT_OWNED).tagged(&[7]).octets(), Ok(None), &[]),
        ("priority tag", udp(NOT_OWNED).tagged(&[0]).octets(), Err(EgressNotOwner), &[]),
        ("tagged, of that VLAN", udp(TAGGED).tagged(&[7]).octets(), Err(EgressNotOwner), &[]),
        ("tagged, of another VLAN", udp(TAGGED).tagged(&[8]).octets(), Ok(None), &[]),
        ("untagged, of a VLAN's address", udp(TAGGED).octets(), Ok(None), &[]),
        ("tagged ARP", request(TAGGED).tagged(&[7]).octets(), Err(ArpClaimNotOwner), &[]),
        (
            "tagged ARP, owned with a virtual MAC",
            request(TAGGED_OWNED).tagged(&[7]).octets(),
            Ok(Some(from(&request(TAGGED_OWNED).tagged(&[7]).octets(), VMAC, Some(ETH_LEN + 4)))),
            SENT,
        ),
        (
            "ARP behind a priority tag inside another",
            request(NOT_OWNED).tagged(&[0, 0]).octets(),
            Err(ArpClaimNotOwner),
            &[],
        ),
    ];
    let mut runner = runner();
    for (name, packet, expected, counted) in rows {
        let outcome = runner.leave(&packet).unwrap();
        let action = if expected.is_ok() { Action::Pass } else { Action::Drop };
        let reason = expected.as_ref().err().copied();
        assert_eq!((outcome.action, outcome.dropped.first().copied()), (action, reason), "{name}");
        assert_eq!(outcome.counted, counted, "{name}");
        if let Ok(after) = expected {
            assert_eq!(outcome.packet, after.unwrap_or(packet), "{name}");
        }
        assert_eq!(outcome.events, [], "{name}");
    }
}

/// No frame, however short or odd, is dropped unless it was recognised.
#[test]
fn whatever_is_not_recognised_leaves() {
    let mut runner = runner();
    // Behind tags: of an untagged IPv4 packet the kernel itself wants the whole header before it runs anything.
    for (frame, headers) in [(udp(NOT_OWNED), 20), (request(NOT_OWNED), 28)] {
        let whole = frame.tagged(&[0, 0]).octets();
        for len in ETH_LEN + 1..whole.len() {
            let outcome = runner.leave(&whole[..len]).unwrap();
            let expected = if len < ETH_LEN + 8 + headers { Action::Pass } else { Action::Drop };
            assert_eq!(outcome.action, expected, "{len} octets");
        }
    }
    let whole = udp(NOT_OWNED).octets();
    for ethertype in [0u16, 0x0805, 0x0807, 0x0801, 0x88cc, 0x88f7, 0x9100, 0xffff] {
        let mut packet = whole.clone();
        packet[12..14].copy_from_slice(&ethertype.to_be_bytes());
        assert_eq!(runner.leave(&packet).unwrap().action, Action::Pass, "EtherType {ethertype:#x}");
    }
    let mut not_ip = whole;
    not_ip[ETH_LEN] = 0x65;
    assert_eq!(runner.leave(&not_ip).unwrap().action, Action::Pass, "version 6 in an IPv4 frame");
}

/// A VLAN interface leaves its tag beside the frame, which the kernel puts in only later.
#[test]
fn a_tag_beside_the_frame_counts() {
    let mut runner = runner();
    let mut ebpf = Ebpf::load(BENCH_OBJECT).unwrap();
    let tagger: &mut SchedClassifier = ebpf.program_mut("tag_egress").unwrap().try_into().unwrap();
    tagger.load().unwrap();
    let classifier = runner.xdp.egress_program().unwrap().fd().unwrap().try_clone().unwrap();
    ProgramArray::try_from(ebpf.map_mut("LEAVING").unwrap()).unwrap().set(0, &classifier, 0).unwrap();
    let priority = 0xe000;
    let rows = [
        ("of an untagged address", priority | 7, udp(NOT_OWNED), Action::Pass),
        ("a priority tag", priority, udp(NOT_OWNED), Action::Drop),
        ("of that VLAN", priority | 7, udp(TAGGED), Action::Drop),
        ("of another VLAN", priority | 8, udp(TAGGED), Action::Pass),
        ("ARP of that VLAN", priority | 7, request(TAGGED), Action::Drop),
        ("a priority tag inside", priority | 7, udp(TAGGED).tagged(&[0]), Action::Drop),
        ("another tag inside", priority | 7, udp(TAGGED).tagged(&[9]), Action::Pass),
        ("two more inside", priority | 7, udp(TAGGED).tagged(&[7, 9]), Action::Pass),
    ];
    for (name, tag, packet, expected) in rows {
        Array::<_, u16>::try_from(ebpf.map_mut("TAG").unwrap()).unwrap().set(0, tag, 0).unwrap();
        let tagger: &SchedClassifier = ebpf.program("tag_egress").unwrap().try_into().unwrap();
        let packet = packet.octets();
        let options = TestRunOptions { data_in: Some(&packet), ..TestRunOptions::default() };
        let returned = tagger.test_run(options).unwrap().return_value.cast_signed();
        assert_eq!(returned, if expected == Action::Pass { -1 } else { 2 }, "{name}");
    }
    // What was dropped, the classifier dropped and not the one before it.
    assert_eq!(runner.xdp.drops().unwrap().egress_not_owner, 3);
    assert_eq!(runner.xdp.drops().unwrap().arp_claim_not_owner, 1);
    assert_eq!(runner.leave(&udp(OWN).octets()).unwrap().action, Action::Pass);
}

/// Of a long frame from a packet socket the kernel has all but the link header in pages, where no program reads in place.
#[test]
fn headers_in_pages_are_read() {
    let mut runner = runner();
    for arguments in ["link set lo up mtu 65536", "addr flush dev lo"] {
        assert!(Command::new("ip").args(arguments.split(' ')).status().unwrap().success());
    }
    assert_eq!(runner.xdp.attach(IFINDEX, "lo", XdpMode::Skb).unwrap().egress, Egress::Link);
    let socket = PacketSocket::open().unwrap();
    let send = |packet: Vec<u8>| {
        let octets = [packet, vec![0; 8_000]].concat().into_boxed_slice();
        socket.send([&packet::Frame { ifindex: IFINDEX, octets }]);
        let drops = runner.xdp.drops().unwrap();
        (drops.egress_not_owner, drops.arp_claim_not_owner, runner.xdp.stats().unwrap().vmac_sent)
    };
    assert_eq!(send(udp(OWN).octets()), (0, 0, 0));
    assert_eq!(send(udp(NOT_OWNED).octets()), (1, 0, 0));
    assert_eq!(send(request(NOT_OWNED).octets()), (1, 1, 0));
    assert_eq!(send(request(NOT_OWNED).tagged(&[0, 0]).octets()), (1, 2, 0));
    assert_eq!(send(udp(OWNED_VMAC).octets()), (1, 2, 1));
    assert_eq!(send(request(OWNED_VMAC).octets()), (1, 2, 2));
}

/// A claim ends with the lease exactly; traffic by the tick, never late.
#[test]
fn the_end_of_a_lease_ends_what_leaves() {
    let mut runner = runner();
    let tick = Duration::from(nix::time::clock_getres(ClockId::CLOCK_MONOTONIC_COARSE).unwrap());
    let mut claims = 0;
    for _ in 0..500 {
        runner.xdp.set_lease(slot(0), now());
        assert_eq!(runner.leave(&udp(OWNED).octets()).unwrap().action, Action::Drop, "late");
        assert_eq!(runner.leave(&request(OWNED).octets()).unwrap().action, Action::Drop, "late");
        runner.xdp.set_lease(slot(0), now() + tick / 2);
        claims += u32::from(runner.leave(&request(OWNED).octets()).unwrap().action == Action::Pass);
    }
    assert!(claims > 250, "half a tick of lease let {claims} of 500 requests through");
    runner.xdp.set_lease(slot(0), now() + tick * 10);
    assert_eq!(runner.leave(&udp(OWNED).octets()).unwrap().action, Action::Pass);
}

#[test]
fn a_lapsed_guard_ends_what_leaves() {
    let mut runner = Runner::new().unwrap();
    let guarded = PlannedRouter { guard: 3, ..vmac_router(router(0, 20, &[OWNED])) };
    runner.apply(&Plan { routers: vec![guarded] }).unwrap();
    runner.xdp.set_lease(slot(0), FOREVER);
    let guards = runner.xdp.guards();
    for (until, action) in [(FOREVER, Action::Pass), (now(), Action::Drop), (FOREVER, Action::Pass)] {
        guards.store(3, until);
        for packet in [udp(OWNED), request(OWNED)] {
            assert_eq!(runner.leave(&packet.octets()).unwrap().action, action, "{until:?}");
        }
    }
}
