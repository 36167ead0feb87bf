//! VRRP adverts through the XDP program: why they are dropped, what is recorded, what is told.
#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test fails by panicking")]

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

/// One packet for every reason there is.
fn drops() -> Vec<(&'static str, DropReason, Vec<u8>)> {
    use DropReason::*;
    let ip = |ip: Ip| Frame::ip(&ip).octets();
    let good = || Ip::vrrp(PEER, good_v3());
    let mut cut = vrrp(good_v3());
    cut.truncate(cut.len() - 1);
    let mut cut_auth = vrrp(good_v2());
    cut_auth.truncate(cut_auth.len() - 4);
    let to_vmac = Frame::ip(&Ip::udp(PEER, OTHER)).to(virtual_mac(Family::V4, 40)).octets();
    vec![
        ("seven octets", Truncated, vrrp(vec![0x31, 10, 200, 1, 0, 100, 0])),
        ("nothing behind the IP header", Truncated, vrrp(Vec::new())),
        ("address list longer than the datagram", Truncated, vrrp(edited(good_v3(), |m| m[3] = 2))),
        ("frame shorter than the datagram", Truncated, cut),
        ("frame ends in the authentication data", Truncated, cut_auth),
        ("v2 without authentication data", Truncated, vrrp(edited(good_v2(), |m| m.truncate(12)))),
        ("four octets too many", TrailingBytes, vrrp(edited(good_v3(), |m| m.extend([0; 4])))),
        ("one octet too many", TrailingBytes, vrrp(edited(good_v3(), |m| m.push(0)))),
        ("first fragment", Fragmented, ip(Ip { fragment: 0x2000, ..good() })),
        ("TTL 254", BadTtl, ip(Ip { ttl: 254, ..good() })),
        ("TTL 0", BadTtl, ip(Ip { ttl: 0, ..good() })),
        ("unicast peer too far away", BadTtl, ip(unicast(PEER, OWN, 249))),
        ("unicast peer too near", BadTtl, ip(unicast(PEER, OWN, 255))),
        ("v2 for a v3 router", BadVersion, vrrp(edited(good_v2(), |m| m[1] = 10))),
        ("v3 for a v2 router", BadVersion, vrrp(edited(good_v3(), |m| m[1] = 20))),
        ("version 4", BadVersion, vrrp(edited(good_v3(), |m| m[0] = 0x41))),
        ("type 2", BadType, vrrp(edited(good_v3(), |m| m[0] = 0x32))),
        ("type 0", BadType, vrrp(edited(good_v3(), |m| m[0] = 0x30))),
        (
            "one bit flipped",
            BadChecksum,
            vrrp({
                let mut message = good_v3();
                message[2] ^= 1;
                message
            }),
        ),
        ("one bit of the source address flipped", BadChecksum, flipped(&good(), 29)),
        (
            "one bit of the IP options flipped",
            BadChecksum,
            flipped(&Ip { options: vec![1; 40], ..good() }, 14 + 59),
        ),
        (
            "v2 with the pseudo-header in its checksum",
            BadChecksum,
            vrrp({
                let mut message = good_v2();
                let pseudo = checksum::add(checksum::add(112 + 20, &PEER.octets()), &GROUP_V4.octets());
                message[6..8].fill(0);
                let sum = checksum::finish(checksum::add(pseudo, &message)).to_be_bytes();
                message[6..8].copy_from_slice(&sum);
                message
            }),
        ),
        (
            "no address",
            NoAddress,
            vrrp(edited(good_v3(), |m| {
                m[3] = 0;
                m.truncate(8);
            })),
        ),
        ("v3 interval 0", ZeroInterval, vrrp(edited(good_v3(), |m| m[4..6].fill(0)))),
        (
            "v3 interval 0 under reserved bits",
            ZeroInterval,
            vrrp(edited(good_v3(), |m| {
                m[4..6].copy_from_slice(&[0xf0, 0]);
            })),
        ),
        ("v2 interval 0", ZeroInterval, vrrp(edited(good_v2(), |m| m[5] = 0))),
        ("v2 interval of 2 s", IntervalMismatch, vrrp(edited(good_v2(), |m| m[5] = 2))),
        ("v2 without authentication", AuthTypeMismatch, vrrp(edited(good_v2(), |m| m[4] = 0))),
        ("v2 with AH", AuthTypeMismatch, vrrp(edited(good_v2(), |m| m[4] = 2))),
        ("wrong first half of the password", AuthDataMismatch, vrrp(edited(good_v2(), |m| m[12] ^= 1))),
        ("wrong second half of the password", AuthDataMismatch, vrrp(edited(good_v2(), |m| m[19] ^= 1))),
        ("our own source", LoopedBack, Frame::ip(&Ip::vrrp(OWN, v3(OWN, 10, 200, 100, &[VIP]))).octets()),
        ("unicast for a multicast router", WrongDelivery, ip(Ip { dst: OWN, ..good() })),
        ("multicast for a unicast router", WrongDelivery, ip(unicast(PEER, GROUP_V4, 254))),
        ("unicast from a stranger", UnknownPeer, ip(unicast(OTHER, OWN, 254))),
        ("ARP for an address not owned", ArpNotOwner, Frame::arp(&Arp::request(PEER, VIP)).octets()),
        ("packet to an address not owned", VipNotOwner, ip(Ip::udp(PEER, VIP))),
        ("packet to an address that accepts none", VipNotAccepted, ip(Ip::udp(PEER, CLOSED))),
        ("frame to a virtual MAC not owned", VmacNotOwner, to_vmac),
    ]
}

#[test]
fn every_drop_reason_has_its_packet() {
    let mut runner = runner();
    let mut seen = BTreeSet::new();
    for (name, reason, packet) in drops() {
        runner.lift_limits().unwrap();
        let Outcome { action, dropped, events, .. } = runner.run(&packet).unwrap();
        assert_eq!((action, &dropped[..]), (Action::Drop, &[reason][..]), "{name}");
        let is_advert = reason < DropReason::ArpNotOwner;
        match events[..] {
            [EventRecord::Rejected { reason: told, mac, .. }] => {
                assert!(is_advert && told == reason && mac == PEER_MAC)
            }
            [] => assert!(!is_advert, "{name}"),
            _ => panic!("{name}: {events:?}"),
        }
        if is_advert {
            // The same again within the second is counted, but not told.
            let again = runner.run(&packet).unwrap();
            assert_eq!((&again.dropped[..], &again.events[..]), (&[reason][..], &[][..]), "{name}");
        }
        seen.insert(reason);
    }
    for (name, reason, packet) in [
        ("leaving an address not owned", DropReason::EgressNotOwner, Frame::ip(&Ip::udp(VIP, PEER)).octets()),
        (
            "claiming an address not owned",
            DropReason::ArpClaimNotOwner,
            Frame::arp(&Arp::request(VIP, PEER)).octets(),
        ),
    ] {
        let outcome = runner.leave(&packet).unwrap();
        assert_eq!((outcome.action, &outcome.dropped[..]), (Action::Drop, &[reason][..]), "{name}");
        seen.insert(reason);
    }
    let reasons = DropReason::ALL.iter().filter(|reason| !reason.name().starts_with("bfd_"));
    assert_eq!(seen, reasons.copied().collect(), "a reason without a packet");
    for index in 0..4 {
        assert_eq!(runner.xdp.peers(slot(index)), [], "slot {index} recorded a dropped advert");
    }
}

#[test]
fn rejections_name_the_router_and_the_sender() {
    let mut runner = runner();
    let outcome = runner.run(&vrrp(edited(good_v3(), |m| m[0] = 0x32))).unwrap();
    let [EventRecord::Rejected { slot: found, from, vrid, reason, ifindex, .. }] = outcome.events[..] else {
        panic!("{outcome:?}")
    };
    assert_eq!(
        (found, from, vrid, reason, ifindex),
        (Some(slot(0)), PEER.into(), 10, DropReason::BadType, 1)
    );
    let outcome = runner.run(&vrrp(vec![0x31])).unwrap();
    assert!(matches!(outcome.events[..], [EventRecord::Rejected { slot: None, vrid: 0, .. }]), "{outcome:?}");
}

/// Adverts that are not for this node's routers are passed untouched, and nothing is told.
#[test]
fn what_is_not_ours_passes() {
    let other_group = Ip { dst: Ipv4Addr::new(224, 0, 0, 99), ..Ip::vrrp(PEER, good_v3()) };
    let malformed = edited(good_v3(), |m| (m[0], m[1]) = (0x77, 99));
    let forwarded = Ip { dst: OTHER, ..Ip::vrrp(PEER, good_v3()) };
    let rows: [(&str, Vec<u8>, &[Counter]); 8] = [
        ("unknown VRID", vrrp(v3(PEER, 11, 200, 100, &[VIP])), &[Counter::UnknownVrid]),
        ("malformed, unknown VRID", vrrp(malformed), &[Counter::UnknownVrid]),
        ("other group", Frame::ip(&other_group).octets(), &[Counter::OtherGroup]),
        ("forwarded", Frame::ip(&forwarded).octets(), &[Counter::OtherDestination]),
        (
            "forwarded, of a unicast router",
            Frame::ip(&unicast(PEER, OTHER, 252)).octets(),
            &[Counter::OtherDestination],
        ),
        ("tagged", Frame::ip(&Ip::vrrp(PEER, good_v3())).tagged(&[7]).octets(), &[]),
        ("tagged twice", Frame::ip(&Ip::vrrp(PEER, good_v3())).tagged(&[7, 8]).octets(), &[]),
        ("later fragment", Frame::ip(&Ip { fragment: 2, ..Ip::vrrp(PEER, good_v3()) }).octets(), &[]),
    ];
    let mut runner = runner();
    for (name, packet, counted) in rows {
        let outcome = runner.run(&packet).unwrap();
        assert_eq!(
            (outcome.action, &outcome.packet, &outcome.counted[..]),
            (Action::Pass, &packet, counted),
            "{name}"
        );
        assert_eq!(outcome.events, [], "{name}");
    }
    assert_eq!(runner.xdp.peers(slot(0)), []);
}

#[test]
fn valid_adverts_are_recorded_in_every_form() {
    let advert = |checksum| {
        let mut message = vec![0; 64];
        let body = Body::V3 { centis: 100, checksum };
        let advert = Advert { vrid: 10, priority: 200, body, addresses: &[VIP], src: PEER, dst: GROUP_V4 };
        let len = advert.encode(&mut message).unwrap();
        message.truncate(len);
        Ip::vrrp(PEER, message)
    };
    let plain = || advert(ChecksumMode::Message);
    let mut padded = Frame::ip(&plain()).octets();
    padded.resize(60, 0xaa);
    let mut rows = vec![
        ("message alone".to_owned(), Frame::ip(&plain()).octets()),
        ("with pseudo-header".to_owned(), Frame::ip(&advert(ChecksumMode::WithPseudoHeader)).octets()),
        ("padded".to_owned(), padded),
        ("priority tag".to_owned(), Frame::ip(&plain()).tagged(&[0]).octets()),
        ("reserved bits".to_owned(), vrrp(edited(good_v3(), |m| m[4] |= 0xf0))),
        ("don't fragment".to_owned(), Frame::ip(&Ip { fragment: 0x4000, ..plain() }).octets()),
    ];
    for words in 1..=10 {
        let options = vec![1; 4 * words];
        rows.push((format!("IHL {}", 5 + words), Frame::ip(&Ip { options, ..plain() }).octets()));
    }
    let mut runner = runner();
    for (adverts, (name, packet)) in (1..).zip(&rows) {
        let outcome = runner.run(packet).unwrap();
        assert_eq!((outcome.action, &outcome.packet), (Action::Pass, packet), "{name}");
        assert!(outcome.counted.contains(&Counter::AdvertHeard), "{name}");
        let [peer] = runner.xdp.peers(slot(0))[..] else { panic!("{name}") };
        assert_eq!((peer.adverts, peer.addr, peer.mac), (adverts, PEER.into(), PEER_MAC), "{name}");
        assert_eq!((peer.priority, peer.interval_cs, peer.version, peer.count), (200, 100, 3, 1), "{name}");
        assert!(peer.first_seen_ns <= peer.last_seen_ns, "{name}");
    }
}

#[test]
fn a_v2_advert_counts_seconds() {
    let mut runner = runner();
    let outcome = runner.run(&vrrp(good_v2())).unwrap();
    let [EventRecord::Advert { slot: found, vrid, heard, mac, .. }] = outcome.events[..] else {
        panic!("{outcome:?}")
    };
    assert_eq!((found, vrid, mac), (slot(1), 20, PEER_MAC));
    assert_eq!((heard.from, heard.priority, heard.interval), (PEER.into(), 200, Centis::SECOND));
    assert_eq!((runner.xdp.peers(slot(1))[0].interval_cs, runner.xdp.peers(slot(1))[0].version), (100, 2));
}

#[test]
fn the_longest_v2_interval_and_unauthenticated_data_are_accepted() {
    let mut runner = runner();
    runner.apply(&Plan { routers: vec![v2_router(router(0, 5, &[]), 255, None)] }).unwrap();
    let with_data = edited(v2(5, 1, 255, None, &[VIP]), |m| m[12..].fill(0x55));
    assert_eq!(runner.run(&vrrp(with_data)).unwrap().action, Action::Pass);
    assert_eq!(runner.xdp.peers(slot(0))[0].interval_cs, 25_500);
}

#[test]
fn a_unicast_peer_in_range_is_heard() {
    let mut runner = runner();
    for ttl in [250, 252, 254] {
        assert_eq!(
            runner.run(&Frame::ip(&unicast(PEER, OWN, ttl)).octets()).unwrap().action,
            Action::Pass,
            "TTL {ttl}"
        );
    }
    assert_eq!(runner.xdp.peers(slot(2))[0].adverts, 3);
}

/// Events are for what may change an election, and nothing else.
#[test]
fn only_news_is_told() {
    let message = |priority, centis, addresses: &[Ipv4Addr]| vrrp(v3(PEER, 10, priority, centis, addresses));
    let rows = [
        ("first", message(100, 100, &[VIP]), 1),
        ("the same", message(100, 100, &[VIP]), 0),
        ("priority", message(101, 100, &[VIP]), 1),
        ("the same again", message(101, 100, &[VIP]), 0),
        ("interval", message(101, 99, &[VIP]), 1),
        ("addresses", message(101, 99, &[VIP, OTHER]), 1),
        ("addresses in another order", message(101, 99, &[OTHER, VIP]), 1),
        ("resignation", message(0, 99, &[OTHER, VIP]), 1),
        ("another resignation", message(0, 99, &[OTHER, VIP]), 1),
        ("another sender", vrrp_from(OTHER, v3(OTHER, 10, 101, 99, &[OTHER, VIP])), 1),
    ];
    let mut runner = runner();
    for (name, packet, told) in &rows {
        let outcome = runner.run(packet).unwrap();
        assert_eq!(outcome.events.len(), *told, "{name}: {outcome:?}");
        assert_eq!(outcome.counted.contains(&Counter::EventSent), *told == 1, "{name}");
    }
    runner.xdp.set_lease(slot(0), Time::from_nanos(u64::MAX));
    let same = message(0, 99, &[OTHER, VIP]);
    runner.run(&message(7, 99, &[VIP])).unwrap();
    for (name, packet) in [("any while Active", message(7, 99, &[VIP])), ("resignation while Active", same)] {
        assert_eq!(runner.run(&packet).unwrap().events.len(), 1, "{name}");
    }
}

fn vrrp_from(src: Ipv4Addr, message: Vec<u8>) -> Vec<u8> {
    Frame::ip(&Ip::vrrp(src, message)).octets()
}

#[test]
fn the_address_list_is_compared_with_the_plan() {
    let mut runner = runner();
    for (addresses, expected) in [(&[VIP][..], AddressList::Same), (&[OTHER][..], AddressList::Differs)] {
        let outcome = runner.run(&vrrp(v3(PEER, 10, 100, 100, addresses))).unwrap();
        let [EventRecord::Advert { heard, .. }] = outcome.events[..] else { panic!("{outcome:?}") };
        assert_eq!(heard.addresses, expected);
        let mut read = Vec::new();
        runner.xdp.heard_since(slot(0), Time::ZERO, &mut read);
        assert_eq!(read, [heard], "the map and the event differ");
    }
}

#[test]
fn the_ninth_sender_takes_the_place_of_the_one_heard_longest_ago() {
    let mut runner = runner();
    let sender = |n: u8| Ipv4Addr::new(10, 77, 1, n);
    let hear = |runner: &mut Runner, n| {
        let packet = vrrp_from(sender(n), v3(sender(n), 10, 100, 100, &[VIP]));
        assert_eq!(runner.run(&packet).unwrap().action, Action::Pass);
    };
    (1..=8).for_each(|n| hear(&mut runner, n));
    hear(&mut runner, 1); // now 2 is the oldest
    let mut heard = Vec::new();
    runner.xdp.heard_since(slot(0), Time::ZERO, &mut heard);
    let order: Vec<_> = heard.iter().map(|heard| heard.from).collect();
    assert_eq!(order, [2, 3, 4, 5, 6, 7, 8, 1].map(|n| IpAddr::V4(sender(n))), "oldest first");
    hear(&mut runner, 9);
    let mut after = Vec::new();
    runner.xdp.heard_since(slot(0), heard[6].at, &mut after);
    assert_eq!(
        after.iter().map(|heard| heard.from).collect::<Vec<_>>(),
        [1, 9].map(|n| IpAddr::V4(sender(n)))
    );
    let peers = runner.xdp.peers(slot(0));
    assert_eq!(peers.len(), 8);
    assert!(peers.iter().all(|peer| peer.addr != sender(2).into()));
}
