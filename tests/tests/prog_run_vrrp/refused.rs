//! What is dropped, and what passes.

use super::*;

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
