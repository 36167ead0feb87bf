//! What real deployments run, unmodified.

use std::{fs, net::IpAddr, path::PathBuf, time::Duration};

use super::*;
use crate::{
    config::load,
    model::{
        Announce, Auth, Delivery, Family, Global, InitialState, LowerPriority, Preempt, Scope, UnicastPeer,
        Version, Vip, XdpMode,
    },
    units::{Centis, Priority, Vrid},
};

fn scenarios() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/data/scenarios"))
}

fn scenario(file: &str) -> Loaded {
    load(&scenarios().join(file), &options())
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn vip(addr: &str, prefix: u8, label: Option<&str>) -> Vip {
    let label = label.map(str::to_owned);
    Vip {
        addr: ip(addr),
        prefix,
        broadcast: None,
        dev: "eth0".into(),
        scope: Scope::GLOBAL,
        label,
        peer: None,
    }
}

/// Returns a router as most scenarios have it: v2, PASS 1111, keepalived's defaults.
fn base(vrid: u8, priority: u8, state: InitialState, vips: Vec<Vip>) -> Router {
    Router {
        name: "VI_1".into(),
        interface: "eth0".into(),
        vrid: Vrid::new(vrid).unwrap(),
        family: Family::V4,
        version: Version::V2(Auth::Pass(*b"1111\0\0\0\0")),
        state,
        priority: Priority::new(priority).unwrap(),
        interval: Centis::SECOND,
        delivery: Delivery::Multicast { group: ip("224.0.0.18") },
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
        vips,
        excluded_vips: Vec::new(),
    }
}

fn config(router_id: &str, routers: Vec<Router>) -> Config {
    let global = Global { router_id: Some(router_id.into()), xdp_mode: XdpMode::Auto, ..Global::default() };
    Config { global, routers, bfd: Vec::new() }
}

#[test]
fn every_file_loads_without_errors() {
    let mut count = 0;
    for folder in fs::read_dir(scenarios()).unwrap() {
        let folder = folder.unwrap().path();
        for file in fs::read_dir(&folder).into_iter().flatten() {
            let path = file.unwrap().path();
            let loaded = load(&path, &options());
            assert!(!loaded.report.has_errors(), "{}: {:?}", path.display(), lines(&loaded));
            assert!(!loaded.config.unwrap().routers.is_empty(), "{}", path.display());
            count += 1;
        }
    }
    assert_eq!(count, 15);
}

#[test]
fn single() {
    let vips = || vec![vip("10.77.0.100", 16, Some("eth0:1"))];
    let loaded = scenario("single/n1.conf");
    assert_eq!(loaded.config, Some(config("n1", vec![base(55, 150, InitialState::Active, vips())])));
    assert_eq!(
        lines(&loaded),
        [
            "4:4 unsupported `notification_email` is not implemented yet and has no effect",
            "7:4 unsupported `notification_email_from` is not implemented yet and has no effect",
            "8:4 unsupported `smtp_server` is not implemented yet and has no effect",
            "9:4 unsupported `smtp_connect_timeout` is not implemented yet and has no effect",
        ]
    );
    assert_eq!(loaded.report.exit_code(), 0);
    let n2 = scenario("single/n2.conf");
    assert_eq!(n2.config, Some(config("n2", vec![base(55, 100, InitialState::Backup, vips())])));
}

#[test]
fn vpc_unicast() {
    let loaded = scenario("vpc-unicast/n1.conf");
    let mut expected = base(51, 120, InitialState::Active, vec![vip("10.77.0.122", 16, Some("eth0:1"))]);
    expected.source = Some(ip("10.77.0.1"));
    let peer = UnicastPeer { addr: ip("10.77.0.2"), min_ttl: 0, max_ttl: 255 };
    expected.delivery = Delivery::Unicast { peers: vec![peer], check_source: false };
    assert_eq!(loaded.config, Some(config("LVS_DEVEL", vec![expected])));
    let found = lines(&loaded);
    assert_eq!(
        found[4..],
        [
            "31:1 unsupported `virtual_server` is not implemented yet and has no effect",
            "35:5 warning `nat_mask` is obsolete",
            "42:1 warning `nb_get_retry` is obsolete",
        ]
    );
    assert_eq!(loaded.report.exit_code(), 4);
}

#[test]
fn mail_and_garp() {
    let loaded = scenario("mail-and-garp/n1.conf");
    let mut last = vip("10.77.0.102", 16, Some("eth0:1"));
    last.broadcast = Some(ip("10.77.255.255"));
    let vips = vec![vip("10.77.0.100", 32, None), vip("10.77.0.101", 16, None), last];
    let mut expected = base(51, 100, InitialState::Active, vips);
    expected.delivery = Delivery::Multicast { group: ip("224.0.0.28") };
    assert_eq!(loaded.config, Some(config("n1.example.test", vec![expected])));
    assert_eq!(loaded.report.exit_code(), 0, "{:?}", lines(&loaded));
}

#[test]
fn a_misspelt_password_is_pointed_at() {
    let loaded = scenario("mail-and-garp/typo.conf");
    let found =
        loaded.report.diagnostics().iter().find(|found| found.message.contains("`uth_pass`")).unwrap();
    assert_eq!((found.line, found.column, found.severity), (25, 8, Severity::Warning));
    assert_eq!(found.help.as_deref(), Some("did you mean `auth_pass`?"));
    assert_eq!(loaded.report.exit_code(), 4);
    assert_eq!(loaded.config.unwrap().routers[0].version, Version::V2(Auth::None));
    let text = loaded.report.render(false);
    assert!(text.contains("typo.conf:25:8]"), "{text}");
    assert!(text.contains("uth_pass 1111") && text.contains("did you mean `auth_pass`?"), "{text}");
    let compact = loaded.report.diagnostics().iter().map(super::super::Diagnostic::compact);
    let expected =
        "typo.conf:25:8: warning: unknown keyword `uth_pass` in `authentication` (did you mean `auth_pass`?)";
    assert!(compact.into_iter().any(|line| line.ends_with(expected)));
}

#[test]
fn lvs_dr_in_one_line_blocks() {
    let loaded = scenario("lvs-dr/n1.conf");
    let mut expected = base(20, 100, InitialState::Active, vec![vip("10.77.0.144", 32, Some("eth0:0"))]);
    expected.version = Version::V2(Auth::Pass(*b"11112222"));
    expected.delivery = Delivery::Multicast { group: ip("224.0.29.18") };
    assert_eq!(loaded.config, Some(config("node1", vec![expected])));
    let found = lines(&loaded);
    assert_eq!(
        found[4..],
        [
            "16:1 unsupported `virtual_server` is not implemented yet and has no effect",
            "26:4 warning `nb_get_retry` is obsolete",
            "32:4 warning `nb_get_retry` is obsolete",
        ]
    );
}

#[test]
fn dual_active_has_two_routers_and_names_what_is_missing() {
    let loaded = scenario("dual-active/n2.conf");
    let routers = loaded.config.as_ref().unwrap().routers.iter();
    let seen: Vec<_> = routers.map(|r| (r.name.as_str(), r.vrid.get(), r.priority.get(), r.state)).collect();
    assert_eq!(seen, [("VI_1", 51, 99, InitialState::Backup), ("VI_2", 52, 100, InitialState::Active)]);
    assert_eq!(
        lines(&loaded),
        [
            "5:1 unsupported `vrrp_script` is not implemented yet and has no effect",
            "27:5 unsupported `track_script` is not implemented yet and has no effect",
            "45:5 unsupported `track_script` is not implemented yet and has no effect",
        ]
    );
    assert_eq!(loaded.report.exit_code(), 0);
    assert_eq!(loaded.config.unwrap().routers[0].announce.delay, Duration::from_secs(5));
}
