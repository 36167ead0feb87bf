//! `bfd_instance`, `track_*` and `fast_failover`: what they mean and what is said of them.

use std::{net::IpAddr, time::Duration};

use super::*;
use crate::model::{BfdInstance, Effect, FastFailover, Track, Tracked};

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// Returns a session with these statements, on its second line and behind it; its neighbour is on the first.
fn session(statements: &str) -> String {
    format!("bfd_instance B {{ neighbor_ip 10.77.0.2\n{statements}\n}}\n")
}

fn bfd(statements: &str) -> BfdInstance {
    clean(&session(statements)).bfd.remove(0)
}

fn micros(micros: u64) -> Duration {
    Duration::from_micros(micros)
}

/// Returns a router with these statements, followed by the session `B` and one, `C`, of other intervals.
fn tracking(statements: &str) -> String {
    let other = "bfd_instance C {\nneighbor_ip 10.77.0.3\nweight -20 reverse\nmin_rx 0.25\nmin_tx 250us\nmultiplier 3\n}\n";
    format!("{}{}{other}", instance(statements), session(""))
}

#[test]
fn defaults_are_keepalived_s() {
    let expected = BfdInstance {
        name: "B".into(),
        neighbor: ip("10.77.0.2"),
        source: None,
        interface: None,
        min_tx: micros(10_000),
        min_rx: micros(10_000),
        idle_tx: Duration::from_secs(1),
        multiplier: 5,
        passive: false,
        ttl: 255,
        min_ttl: 255,
        multihop: false,
        auth: None,
        flap_damping: true,
    };
    assert_eq!(bfd(""), expected);
    assert_eq!(bfd("vrrp\nchecker\nmultihop off"), expected, "who hears of it is not the session's");
}

#[test]
fn every_keyword() {
    let seen = clean(
        "bfd_instance B {\nneighbour_ip fe80::2\nsource_ip fe80::1\ninterface eth1\nmin_rx 0.25\nmin_tx 100us\n\
         idle_tx 2000.5\nmultiplier 3\npassive\nhoplimit 64\nmax_hops 4\n\
         auth_sha1 7 \"a secret\" meticulous\nweight 5\nflap_damping off\n}\n",
    )
    .bfd
    .remove(0);
    let auth = seen.auth.as_ref().unwrap();
    assert_eq!((auth.key_id, &auth.key[..9], auth.meticulous), (7, b"a secret\0".as_slice(), true));
    assert!(!format!("{seen:?}").contains("secret"), "{seen:?}");
    assert_eq!(
        (seen.neighbor, seen.source, seen.interface.as_deref()),
        (ip("fe80::2"), Some(ip("fe80::1")), Some("eth1"))
    );
    assert_eq!((seen.min_rx, seen.min_tx, seen.idle_tx), (micros(250), micros(100), micros(2_000_500)));
    assert_eq!((seen.multiplier, seen.passive, seen.ttl, seen.min_ttl), (3, true, 64, 60));
    assert!(!seen.flap_damping);
}

#[test]
fn intervals_are_milliseconds_or_say_what_they_are() {
    for (text, expected) in [
        ("10", 10_000),
        ("1.25", 1_250),
        ("0.01", 10),
        ("10us", 10),
        ("0.5ms", 500),
        ("4294967", 4_294_967_000),
    ] {
        assert_eq!(bfd(&format!("min_rx {text}")).min_rx, micros(expected), "{text}");
    }
}

#[test]
fn how_far_a_packet_may_have_come() {
    for (statements, ttl, min_ttl) in [
        ("max_hops 3", 255, 252),
        ("max_hops 255", 255, 0),
        ("ttl 64", 64, 64),
        ("ttl 64\nmax_hops 64", 64, 0),
        ("multihop", 255, 0),
        ("multihop\nmax_hops 5", 255, 250),
    ] {
        let seen = bfd(statements);
        assert_eq!((seen.ttl, seen.min_ttl), (ttl, min_ttl), "{statements}");
    }
}

#[test]
fn a_key_of_twenty_octets_is_one() {
    let key = |text: &str| bfd(&format!("auth_sha1 255 {text}")).auth.unwrap();
    assert_eq!(key("12345678901234567890").key, *b"12345678901234567890");
    assert!(!key("1").meticulous);
}

#[test]
fn what_a_router_tracks() {
    let seen = clean(&tracking(
        "track_interface {\neth1\neth2 weight 5\neth3 weight -253 reverse\n}\n\
         track_bfd {\nB\nC\n}\ntrack_interface { eth4 weight 0 reverse }",
    ));
    let interface =
        |name: &str, effect, reverse| Track { object: Tracked::Interface(name.into()), effect, reverse };
    let bfd = |name: &str, effect, reverse| Track { object: Tracked::Bfd(name.into()), effect, reverse };
    assert_eq!(
        seen.routers[0].tracks,
        [
            interface("eth1", Effect::Fault, false),
            interface("eth2", Effect::Weight(5), false),
            interface("eth3", Effect::Weight(-253), true),
            bfd("B", Effect::Fault, false),
            bfd("C", Effect::Weight(-20), true),
            interface("eth4", Effect::Fault, true),
        ]
    );
    let overridden =
        clean(&tracking("track_bfd {\nC weight 7\nB weight 7 reverse\n}")).routers.remove(0).tracks;
    assert_eq!(overridden, [bfd("C", Effect::Weight(7), true), bfd("B", Effect::Weight(7), true)]);
    let forward = clean(&tracking("track_bfd { C weight 7 noreverse }")).routers.remove(0).tracks;
    assert_eq!(forward, [bfd("C", Effect::Weight(7), false)]);
    let owner = clean(&tracking("priority 255\ntrack_bfd { B }")).routers.remove(0).tracks;
    assert_eq!(owner, [bfd("B", Effect::Fault, false)], "what has no weight counts for an owner, too");
}

#[test]
fn fast_failover_names_sessions_or_takes_all() {
    let fast = |statements: &str| clean(&tracking(statements)).routers.remove(0).fast_failover;
    let of =
        |names: &[&str]| Some(FastFailover { sessions: names.iter().map(|&name| name.into()).collect() });
    assert_eq!(fast(""), None);
    assert_eq!(fast("fast_failover"), of(&[]));
    assert_eq!(fast("fast_failover C B"), of(&["C", "B"]));
    assert_eq!(fast("fast_failover C\nfast_failover B"), of(&["B"]), "the last one wins");
}

/// Statements of a session, from its second line on, and what is said of them.
#[test]
fn statements_of_a_session() {
    let table: &[(&str, &[&str])] = &[
        ("neighbor_ip x", &["2:13 error neighbor_ip takes an IP address, not `x`"]),
        ("neighbor_ip 0.0.0.0", &["2:13 error neighbor_ip `0.0.0.0` is no node's address"]),
        ("neighbour_ip ff02::1", &["2:14 error neighbour_ip `ff02::1` is no node's address"]),
        ("source_ip 255.255.255.255", &["2:11 error source_ip `255.255.255.255` is no node's address"]),
        ("source_ip fe80::1", &["2:11 error source_ip `fe80::1` is not of the family of `10.77.0.2`"]),
        ("source_ip 10.77.0.2", &["2:11 error neighbor_ip and source_ip are both `10.77.0.2`"]),
        ("neighbor_ip fe80::1", &["2:13 error `fe80::1` is a link-local address and needs `interface`"]),
        ("neighbor_ip fe80::1\ninterface eth0\nmultihop", &["2:13 error `fe80::1` is a link-local address"]),
        ("interface eth0\nmultihop", &["2:11 warning interface has no effect with multihop"]),
        ("interface a/b", &["2:11 error interface `a/b` is not an interface's name"]),
        ("min_rx 0", &["2:8 error min_rx 0 is out of range"]),
        ("min_rx 9us", &["2:8 error min_rx 9us is out of range"]),
        ("min_tx 0.009", &["2:8 error min_tx 0.009 is out of range"]),
        ("min_tx 0.0105", &["2:8 error min_tx takes milliseconds, not `0.0105`"]),
        ("min_tx 4294967.001", &["2:8 error min_tx 4294967.001 is out of range"]),
        ("min_tx 1s", &["2:8 error min_tx takes milliseconds, not `1s`"]),
        ("min_tx 250 us", &["2:12 warning `min_tx` takes one parameter"]),
        ("idle_tx 999.999", &["2:9 error idle_tx 999.999 is out of range"]),
        ("multiplier 0", &["2:12 error multiplier 0 is out of range"]),
        ("multiplier 256", &["2:12 error multiplier 256 is out of range"]),
        ("ttl 0", &["2:5 error ttl 0 is out of range"]),
        ("hoplimit 256", &["2:10 error hoplimit 256 is out of range"]),
        ("max_hops 256", &["2:10 error max_hops 256 is out of range"]),
        ("max_hops 65\nttl 64", &["2:10 warning max_hops 65 is more than ttl 64"]),
        ("max_hops -1", &["2:10 error max_hops takes a whole number, not `-1`"]),
        ("multihop perhaps", &["2:10 error multihop takes on or off, not `perhaps`"]),
        ("weight 254", &["2:8 error weight 254 is out of range"]),
        ("weight -254", &["2:8 error weight -254 is out of range"]),
        ("weight 1.5", &["2:8 error weight takes a whole number, not `1.5`"]),
        ("weight -", &["2:8 error weight takes a whole number, not `-`"]),
        ("weight 5 revers", &["2:10 warning unknown option `revers` of weight"]),
        ("passive on", &["2:9 warning `passive` takes no parameter"]),
        ("multiplyer 3", &["2:1 warning unknown keyword `multiplyer` in `bfd_instance`"]),
        ("auth_sha1 1", &["2:1 error `auth_sha1` needs 2 parameters"]),
        ("auth_sha1 256 abc", &["2:11 error auth_sha1 begins with the number of the key"]),
        ("auth_sha1 abc meticulous", &["2:11 error auth_sha1 begins with the number of the key"]),
        ("auth_sha1 1 \"\"", &["2:13 error the secret of auth_sha1 has 1 to 20 octets"]),
        ("auth_sha1 1 123456789012345678901", &["2:13 error the secret of auth_sha1 has 1 to 20 octets"]),
        ("auth_sha1 1 abc def", &["2:17 error only `meticulous` may follow the secret of auth_sha1"]),
    ];
    for (statements, expected) in table {
        assert_eq!(lines(&load_text(&session(statements))), *expected, "{statements}");
    }
}

/// Whole sessions and what is said of them.
#[test]
fn sessions_together() {
    let b = session("");
    let c = |statements: &str| format!("bfd_instance C {{\nneighbor_ip 10.77.0.2\n{statements}\n}}\n");
    let same = "4:14 error bfd_instance `B` and `C` have the same neighbour `10.77.0.2`";
    let table: &[(String, &[&str])] = &[
        ("bfd_instance B {\n}\n".into(), &["1:14 error bfd_instance `B` has no neighbor_ip"]),
        (
            "bfd_instance {\nmin_rx 0\n}\n".into(),
            &["1:1 error `bfd_instance` needs a parameter", "2:8 error min_rx 0 is out of range"],
        ),
        (format!("{b}{b}"), &["4:14 error bfd_instance `B` is defined twice"]),
        (format!("{b}{}", c("")), &[same]),
        (format!("{b}{}", c("source_ip 10.77.0.1")), &[same]),
        (format!("{}{}", session("source_ip 10.77.0.9"), c("source_ip 10.77.0.1")), &[]),
        (format!("{b}{}", c("multihop")), &[]),
        (format!("{b}{}", c("interface eth1")), &[same]),
        (format!("{}{}", session("interface eth0"), c("interface eth1")), &[]),
    ];
    for (text, expected) in table {
        assert_eq!(lines(&load_text(text)), *expected, "{text}");
    }
}

#[test]
fn there_is_room_for_255_sessions() {
    let sessions = |count: u32| -> String {
        (1..=count)
            .map(|n| format!("bfd_instance B{n} {{ neighbor_ip 10.0.{}.{} }}\n", n / 200, n % 200 + 1))
            .collect()
    };
    assert_eq!(clean(&sessions(255)).bfd.len(), 255);
    assert_eq!(lines(&load_text(&sessions(258))), ["256:14 error a node has at most 255 BFD sessions"]);
}

/// Statements of an instance, from its fifth line on, and what is said of them.
#[test]
fn what_is_said_of_tracking() {
    let table: &[(&str, &[&str])] = &[
        ("track_bfd {\nX\n}", &["6:1 error track_bfd `X` is not a bfd_instance"]),
        ("track_bfd {\nB weight 254\n}", &["6:10 error weight 254 is out of range"]),
        ("track_bfd {\nB weight\n}", &["6:3 error `weight` needs a number"]),
        (
            "track_bfd {\nB wieght 5\n}",
            &[
                "6:3 warning unknown option `wieght` of a tracked object",
                "6:10 warning unknown option `5` of a tracked object",
            ],
        ),
        ("track_bfd {\nB\nB weight 5\n}", &["7:1 warning `B` is tracked twice"]),
        ("track_bfd {\nB {\n}\n}", &["6:3 error a tracked object takes no block"]),
        ("track_bfd", &["5:1 error `track_bfd` needs a block"]),
        (
            "priority 255\ntrack_bfd {\nB weight 5\n}",
            &["7:1 warning the weight of `B` has no effect with priority 255"],
        ),
        ("track_interface {\neth1\n}\ntrack_interface {\neth1\n}", &["9:1 warning `eth1` is tracked twice"]),
        ("track_interface {\neth0 weight 5\n}", &["6:1 warning `eth0` is the interface of `VI_1` itself"]),
        ("track_interface {\neth1 weight 254\n}", &["6:13 warning weight 254 is taken for 253"]),
        ("track_interface {\neth1 weight -255\n}", &["6:13 error weight -255 is out of range"]),
        ("track_interface {\neth1 weight x\n}", &["6:13 error weight takes a whole number, not `x`"]),
        ("track_interface {\na/b\n}", &["6:1 error track_interface `a/b` is not an interface's name"]),
        ("fast_failover X", &["5:15 error fast_failover `X` is not a bfd_instance"]),
        ("fast_failover B B", &["5:17 warning `B` is named twice"]),
        (
            "version 3\nadvert_int 0.01\nfast_failover B",
            &["7:15 warning `B` takes 50 ms to detect a failure, VRRP's own timers 30 ms"],
        ),
        ("version 3\nadvert_int 0.01\nfast_failover", &[]),
        ("version 3\nadvert_int 0.01\nfast_failover C", &[]),
        (
            "fast_failover B\ntrack_bfd { B }",
            &["6:13 warning `VI_1` cannot take over: without `B` it is in FAULT"],
        ),
        ("fast_failover B\ntrack_bfd { B weight 5 }\ntrack_interface { eth1 }", &[]),
        ("fast_failover\ntrack_bfd { B }", &[]),
        (
            "fast_failover\nunicast_peer { 10.77.0.2 }\ntrack_bfd { B }",
            &["7:13 warning `VI_1` cannot take over: without `B` it is in FAULT"],
        ),
        (
            "fast_failover\nunicast_peer { 10.77.0.9 }",
            &["5:1 warning no bfd_instance has a neighbour that `VI_1` hears"],
        ),
    ];
    for (statements, expected) in table {
        assert_eq!(lines(&load_text(&tracking(statements))), *expected, "{statements}");
    }
}

#[test]
fn what_is_said_of_the_sessions_that_are_there() {
    let alone = load_text(&instance("fast_failover"));
    assert_eq!(lines(&alone), ["5:1 error fast_failover of `VI_1` needs a bfd_instance"]);
    // A wrong session is reported once, not again wherever it is named.
    let wrong = format!("{}{}", instance("fast_failover B\ntrack_bfd { B }"), session("neighbor_ip x"));
    assert_eq!(lines(&load_text(&wrong)), ["9:13 error neighbor_ip takes an IP address, not `x`"]);
    let checker = format!("{}{}", instance("fast_failover B\ntrack_bfd { B }"), session("checker"));
    let loaded = load_text(&checker);
    assert_eq!(
        lines(&loaded),
        [
            "5:15 warning fast_failover `B` is for checkers alone",
            "6:13 warning track_bfd `B` is for checkers alone",
        ]
    );
    let config = loaded.config.unwrap();
    assert_eq!((config.routers[0].tracks.len(), config.bfd.len()), (0, 1));
    let v6 = format!("{}bfd_instance B {{\nneighbor_ip 2001:db8::2\n}}\n", instance("fast_failover"));
    assert_eq!(lines(&load_text(&v6)), ["5:1 warning no bfd_instance has a neighbour that `VI_1` hears"]);
    let slow = format!("{}{}", instance("version 3\nadvert_int 0.01\nfast_failover"), session(""));
    assert_eq!(
        lines(&load_text(&slow)),
        ["7:1 warning BFD takes 50 ms to detect a failure, VRRP's own timers 30 ms"]
    );
}

#[test]
fn a_session_as_slow_as_the_timers_is_of_no_use() {
    let with = |multiplier: u8| {
        let fast = instance("version 3\nadvert_int 0.01\nfast_failover B");
        lines(&load_text(&format!("{fast}{}", session(&format!("multiplier {multiplier}"))))).len()
    };
    assert_eq!([with(2), with(3), with(4)], [0, 1, 1]);
}

#[test]
fn the_documented_pair_is_clean() {
    let page = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/configuration.md"));
    let section = page.split("\n## Failover below a millisecond\n").nth(1).unwrap();
    let config = clean(section.split("```\n").nth(1).unwrap());
    assert_eq!(config.routers[0].fast_failover, Some(FastFailover { sessions: vec!["N2".into()] }));
    assert_eq!((config.bfd[0].min_rx, config.bfd[0].min_tx), (micros(250), micros(250)));
}

#[test]
fn what_to_do_about_it() {
    let text = tracking("track_bfd { D }\nfast_failover BFD").replace("bfd_instance C", "bfd_instance DD");
    let loaded = load_text(&text);
    let helps: Vec<_> =
        loaded.report.diagnostics().iter().filter_map(|found| found.help.as_deref()).collect();
    assert_eq!(helps, ["did you mean `B`?", "add `bfd_instance BFD { ... }`"]);
    let twice = load_text(&format!("{}{}", session(""), session("").replace(" B ", " C ")));
    let rendered = twice.report.render(false);
    assert!(rendered.contains("the first one") && rendered.contains("[/etc/hadp.conf:4:14]"), "{rendered}");
}

#[test]
fn routers_share_guards() {
    let routers = |count: u32, choice: &dyn Fn(u32) -> String| -> String {
        let router = |n: u32| {
            format!(
                "vrrp_instance V{n} {{\ninterface e\nvirtual_router_id {n}\nvirtual_ipaddress {{ 10.0.0.{n} }}\nfast_failover {}\n}}\n",
                choice(n)
            )
        };
        let session = |n: u32| format!("bfd_instance B{n} {{ neighbor_ip 10.9.0.{n} }}\n");
        (1..=count).map(router).chain((1..=count).map(session)).collect()
    };
    assert_eq!(clean(&routers(200, &|_| "B1 B2".into())).routers.len(), 200);
    clean(&routers(63, &|n| format!("B{n}")));
    let turned =
        |n| ["B1 B2", "B2 B1"].get(n as usize - 1).map_or_else(|| format!("B{n}"), |both| both.to_string());
    clean(&routers(64, &turned));
    let beyond = load_text(&routers(66, &|n| format!("B{n}")));
    let message = "383:1 error a node has at most 63 different choices of sessions in fast_failover";
    assert_eq!(lines(&beyond), [message]);
}

/// A key is in nothing that is shown, however it is written and whatever is wrong beside it.
#[test]
fn keys_are_not_shown() {
    for (statements, problems) in [
        ("auth_sha1 1 hunter2\nmultiplier 0", 1),
        ("multiplier 0\nauth_sha1 1 \"hunter2\"", 1),
        ("auth_sha1 1 hunter2hunter2hunter2hunter2", 1),
        ("auth_sha1 hunter2 meticulous", 1),
        ("auth_sha1 1 x hunter2", 1),
        ("auth_sha1 1 \"hunter2", 1),
        ("auth_sha 1 hunter2", 1),
        ("auth_sha1 300 hunter2 hunter2 hunter2", 3),
        ("$KEY=hunter2\nmultiplier 0\nauth_sha1 1 $KEY", 1),
        ("}\nvrrp_instance V {\nauth_sha1 1 hunter2", 4),
    ] {
        let loaded = load_text(&session(statements));
        let shown = loaded.report.render(false);
        assert!(!shown.contains("hunter2") && shown.contains('*'), "{shown}");
        let logged: Vec<_> =
            loaded.report.diagnostics().iter().map(super::super::Diagnostic::compact).collect();
        assert!(logged.iter().all(|line| !line.contains("hunter2")), "{logged:?}");
        assert_eq!(logged.len(), problems, "{logged:?}");
    }
    let number = load_text(&session("auth_sha1 1 54321\nmultiplier 0")).report.render(false);
    assert!(number.contains("auth_sha1 1 *****"), "{number}");
}
