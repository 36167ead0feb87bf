//! The frames, octet by octet.

use hadp_common::wire::checksum;

use super::*;
use crate::{
    model::{Announce, ChecksumMode, Family, InitialState, LowerPriority, Preempt, Scope, UnicastPeer, Vip},
    units::{Centis, Priority, Vrid},
};

const SOURCE: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);
const LINK_MAC: [u8; 6] = [2, 0, 10, 77, 0, 1];
const VIRTUAL_MAC: [u8; 6] = [0x00, 0x00, 0x5e, 0x00, 0x01, 55];

fn router(version: Version, interval: u16, delivery: Delivery) -> Router {
    let vip = |last| Vip {
        addr: IpAddr::from([10, 77, 0, last]),
        prefix: 16,
        broadcast: None,
        dev: "eth0".to_owned(),
        scope: Scope::GLOBAL,
        label: None,
        peer: None,
    };
    Router {
        name: "VI_1".to_owned(),
        interface: "eth0".to_owned(),
        vrid: Vrid::new(55).unwrap(),
        family: Family::V4,
        version,
        state: InitialState::Backup,
        priority: Priority::new(150).unwrap(),
        interval: Centis::new(interval).unwrap(),
        delivery,
        source: None,
        ttl: 255,
        preempt: Preempt::Always,
        down_timer_adverts: 3,
        lower_priority: LowerPriority::Advertise,
        advert_on_yield: false,
        virtual_mac: false,
        accept: true,
        announce: Announce::default(),
        tracks: Vec::new(),
        fast_failover: None,
        vips: vec![vip(100), vip(101)],
        excluded_vips: vec![vip(102)],
    }
}

fn group() -> Delivery {
    Delivery::Multicast { group: IpAddr::V4(vrrp::GROUP_V4) }
}

fn port(mac: [u8; 6]) -> Port {
    Port { ifindex: 7, link_mac: LINK_MAC, mac, source: SOURCE }
}

fn frame(router: &Router, mac: [u8; 6], priority: u8) -> Vec<u8> {
    match message(router, port(mac), priority).unwrap() {
        Message::Multicast(Frame { ifindex: 7, octets }) => octets.into_vec(),
        other @ (Message::Multicast(_) | Message::Unicast(_)) => panic!("{other:?}"),
    }
}

#[test]
fn rfc9568_1_2_3_5_6_a_v3_advert_on_the_wire() {
    let mut router = router(Version::V3(ChecksumMode::WithPseudoHeader), 5, group());
    let frame = frame(&router, LINK_MAC, 150);
    assert_eq!(frame[..14], [0x01, 0, 0x5e, 0, 0, 0x12, 2, 0, 10, 77, 0, 1, 0x08, 0x00]);
    assert_eq!(frame[14..18], [0x45, 0xc0, 0, 36]);
    assert_eq!(frame[22..24], [255, 112], "TTL and protocol");
    assert_eq!(frame[26..34], [10, 77, 0, 1, 224, 0, 0, 18]);
    assert_eq!(checksum::fold(checksum::add(0, &frame[14..34]).into()), 0xffff);
    assert_eq!(frame[34..40], [0x31, 55, 150, 2, 0, 5]);
    assert_eq!(frame[42..], [10, 77, 0, 100, 10, 77, 0, 101]);
    let message = &frame[34..];
    let pseudo = checksum::add(112 + 16, &frame[26..34]);
    assert_eq!(checksum::fold(checksum::add(pseudo, message).into()), 0xffff);

    router.version = Version::V3(ChecksumMode::Message);
    let frame = self::frame(&router, LINK_MAC, 150);
    assert_eq!(checksum::fold(checksum::add(0, &frame[34..]).into()), 0xffff);
}

#[test]
fn rfc3768_5_3_a_v2_advert_on_the_wire() {
    let router = router(Version::V2(Auth::Pass(*b"1111\0\0\0\0")), 100, group());
    let frame = frame(&router, LINK_MAC, 0);
    assert_eq!(frame[34..40], [0x21, 55, 0, 2, 1, 1], "priority 0, PASS, one second");
    assert_eq!(frame[50..], *b"1111\0\0\0\0");
    assert_eq!(checksum::fold(checksum::add(0, &frame[34..]).into()), 0xffff);
}

#[test]
fn rfc9568_4_the_virtual_mac_is_the_source_where_it_is_used() {
    let router = router(Version::V3(ChecksumMode::WithPseudoHeader), 100, group());
    assert_eq!(frame(&router, VIRTUAL_MAC, 150)[6..12], VIRTUAL_MAC);
}

#[test]
fn every_unicast_peer_gets_its_own_checksum() {
    let peer = |last| UnicastPeer { addr: IpAddr::from([10, 77, 0, last]), min_ttl: 0, max_ttl: 255 };
    let delivery = Delivery::Unicast { peers: vec![peer(2), peer(3)], check_source: true };
    let router = router(Version::V3(ChecksumMode::WithPseudoHeader), 100, delivery);
    let Message::Unicast(peers) = message(&router, port(LINK_MAC), 150).unwrap() else { panic!("multicast") };
    assert_eq!(peers.len(), 2);
    for (addr, message) in peers {
        let pseudo = checksum::add(checksum::add(112 + 16, &SOURCE.octets()), &addr.octets());
        assert_eq!(checksum::fold(checksum::add(pseudo, &message).into()), 0xffff, "{addr}");
    }
}

#[test]
fn v2_intervals_are_whole_seconds() {
    for (interval, encodable) in [(100, true), (25_500, true), (50, false), (150, false)] {
        let router = router(Version::V2(Auth::None), interval, group());
        assert_eq!(message(&router, port(LINK_MAC), 150).is_ok(), encodable, "{interval} cs");
    }
}
