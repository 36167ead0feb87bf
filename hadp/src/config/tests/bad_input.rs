//! Bad input: what is said of it and where.

use super::*;

/// Statements of an instance, from its fifth line on, and what is said of them.
#[test]
fn statements_of_an_instance() {
    let table: &[(&str, &[&str])] = &[
        ("priority", &["5:1 error `priority` needs a parameter"]),
        ("priority 0", &["5:10 error priority 0 is out of range"]),
        ("priority 256", &["5:10 error priority 256 is out of range"]),
        ("priority 1.5", &["5:10 error priority takes a whole number, not `1.5`"]),
        ("priority 0x10", &["5:10 error priority takes a whole number, not `0x10`"]),
        ("priority -1", &["5:10 error priority takes a whole number, not `-1`"]),
        ("priority 99999999999", &["5:10 error priority 99999999999 is out of range"]),
        ("priority 100 200", &["5:14 warning `priority` takes one parameter"]),
        ("prioritiy 100", &["5:1 warning unknown keyword `prioritiy` in `vrrp_instance`"]),
        ("Priority 100", &["5:1 warning unknown keyword `Priority` in `vrrp_instance`"]),
        ("auth_pass 1", &["5:1 warning `auth_pass` is not a keyword of `vrrp_instance`"]),
        ("virtual_router_id 300", &["5:19 error virtual_router_id 300 is out of range"]),
        ("state \"BACKUP\"x", &["5:15 warning `state` takes one parameter"]),
        (
            "state x\"y z\"",
            &["5:7 warning unknown state `x` is taken for BACKUP", "5:8 warning `state` takes one parameter"],
        ),
        ("state FOO", &["5:7 warning unknown state `FOO` is taken for BACKUP"]),
        ("state \"MASTER\npriority 3", &["5:7 error the quote `\"` is not closed on this line"]),
        ("version 4", &["5:9 error version 4 is out of range"]),
        ("advert_int 0.5", &["5:12 error advert_int of VRRP version 2 is in whole seconds"]),
        ("advert_int 0", &["5:12 error advert_int 0 is out of range"]),
        ("advert_int x", &["5:12 error advert_int takes seconds, not `x`"]),
        ("version 3\nadvert_int 41", &["6:12 error advert_int of VRRP version 3 is at most 40.95"]),
        (
            "version 3\nadvert_int 0.015",
            &["6:12 warning advert_int is in hundredths of a second: rounded to 0.02"],
        ),
        ("version 3\nadvert_int 0.001", &["6:12 error advert_int 0.001 is out of range"]),
        (
            "interface a-very-long-interface-name",
            &["5:11 error interface `a-very-long-interface-name` is not an interface's name"],
        ),
        ("mcast_src_ip eth0", &["5:14 error mcast_src_ip takes an IP address, not `eth0`"]),
        ("mcast_src_ip fe80::1", &["5:14 error `fe80::1` is not of the family of `VI_1`"]),
        (
            "mcast_dst_ip 10.0.0.1",
            &["5:14 error mcast_dst_ip `10.0.0.1` is not a multicast group of its family"],
        ),
        (
            "unicast_peer {\n10.77.0.300\n}",
            &[
                "5:1 warning `VI_1` has no unicast_peer and uses multicast",
                "6:1 error unicast_peer takes an IP address, not `10.77.0.300`",
            ],
        ),
        ("unicast_peer {\n10.77.0.3 min_ttl 300\n}", &["6:19 error min_ttl 300 is out of range"]),
        ("unicast_peer {\n10.77.0.3 min_ttl 9 max_ttl 8\n}", &["6:1 error min_ttl is larger than max_ttl"]),
        (
            "unicast_peer {\n10.77.0.3 ttl 9\n}",
            &[
                "6:11 warning unknown option `ttl` of unicast_peer",
                "6:15 warning unknown option `9` of unicast_peer",
            ],
        ),
        ("unicast_peer\n", &["5:1 error `unicast_peer` needs a block"]),
        ("unicast_src_ip 10.77.0.1", &["5:16 warning `VI_1` has no unicast_peer and uses multicast"]),
        (
            "unicast_fault_no_peer\nunicast_peer { }",
            &["6:1 error `VI_1` is to use unicast and has no unicast_peer"],
        ),
        ("unicast_ttl 0", &["5:13 error unicast_ttl 0 is out of range"]),
        ("preempt_delay 1000.1", &["5:15 error preempt_delay 1000.1 is out of range"]),
        ("nopreempt\npreempt_delay 5", &["6:15 warning preempt_delay has no effect with nopreempt"]),
        ("state MASTER\npriority 9\nnopreempt", &["7:1 warning nopreempt has no effect with state MASTER"]),
        ("priority 255\nnopreempt", &["6:1 warning nopreempt has no effect with priority 255"]),
        ("garp_master_delay 2.5", &["5:19 error garp_master_delay takes a whole number, not `2.5`"]),
        ("garp_master_repeat 0", &["5:20 warning garp_master_repeat is at least 1"]),
        ("garp_interval -1", &["5:15 error garp_interval takes seconds, not `-1`"]),
        ("down_timer_adverts 101", &["5:20 error down_timer_adverts 101 is out of range"]),
        ("lower_prio_no_advert maybe", &["5:22 error lower_prio_no_advert takes on or off, not `maybe`"]),
        ("authentication {\nauth_type AH\nauth_pass 1\n}", &["6:11 error auth_type AH is not implemented"]),
        ("authentication {\nauth_type pass\nauth_pass 1\n}", &["6:11 error unknown auth_type `pass`"]),
        ("authentication {\nauth_pass 1\n}", &["6:11 warning authentication without auth_type is ignored"]),
        ("authentication {\nauth_type PASS\n}", &["5:1 warning authentication without auth_pass is ignored"]),
        (
            "authentication {\nauth_type PASS\nauth_pass 123456789\n}",
            &["7:11 warning auth_pass is cut to its first 8 octets"],
        ),
        (
            "version 3\nauthentication {\nauth_type PASS\nauth_pass 1\n}",
            &["6:1 warning VRRP version 3 has no authentication: the block is ignored"],
        ),
        ("priority 100 {\nx 1\n}", &["5:14 error `priority` takes no block"]),
        ("foo {\npriority 7\nbar {\n}\n}", &["5:1 warning unknown keyword `foo` in `vrrp_instance`"]),
        ("lvs_sync_daemon_interface eth0", &["5:1 warning `lvs_sync_daemon_interface` is obsolete"]),
        (
            "use_vmac vrrp.1 00:11:22:33:44:55",
            &["5:17 unsupported another MAC than the virtual router's is not implemented yet"],
        ),
        (
            "notify_master '/a b {c}' root",
            &["5:1 unsupported `notify_master` is not implemented yet and has no effect"],
        ),
    ];
    for (statements, expected) in table {
        assert_eq!(lines(&load_text(&instance(statements))), *expected, "{statements}");
    }
}

/// Entries of `virtual_ipaddress`, on the fifth line, and what is said of them.
#[test]
fn addresses() {
    for (entry, expected) in [
        ("10.77.0.300", "5:1 error `10.77.0.300` is not an IP address"),
        ("10.0.0.1/33", "5:1 error `10.0.0.1/33` has no valid prefix length"),
        ("10.0.0.1/255.255.0.0", "5:1 error `10.0.0.1/255.255.0.0` has no valid prefix length"),
        ("10.0.0.1/", "5:1 error `10.0.0.1/` has no valid prefix length"),
        ("10.0.0.1 dev", "5:10 error `dev` needs a parameter"),
        ("10.0.0.1 foo", "5:10 warning unknown option `foo` of an address"),
        ("10.0.0.1 lable eth0:1", "5:10 warning unknown option `lable` of an address"),
        ("10.0.0.1 label a-label-that-is-long", "5:16 error label `a-label-that-is-long` is too long"),
        ("10.0.0.1 scope here", "5:16 error unknown scope `here`"),
        ("10.0.0.1 brd 300.2.3.4", "5:14 error `300.2.3.4` is not a broadcast address of `10.0.0.1`"),
        ("10.0.0.1 brd +", "5:14 warning prefix length 32 leaves no broadcast address"),
        ("10.0.0.1 peer x", "5:15 error `x` is not an IP address"),
        ("10.0.0.1 noprefixroute", "5:10 unsupported `noprefixroute` is not implemented yet"),
        ("10.0.0.1 preferred_lft forever", "5:10 unsupported `preferred_lft` is not implemented yet"),
        ("fe80::1", "5:1 error `fe80::1` is not of the family of the address before it"),
        ("10.9.9.9/24", "5:1 warning `10.9.9.9` is listed twice"),
    ] {
        let text = format!(
            "vrrp_instance V {{\ninterface eth0\nvirtual_router_id 1\nvirtual_ipaddress {{ 10.9.9.9\n{entry}\n}}\n}}\n"
        );
        let found = lines(&load_text(&text));
        assert_eq!(found.first().map(String::as_str), Some(expected), "{entry}: {found:?}");
    }
}

#[test]
fn all_that_is_wrong_with_an_entry_is_reported() {
    let entries = "virtual_ipaddress_excluded {\n10.0.0.300 brd 1.2.3 dev a/b scope here label\n}\n\
                   unicast_peer {\n10.0.0 min_ttl 256 max_ttl 300\n10.77.0.2\n}";
    assert_eq!(
        lines(&load_text(&instance(entries))),
        [
            "6:1 error `10.0.0.300` is not an IP address",
            "6:26 error dev `a/b` is not an interface's name",
            "6:36 error unknown scope `here`",
            "6:41 error `label` needs a parameter",
            "9:1 error unicast_peer takes an IP address, not `10.0.0`",
            "9:16 error min_ttl 256 is out of range",
            "9:28 error max_ttl 300 is out of range",
        ]
    );
}

/// Whole files and what is said of them.
#[test]
fn files() {
    let good = instance("");
    let table: &[(&str, &[&str])] = &[
        (
            "vrrp_instance V {\ninterface eth0\n",
            &[
                "1:15 error `V` has no virtual_router_id",
                "1:15 error `V` has no address in virtual_ipaddress",
                "1:17 error missing `}`: the block of `vrrp_instance` is still open where the configuration ends",
            ],
        ),
        (&format!("{good}}}\n"), &["7:1 error `}` closes nothing"]),
        (&format!("{{\n}}\n{good}"), &["1:1 error `{` follows no keyword"]),
        (
            "vrrp_instance V {\nvirtual_router_id 1\nvirtual_ipaddress { 10.0.0.1 }\n}",
            &["1:15 error `V` has no interface"],
        ),
        (&format!("vrrp_instance {{\n}}\n{good}"), &["1:1 error `vrrp_instance` needs a parameter"]),
        (
            &format!("vrrp_instance\n{good}"),
            &["1:1 error `vrrp_instance` needs a parameter", "1:1 error `vrrp_instance` needs a block"],
        ),
        (&format!("{good}{good}"), &["7:15 error vrrp_instance `VI_1` is defined twice"]),
        (
            &format!("{good}{}", good.replace("VI_1", "VI_2")),
            &[
                "7:15 error `VI_1` and `VI_2` both have VRID 51 with IPv4 on eth0",
                "10:21 error `VI_1` has `10.77.0.100` on eth0 already",
            ],
        ),
        (
            &format!("vrp_instance V {{\nx {{ }}\n}}\n{good}"),
            &["1:1 warning unknown keyword `vrp_instance` in the configuration"],
        ),
        (
            &format!("global_defs {{ xdp_mode fast\n vrrp_version 1 }}\n{good}"),
            &["1:24 error unknown xdp_mode `fast`", "2:15 error vrrp_version 1 is out of range"],
        ),
        (&format!("~SEQ(X, 1 y\n{good}"), &["1:1 error `~SEQ` cannot be read: the `(...)` is not closed"]),
        (&format!("# {}\n{good}", "x".repeat(2000)), &[]),
        (
            &format!("router {}\n{good}", "x".repeat(1020)),
            &[
                "1:1 warning unknown keyword `router` in the configuration",
                "1:1025 error the line is 1027 octets long, the limit is 1024",
            ],
        ),
        (&format!("{good}{}", "a {".repeat(40)), &[]),
    ];
    for (text, expected) in table {
        let found = lines(&load_text(text));
        if text.contains("a {a {") {
            assert!(
                found.iter().any(|line| line.starts_with("7:99 error blocks nest more than 32 deep")),
                "{found:?}"
            );
        } else {
            assert_eq!(found, *expected, "{text}");
        }
    }
}

#[test]
fn a_missing_brace_is_found_where_the_next_block_begins() {
    let first = "vrrp_instance A {\ninterface eth0\nvirtual_router_id 1\nvirtual_ipaddress {\n10.0.0.1\n}\n";
    let loaded = load_text(&format!("{first}{}", instance("")));
    let [only] = loaded.report.diagnostics() else { panic!("{:?}", lines(&loaded)) };
    assert_eq!((only.line, only.column), (1, 17));
    assert!(only.message.ends_with("is still open where `vrrp_instance` begins"), "{}", only.message);
    let text = loaded.report.render(false);
    assert!(text.contains("opened here") && text.contains("still inside the block here"), "{text}");
}

#[test]
fn octets_that_are_no_text() {
    let good = instance("");
    let bytes = [b"router_id \xff\n".as_slice(), good.as_bytes(), b"\n\0"].concat();
    let loaded = load_files(&[("/etc/hadp.conf", &bytes)]);
    let found = lines(&loaded);
    assert!(found.contains(&"1:11 error octet 0xff is not UTF-8".to_owned()), "{found:?}");
    assert!(found.contains(&"9:1 error a NUL octet is not text".to_owned()), "{found:?}");
}

#[test]
fn six_mistakes_are_six_problems() {
    let loaded = load_text(
        "global_defs {\n  router_if n1\n  vrrp_version 9\n}\nvrrp_instance A {\n  state MASTR\n  interface eth0\n\
         \x20 virtual_router_id 0\n  prioritie 100\n  virtual_ipaddress {\n    10.0.0.1 dve eth0\n    10.0.0.2\n  }\n}\n",
    );
    assert_eq!(
        lines(&loaded),
        [
            "2:3 warning unknown keyword `router_if` in `global_defs`",
            "3:16 error vrrp_version 9 is out of range",
            "6:9 warning unknown state `MASTR` is taken for BACKUP",
            "8:21 error virtual_router_id 0 is out of range",
            "9:3 warning unknown keyword `prioritie` in `vrrp_instance`",
            "11:14 warning unknown option `dve` of an address",
            "11:18 warning unknown option `eth0` of an address",
        ]
    );
    assert_eq!((loaded.config, loaded.report.exit_code()), (None, 5));
}

/// Statements that are wrong whatever the instance lacks, from the second line on.
const WRONG: &str = "advert_int 0.5\nunicast_src_ip 10.77.0.1\nunicast_peer {\nfe80::2\n}\n\
                     authentication {\nauth_type AH\n}\nstate MASTER\npriority 9\nnopreempt\n\
                     virtual_ipaddress_excluded {\n10.9.9.9\n10.9.9.9\n}\n";

/// What is said of them.
const SAID: [&str; 5] = [
    "2:12 error advert_int of VRRP version 2 is in whole seconds",
    "5:1 error `fe80::2` is not of the family of `V`",
    "8:11 error auth_type AH is not implemented",
    "12:1 warning nopreempt has no effect with state MASTER",
    "15:1 warning `10.9.9.9` is listed twice",
];

#[test]
fn what_is_missing_hides_no_other_mistake() {
    let vips = "virtual_ipaddress {\n10.0.0.1\nfe80::1\n}\n";
    let mixed = "19:1 error `fe80::1` is not of the family of the address before it";
    let interface = "1:15 error `V` has no interface";
    let vrid = "1:15 error `V` has no virtual_router_id";
    let address = "1:15 error `V` has no address in virtual_ipaddress";
    for (rest, before, behind) in [
        (format!("{vips}interface e\nvirtual_router_id 1\n"), vec![], vec![mixed]),
        (format!("{vips}virtual_router_id 1\n"), vec![interface], vec![mixed]),
        (format!("{vips}interface e\n"), vec![vrid], vec![mixed]),
        ("interface e\nvirtual_router_id 1\n".into(), vec![address], vec![]),
        (vips.to_owned(), vec![interface, vrid], vec![mixed]),
        (String::new(), vec![interface, vrid, address], vec![]),
    ] {
        let loaded = load_text(&format!("vrrp_instance V {{\n{WRONG}{rest}}}\n"));
        assert_eq!(lines(&loaded), [before, SAID.to_vec(), behind].concat(), "{rest}");
    }
}

#[test]
fn instances_without_a_name_of_their_own_are_looked_at() {
    let wrong = instance("version 4\nstate MASTER\nnopreempt");
    let found = lines(&load_text(&format!("{}{wrong}", instance(""))));
    assert_eq!(
        found,
        [
            "7:15 error vrrp_instance `VI_1` is defined twice",
            "11:9 error version 4 is out of range",
            "13:1 warning nopreempt has no effect with priority 255",
        ]
    );
    let found = lines(&load_text(&wrong.replace("VI_1 ", "")));
    assert_eq!(found, ["1:1 error `vrrp_instance` needs a parameter", "5:9 error version 4 is out of range"]);
}

#[test]
fn what_is_missing_brings_up_nothing_else() {
    // Neither has an interface, so nothing says that they share an address.
    let without = |name| {
        format!("vrrp_instance {name} {{\nvirtual_router_id 1\nvirtual_ipaddress {{ 10.0.0.1 }}\n}}\n")
    };
    let found = lines(&load_text(&format!("{}{}", without("A"), without("B"))));
    assert_eq!(found, ["1:15 error `A` has no interface", "5:15 error `B` has no interface"]);
    // Each is IPv6 by what it says, so its version is 3.
    for (statement, said) in [
        ("virtual_ipaddress {\nfe80::x\n}", "6:1 error `fe80::x` is not an IP address"),
        ("mcast_src_ip fe80::2", "1:15 error `V` has no address in virtual_ipaddress"),
        ("unicast_peer { fe80::2 }", "1:15 error `V` has no address in virtual_ipaddress"),
        ("mcast_dst_ip ff02::99", "1:15 error `V` has no address in virtual_ipaddress"),
    ] {
        let text = format!(
            "vrrp_instance V {{\ninterface e\nvirtual_router_id 1\nadvert_int 0.5\n{statement}\n}}\n"
        );
        let found = lines(&load_text(&text));
        assert_eq!(found.first().map(String::as_str), Some(said), "{statement}: {found:?}");
        assert!(found.iter().all(|line| !line.contains("whole seconds")), "{statement}: {found:?}");
    }
}

#[test]
fn mistakes_inside_unsupported_blocks_are_found() {
    let text = "virtual_server 10.0.0.1 80 {\ndelay_lop 3\nreal_server 10.0.0.2 80 {\nHTTP_GET {\nurl {\npth /\n}\n}\n}\n}\n";
    let loaded = load_text(&format!("{text}{}", instance("")));
    assert_eq!(
        lines(&loaded),
        [
            "1:1 unsupported `virtual_server` is not implemented yet and has no effect",
            "2:1 warning unknown keyword `delay_lop` in `virtual_server`",
            "6:1 warning unknown keyword `pth` in `url`",
        ]
    );
    let helps: Vec<_> =
        loaded.report.diagnostics().iter().filter_map(|found| found.help.as_deref()).collect();
    assert_eq!(helps, ["did you mean `delay_loop`?", "did you mean `path`?"]);
}

#[test]
fn strict_takes_warnings_for_errors() {
    let memory = Memory(BTreeMap::from([("/c".into(), instance("stat MASTER\nnotify x").into_bytes())]));
    let strict = load_from(&memory, Path::new("/c"), &Options { strict: true, ..options() });
    let severities: Vec<_> = strict.report.diagnostics().iter().map(|found| found.severity).collect();
    assert_eq!(severities, [Severity::Error, Severity::Unsupported]);
    assert_eq!((strict.config, strict.report.exit_code()), (None, 5));
    let lenient = load_from(&memory, Path::new("/c"), &options());
    assert_eq!((lenient.config.is_some(), lenient.report.exit_code()), (true, 4));
}

#[test]
fn a_keyword_of_another_block_is_sent_home() {
    let loaded = load_text(&instance("auth_pass 1\nvirtual_ipadress {\n}"));
    let helps: Vec<_> =
        loaded.report.diagnostics().iter().filter_map(|found| found.help.as_deref()).collect();
    assert_eq!(helps, ["it belongs in `authentication`", "did you mean `virtual_ipaddress`?"]);
}
