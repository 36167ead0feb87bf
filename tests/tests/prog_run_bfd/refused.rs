//! What is dropped, and what passes.

use super::*;

/// One packet for every reason there is, in one family.
fn drops(family: &Family) -> Vec<(&'static str, DropReason, Bfd)> {
    use DropReason::*;
    let good = || family.good();
    let edited = |edit: fn(&mut Vec<u8>)| family.good().edited(edit);
    let multihop = family.of(&family.multihop);
    let unknown_yet = |state: u8| {
        good().edited(|packet| {
            packet[1] = state << 6;
            packet[8..12].fill(0);
        })
    };
    vec![
        ("254 on a single hop", BfdTtl, Bfd { ttl: 254, ..good() }),
        ("0 on a single hop", BfdTtl, Bfd { ttl: 0, ..good() }),
        ("one hop too many", BfdTtl, Bfd { ttl: 249, ..multihop }),
        ("version 0", BfdVersion, edited(|packet| packet[0] &= 0x1f)),
        ("version 2", BfdVersion, edited(|packet| packet[0] = 2 << 5)),
        ("version 7", BfdVersion, edited(|packet| packet[0] |= 0xe0)),
        ("length 23", BfdLength, edited(|packet| packet[3] = 23)),
        ("length 0", BfdLength, edited(|packet| packet[3] = 0)),
        ("longer than the datagram", BfdLength, edited(|packet| packet[3] = 25)),
        ("length 255", BfdLength, edited(|packet| packet[3] = 255)),
        ("UDP shorter than the packet", BfdLength, Bfd { udp_len: Some(31), ..good() }),
        ("UDP length 0", BfdLength, Bfd { udp_len: Some(0), ..good() }),
        ("UDP longer than IP", BfdLength, Bfd { udp_len: Some(33), ..good() }),
        ("no room for authentication", BfdLength, family.sealed().edited(|packet| packet[3] = 25)),
        ("multiplier 0", BfdMultiplier, edited(|packet| packet[2] = 0)),
        ("multipoint", BfdMultipoint, edited(|packet| packet[1] |= MULTIPOINT)),
        ("no discriminator", BfdMyDiscriminator, edited(|packet| packet[4..8].fill(0))),
        ("Init without ours", BfdYourDiscriminator, unknown_yet(2)),
        ("Up without ours", BfdYourDiscriminator, unknown_yet(3)),
        ("not authenticated", BfdAuth, family.of(&family.authenticated)),
        (
            "authenticated without need",
            BfdAuth,
            edited(|packet| {
                packet[1] |= AUTHENTICATED;
                packet[3] = 26;
                packet.extend([4, 2]);
            }),
        ),
    ]
}

#[test]
fn every_drop_reason_has_its_packet() {
    let (mut runner, families) = runner();
    for family in &families {
        let mut seen = BTreeSet::new();
        for (name, reason, bfd) in drops(family) {
            let outcome = run(&mut runner, &bfd);
            assert_eq!((outcome.action, &outcome.dropped[..]), (Action::Drop, &[reason][..]), "{name}");
            assert_eq!((&outcome.counted[..], &outcome.events[..]), (&[][..], &[][..]), "{name}");
            seen.insert(reason);
        }
        let reasons = DropReason::ALL.iter().filter(|reason| reason.name().starts_with("bfd_"));
        assert_eq!(seen, reasons.copied().collect(), "a reason without a packet");
    }
    assert_eq!(heard(&runner), [0; 0], "a dropped packet was recorded");
}

/// Whatever is wrong with them, packets of nobody's session are not ours to judge: another daemon may run.
#[test]
fn malformed_packets_of_strangers_pass() {
    let (mut runner, families) = runner();
    for family in &families {
        for (name, _, bfd) in drops(family) {
            let bfd = Bfd { src: family.own, ..bfd };
            let outcome = run(&mut runner, &bfd);
            assert_eq!((outcome.action, outcome.packet), (Action::Pass, bfd.frame().octets()), "{name}");
            assert_eq!(outcome.counted, [Counter::BfdUnknown], "{name}");
        }
    }
}

/// What is of no session here, or no BFD at all, passes untouched, and nothing is recorded or told.
#[test]
fn what_is_not_ours_passes() {
    const UNKNOWN: &[Counter] = &[Counter::BfdUnknown];
    const NOTHING: &[Counter] = &[];
    let (mut runner, families) = runner();
    for family in &families {
        let good = || family.good();
        let yours = |discriminator: u32| {
            family.good().edited(|packet| packet[8..12].copy_from_slice(&discriminator.to_be_bytes()))
        };
        let id = family.single.id.index();
        let multihop = || family.of(&family.multihop);
        let to_other = match family.own {
            IpAddr::V4(_) => Bfd { dst: STRANGER, ..multihop() },
            IpAddr::V6(_) => Bfd { dst: "fe80::77".parse().unwrap(), ..multihop() },
        };
        let rows = [
            ("upper octets of the discriminator", yours(0x5eee_0000 | id).frame(), UNKNOWN),
            ("a neighbour's session", yours(0x5eed_0000 | (id + 1)).frame(), UNKNOWN),
            ("a session that is free", yours(0x5eed_00c8).frame(), UNKNOWN),
            ("the session that never is", yours(0x5eed_0000).frame(), UNKNOWN),
            ("a stranger that knows the discriminator", Bfd { src: family.own, ..good() }.frame(), UNKNOWN),
            ("multihop port", Bfd { port: PORT_MULTIHOP, ..good() }.frame(), UNKNOWN),
            ("single-hop port", Bfd { port: PORT, ..multihop() }.frame(), UNKNOWN),
            ("another address of this node", to_other.frame(), UNKNOWN),
            ("no packet in the datagram", good().edited(Vec::clear).frame(), NOTHING),
            ("the port of echoes", Bfd { port: 3785, ..good() }.frame(), NOTHING),
            ("another port", Bfd { port: 53, ..good() }.frame(), NOTHING),
            ("tagged", good().frame().tagged(&[7]), NOTHING),
            ("tagged twice", good().frame().tagged(&[7, 8]), NOTHING),
        ];
        for (name, frame, counted) in rows {
            let outcome = runner.run(&frame.octets()).unwrap();
            assert_eq!((outcome.action, outcome.packet), (Action::Pass, frame.octets()), "{name}");
            assert_eq!((&outcome.counted[..], &outcome.events[..]), (counted, &[][..]), "{name}");
        }
    }
    assert_eq!(heard(&runner), [0; 0]);
}

#[test]
fn fragments_other_protocols_and_extension_headers_pass() {
    let (mut runner, [v4, v6]) = runner();
    let ip = v4.good().ip();
    let (IpAddr::V6(src), IpAddr::V6(dst)) = V6 else { panic!("not IPv6") };
    let over_v6 = |next_header, payload: &[u8]| Frame {
        payload: ipv6(src, dst, 255, next_header, payload),
        ..v6.good().frame()
    };
    let behind = |header: &[u8]| [header, &v6.good().udp()[..]].concat();
    let mut version_4 = v6.good().frame();
    version_4.payload[0] = 0x45;
    let rows = [
        ("first fragment", Frame::ip(&Ip { fragment: 0x2000, ..ip.clone() })),
        ("later fragment", Frame::ip(&Ip { fragment: 1, ..ip.clone() })),
        ("TCP", Frame::ip(&Ip { protocol: 6, ..ip })),
        ("TCP over IPv6", over_v6(6, &v6.good().udp())),
        ("fragment header", over_v6(44, &behind(&[17, 0, 0, 0, 0, 0, 0, 1]))),
        ("hop-by-hop options", over_v6(0, &behind(&[17, 0, 1, 4, 0, 0, 0, 0]))),
        ("version 4 in an IPv6 frame", version_4),
    ];
    for (name, frame) in rows {
        let outcome = runner.run(&frame.octets()).unwrap();
        assert_eq!((outcome.action, outcome.packet), (Action::Pass, frame.octets()), "{name}");
        assert_eq!((&outcome.counted[..], &outcome.events[..]), (&[][..], &[][..]), "{name}");
    }
    assert_eq!(heard(&runner), [0; 0]);
}

/// A frame that ends early says nothing of its session, however it goes on in the headers.
#[test]
fn truncated_frames_pass_at_every_length() {
    let (mut runner, families) = runner();
    for family in &families {
        let whole = family.good().frame().octets();
        for len in 14..whole.len() {
            let outcome = runner.run(&whole[..len]).unwrap();
            assert_eq!((outcome.action, &outcome.packet[..]), (Action::Pass, &whole[..len]), "{len} octets");
            assert_eq!((&outcome.counted[..], &outcome.events[..]), (&[][..], &[][..]), "{len} octets");
        }
        assert_eq!(run(&mut runner, &family.good()).counted, [Counter::EventSent, Counter::BfdHeard]);
    }
}

/// A port does not take a virtual address out of its router's hands.
#[test]
fn a_packet_of_no_session_to_an_address_not_owned_is_dropped() {
    let (mut runner, [v4, _]) = runner();
    let IpAddr::V4(own) = v4.own else { panic!("not IPv4") };
    runner.apply(&Plan { routers: vec![router(0, 10, &[own])] }).unwrap();
    let outcome = run(&mut runner, &Bfd { src: STRANGER, ..v4.good() });
    assert_eq!((outcome.action, &outcome.dropped[..]), (Action::Drop, &[DropReason::VipNotOwner][..]));
}
