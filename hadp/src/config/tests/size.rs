//! Configurations as large as a node allows, and larger ones; and what the worst of them cost.

use std::time::{Duration, Instant};

use hadp_common::{router::MAX_ROUTERS, vip::MAX_VIPS};

use super::*;

/// Returns `count` instances with `vips` addresses each, all different, four lines and an address a line each.
fn instances(count: u32, vips: u32) -> String {
    let instance = |n: u32| {
        let entry = |vip: u32| format!("10.{}.{}.{vip}\n", n / 250, n % 250);
        let entries: String = (1..=vips).map(entry).collect();
        let (port, vrid) = (n / 250, n % 250 + 1);
        format!(
            "vrrp_instance V{n} {{\ninterface e{port}\nvirtual_router_id {vrid}\nvirtual_ipaddress {{\n{entries}}}\n}}\n"
        )
    };
    (0..count).map(instance).collect()
}

#[test]
fn the_largest_configuration_is_clean() {
    assert_eq!(MAX_VIPS % MAX_ROUTERS, 0, "every router has as many");
    assert_eq!(clean(&instances(MAX_ROUTERS, MAX_VIPS / MAX_ROUTERS)).routers.len(), MAX_ROUTERS as usize);
}

#[test]
fn the_first_router_beyond_is_an_error() {
    let loaded = load_text(&instances(MAX_ROUTERS + 2, 1));
    let line = MAX_ROUTERS * 7 + 1;
    assert_eq!(lines(&loaded), [format!("{line}:15 error a node has at most {MAX_ROUTERS} virtual routers")]);
}

#[test]
fn the_first_address_beyond_is_an_error() {
    let loaded = load_text(&instances(MAX_VIPS / 128 + 1, 128));
    let line = MAX_VIPS / 128 * 134 + 5;
    assert_eq!(lines(&loaded), [format!("{line}:1 error a node has at most {MAX_VIPS} virtual addresses")]);
    // Excluded addresses count, those of an IPv6 router do not, which is left out.
    let excluded = (0..=MAX_VIPS).map(|n| format!("10.9.{}.{}\n", n / 250, n % 250)).collect::<String>();
    let loaded = load_text(&instance(&format!("virtual_ipaddress_excluded {{\n{excluded}}}")));
    let line = 5 + MAX_VIPS;
    assert_eq!(lines(&loaded), [format!("{line}:1 error a node has at most {MAX_VIPS} virtual addresses")]);
    let v6 =
        instance(&format!("virtual_ipaddress_excluded {{\n{excluded}}}")).replace("10.77.0.100", "fe80::1");
    let loaded = load_text(&v6);
    assert!(lines(&loaded).iter().all(|line| !line.contains("at most")), "{:?}", lines(&loaded));
}

/// What a check of one of these costs is some tenths of a second in a debug build; where time grew with the square of the
/// size, it was minutes.
const PATIENCE: Duration = Duration::from_secs(20);

#[test]
#[expect(clippy::disallowed_methods, reason = "the time that a check takes is what is tested")]
fn time_grows_with_size_and_not_with_its_square() {
    let instances = instances(1000, 2);
    let mistakes = "prioritie 1\nnopreemt\nvirtual_ipaddress";
    let many = |from: &str| (0..3000).map(|n| from.replace("%", &n.to_string())).collect::<String>();
    for (name, text, problems) in [
        ("clean", instances.clone(), 0),
        ("two mistakes an instance", instances.replace("virtual_ipaddress", mistakes), 2000),
        ("problems on one line", "x } $abc } ".repeat(30_000), 374),
        ("as many macros as mistakes in them", many("$NAME_%=1\n") + &many("x $NBME_%\n"), 3034),
        ("one name", many("vrrp_instance V {\ninterface e\nvirtual_router_id 1\n}\n"), 5999),
        (
            "sessions beyond the limit",
            many("bfd_instance B% { neighbor_ip 10.0.0.1\nauth_sha1 1 $K\n}\n"),
            255,
        ),
        ("keys out of macros", many("$K=key%\nbfd_instance B% { auth_sha1 1 $K }\n"), 3001),
        ("one tracked object", instance(&format!("track_interface {{\n{}}}", many("e\n"))), 2999),
        ("no such session", instance(&format!("fast_failover\ntrack_bfd {{\n{}}}", many("B%\n"))), 3001),
        ("one address", instance(&format!("virtual_ipaddress {{\n{}}}", "10.1.1.1\n".repeat(3000))), 2999),
    ] {
        let start = Instant::now();
        let loaded = load_text(&text);
        let rendered = loaded.report.render(false);
        let took = start.elapsed();
        assert_eq!(loaded.report.diagnostics().len(), problems, "{name}");
        assert!(took < PATIENCE, "{name}: {took:?}");
        // A problem shows its own lines and not those up to another one.
        assert!(rendered.len() < 8 * (text.len() + 1024 * problems), "{name}: {} octets", rendered.len());
    }
}
