//! What is recorded, and what is told.

use super::*;

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
