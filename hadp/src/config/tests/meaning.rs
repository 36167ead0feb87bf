//! What statements mean: values, defaults and their order.

use std::{net::IpAddr, time::Duration};

use super::*;
use crate::{
    model::{Auth, ChecksumMode, Delivery, LowerPriority, Preempt, Scope, UnicastPeer, Version, XdpMode},
    units::{Centis, Priority},
};

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[test]
fn v3_intervals_and_checksums() {
    let v3 = router("version 3\nadvert_int 0.01");
    assert_eq!((v3.version, v3.interval.get()), (Version::V3(ChecksumMode::WithPseudoHeader), 1));
    assert_eq!(router("version 3\nadvert_int 40.95").interval.get(), 4095);
    assert_eq!(router("version 3\nv3_checksum_as_v2").version, Version::V3(ChecksumMode::Message));
    assert_eq!(
        router("version 3\nv3_checksum_as_v2 off").version,
        Version::V3(ChecksumMode::WithPseudoHeader)
    );
    assert_eq!(router("advert_int 255").interval.get(), 25_500);
    assert_eq!(router("advert_int 2.0").interval.get(), 200, "a whole number, however it is written");
}

#[test]
fn priorities_depend_on_the_state() {
    assert_eq!(router("").priority.get(), 100);
    assert_eq!(router("state BACKUP").priority.get(), 100);
    assert_eq!(router("state MASTER").priority.get(), 255, "keepalived takes it for the owner");
    assert_eq!(router("state MASTER\npriority 7").priority.get(), 7);
    assert_eq!(router("priority 1\npriority 2").priority.get(), 2, "the last one wins");
}

#[test]
fn preemption() {
    assert_eq!(router("nopreempt").preempt, Preempt::Never);
    assert_eq!(router("nopreempt\npreempt").preempt, Preempt::Always);
    assert_eq!(router("preempt_delay 4.12").preempt, Preempt::After(Duration::from_millis(4120)));
    assert_eq!(router("preempt_delay 0").preempt, Preempt::Always);
}

#[test]
fn authentication_is_eight_octets() {
    let auth = |pass: &str| router(&format!("authentication {{ auth_type PASS\nauth_pass {pass} }}")).version;
    assert_eq!(auth("ab"), Version::V2(Auth::Pass(*b"ab\0\0\0\0\0\0")));
    assert_eq!(auth("12345678"), Version::V2(Auth::Pass(*b"12345678")));
    assert_eq!(auth("\"a b#c!d\""), Version::V2(Auth::Pass(*b"a b#c!d\0")));
    assert_eq!(auth(r"a\#b"), Version::V2(Auth::Pass(*b"a#b\0\0\0\0\0")));
}

#[test]
fn addresses_and_their_options() {
    let text = "vrrp_instance V {\ninterface eth0\nvirtual_router_id 1\nvirtual_ipaddress {\n\
                10.1.2.3/24 brd + dev eth1 scope link label eth1:x\n\
                10.1.2.4/24 broadcast - home no_track\n\
                10.1.2.5 peer 10.9.9.9/30 scope 42\n\
                10.1.2.6/30 brd +\n10.1.2.7/0 brd -\n}\n\
                virtual_ipaddress_excluded {\n192.0.2.1/24\n192.0.2.2\n}\n}\n";
    let router = clean(text).routers.remove(0);
    let [first, second, third, fourth, fifth] = router.vips.as_slice() else { panic!("{:?}", router.vips) };
    assert_eq!(
        (first.dev.as_str(), first.scope, first.label.as_deref()),
        ("eth1", Scope::LINK, Some("eth1:x"))
    );
    assert_eq!((first.prefix, first.broadcast), (24, Some(ip("10.1.2.255"))));
    assert_eq!((second.dev.as_str(), second.broadcast), ("eth0", Some(ip("10.1.2.0"))));
    assert_eq!((third.prefix, third.peer, third.scope), (32, Some((ip("10.9.9.9"), 30)), Scope(42)));
    assert_eq!(fourth.broadcast, Some(ip("10.1.2.7")));
    assert_eq!(fifth.broadcast, Some(ip("0.0.0.0")));
    let excluded: Vec<IpAddr> = router.excluded_vips.iter().map(|vip| vip.addr).collect();
    assert_eq!(excluded, [ip("192.0.2.1"), ip("192.0.2.2")]);
}

#[test]
fn unicast_and_multicast() {
    let peers = router(
        "unicast_src_ip 10.77.0.1\nunicast_ttl 9\nunicast_peer {\n10.77.0.2\n10.77.0.3 max_ttl 9 min_ttl 8\n}",
    );
    let peer = |addr, min_ttl, max_ttl| UnicastPeer { addr: ip(addr), min_ttl, max_ttl };
    let expected = vec![peer("10.77.0.2", 0, 255), peer("10.77.0.3", 8, 9)];
    assert_eq!(
        peers.delivery,
        Delivery::Unicast { peers: expected, check_source: true },
        "a limit implies the check"
    );
    assert_eq!((peers.ttl, peers.source), (9, Some(ip("10.77.0.1"))));
    let checked = router("check_unicast_src\nunicast_peer { 10.77.0.2 }");
    assert!(matches!(checked.delivery, Delivery::Unicast { check_source: true, .. }));
    let multicast = router("mcast_src_ip 10.77.0.9\nmcast_dst_ip 224.0.0.99\nunicast_ttl 3");
    assert_eq!(multicast.delivery, Delivery::Multicast { group: ip("224.0.0.99") });
    assert_eq!((multicast.ttl, multicast.source), (255, Some(ip("10.77.0.9"))));
}

#[test]
fn globals_are_defaults_wherever_they_stand() {
    let globals = "global_defs {\nvrrp_version 3\nvrrp_mcast_group4 224.0.0.77\nvrrp_garp_master_delay 1\n\
                   vrrp_garp_master_repeat 2\nvrrp_garp_lower_prio_repeat 0\nvrrp_garp_interval 0.000001\n\
                   vrrp_garp_master_refresh 60\nvrrp_garp_master_refresh_repeat 3\n\
                   vrrp_down_timer_adverts 5\nvrrp_lower_prio_no_advert\nvrrp_higher_prio_send_advert true\n\
                   v3_checksum_as_v2 yes\nxdp_mode skb\ndefault_interface eth9\nrouter_id \"a node\"\n\
                   vrrp_skip_check_adv_addr\ndynamic_interfaces allow_if_changes }\n";
    let instance = "vrrp_instance V {\nvirtual_router_id 1\nvirtual_ipaddress { 10.0.0.1 }\n\
                    garp_master_repeat 4\nhigher_prio_send_advert no\nskip_check_adv_addr\nuse_vmac vrrp.1\nno_accept }\n";
    for text in [format!("{globals}{instance}"), format!("{instance}{globals}")] {
        let config = clean(&text);
        let router = &config.routers[0];
        assert_eq!(
            (config.global.xdp_mode, config.global.router_id.as_deref()),
            (XdpMode::Skb, Some("a node"))
        );
        assert_eq!(router.version, Version::V3(ChecksumMode::Message));
        assert_eq!(router.delivery, Delivery::Multicast { group: ip("224.0.0.77") });
        assert_eq!((router.interface.as_str(), router.vips[0].dev.as_str()), ("eth9", "eth9"));
        assert_eq!((router.down_timer_adverts, router.lower_priority), (5, LowerPriority::Discard));
        assert_eq!((router.advert_on_yield, router.virtual_mac, router.accept), (false, true, false));
        assert_eq!(router.interval, Centis::SECOND);
        let announce = &router.announce;
        assert_eq!((announce.delay, announce.repeat), (Duration::from_secs(1), 4));
        assert_eq!(
            (announce.lower_priority_delay, announce.lower_priority_repeat),
            (Duration::from_secs(1), 0)
        );
        assert_eq!((announce.refresh, announce.refresh_repeat), (Duration::from_secs(60), 3));
        assert_eq!(announce.garp_interval, Duration::from_micros(1));
    }
}

#[test]
fn min_garp_is_one_announcement() {
    let text = format!("global_defs {{ vrrp_min_garp }}\n{}", instance(""));
    let announce = clean(&text).routers.remove(0).announce;
    assert_eq!((announce.delay, announce.repeat, announce.lower_priority_repeat), (Duration::ZERO, 1, 1));
}

#[test]
fn ipv6_is_read_and_left_out() {
    let text = "vrrp_instance V6 {\ninterface eth0\nvirtual_router_id 51\nvirtual_ipaddress {\nfe80::1/64\n2001:db8::1/64\n}\n}\n";
    let loaded = load_text(&format!("{text}{}", instance("virtual_ipaddress_excluded { 2001:db8::5 }")));
    assert_eq!(
        lines(&loaded),
        [
            "1:15 warning `V6` is an IPv6 router, which is not implemented yet",
            "13:30 warning IPv6 address `2001:db8::5` is not implemented yet",
        ]
    );
    let routers = loaded.config.unwrap().routers;
    assert_eq!(routers.len(), 1, "the same VRID of the other family stays");
    assert_eq!(routers[0].excluded_vips, []);
    // Nothing would run: the exit code says so.
    let alone = load_text(text);
    assert_eq!((alone.report.exit_code(), alone.config.unwrap().routers.len()), (4, 0));
}

#[test]
fn what_only_ipv6_or_a_macvlan_interface_has_is_named() {
    let globals = "global_defs {\nvrrp_mcast_group6 ff02::99\nvrrp_gna_interval 1.5\n}\n";
    let loaded = load_text(&format!("{globals}{}", instance("gna_interval 2\nuse_vmac\nvmac_xmit_base")));
    assert_eq!(
        lines(&loaded),
        [
            "2:1 unsupported `vrrp_mcast_group6` is not implemented yet and has no effect",
            "3:1 unsupported `vrrp_gna_interval` is not implemented yet and has no effect",
            "9:1 unsupported `gna_interval` is not implemented yet and has no effect",
            "11:1 unsupported `vmac_xmit_base` is not implemented yet and has no effect",
        ]
    );
    let announce = loaded.config.unwrap().routers.remove(0).announce;
    assert_eq!(announce.gna_interval, Duration::from_secs(2), "its value is read and checked all the same");
}

#[test]
fn an_owner_is_configured_by_its_state_or_priority_alone() {
    // The address may be one that the interface has anyway, and adverts may leave from it.
    let own =
        "interface eth0\nvirtual_router_id 51\nmcast_src_ip 10.77.0.1\nvirtual_ipaddress { 10.77.0.1/24 }\n";
    for state in ["state MASTER", "priority 255", "state MASTER\npriority 255"] {
        let router = clean(&format!("vrrp_instance V {{\n{own}{state}\n}}\n")).routers.remove(0);
        assert_eq!((router.priority, router.preempt), (Priority::OWNER, Preempt::Always), "{state}");
        assert_eq!(router.source, Some(router.vips[0].addr), "{state}");
    }
}

#[test]
fn what_an_advert_cannot_hold_is_excluded() {
    let entries: String = (0..300).map(|n| format!("10.1.{}.{}\n", n / 200, n % 200)).collect();
    let text = format!(
        "vrrp_instance V {{\ninterface e\nvirtual_router_id 1\nvirtual_ipaddress {{\n{entries}}}\n}}\n"
    );
    let loaded = load_text(&text);
    assert_eq!(lines(&loaded), ["260:1 warning an advert holds 255 addresses: 45 are moved to excluded"]);
    let router = loaded.config.unwrap().routers.remove(0);
    assert_eq!((router.vips.len(), router.excluded_vips.len()), (255, 45));
    assert_eq!(router.excluded_vips[0].addr, ip("10.1.1.55"));
}

#[test]
fn peers_are_limited_only_where_they_are_checked() {
    let peers: String = (1..=33).map(|n| format!("10.77.1.{n}\n")).collect();
    let unchecked = router(&format!("unicast_peer {{\n{peers}}}"));
    assert!(matches!(unchecked.delivery, Delivery::Unicast { peers, .. } if peers.len() == 33));
    let checked = load_text(&instance(&format!("check_unicast_src\nunicast_peer {{\n{peers}}}")));
    assert_eq!(lines(&checked), ["39:1 error more than 32 unicast peers to check"]);
}
