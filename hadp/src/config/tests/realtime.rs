//! `on_daemon_death`, and how the time-critical threads are scheduled.

use super::*;
use crate::model::{Global, IdleLatency, OnDaemonDeath, Realtime};

fn global(statements: &str) -> Global {
    clean(&format!("global_defs {{\n{statements}\n}}\n")).global
}

#[test]
fn defaults() {
    let global = global("");
    assert_eq!(global.on_daemon_death, OnDaemonDeath::Restart);
    assert_eq!(global.cpu_dma_latency, IdleLatency::Auto);
    assert_eq!((&global.election, &global.bfd), (&Realtime::default(), &Realtime::default()));
}

#[test]
fn both_threads_have_the_same_keywords() {
    for prefix in ["vrrp", "bfd"] {
        let statements =
            "_rt_priority 50\n%_priority -20\n%_cpu_affinity 3 0 3\n%_no_swap\n%_rlimit_rttime 10000";
        let seen = global(&format!("{prefix}{}", statements.replace('%', prefix)));
        let (set, other) =
            if prefix == "bfd" { (seen.bfd, seen.election) } else { (seen.election, seen.bfd) };
        let expected = Realtime {
            rt_priority: Some(50),
            nice: Some(-20),
            cpus: vec![0, 3],
            rttime_us: Some(10_000),
            no_swap: true,
        };
        assert_eq!((set, other), (expected, Realtime::default()), "{prefix}");
    }
    assert_eq!(global("vrrp_rlimit_rtime 4294967295").election.rttime_us, Some(4_294_967_295));
    assert_eq!(global("vrrp_cpu_affinity 0\nvrrp_cpu_affinity 1").election.cpus, [1], "the last one wins");
    assert_eq!(global("on_daemon_death failover").on_daemon_death, OnDaemonDeath::Failover);
    assert_eq!(global("on_daemon_death restart").on_daemon_death, OnDaemonDeath::Restart);
}

#[test]
fn the_latency_of_idle_cpus() {
    for (word, expected) in [
        ("auto", IdleLatency::Auto),
        ("none", IdleLatency::Unlimited),
        ("0", IdleLatency::Micros(0)),
        ("1000000", IdleLatency::Micros(1_000_000)),
    ] {
        assert_eq!(global(&format!("cpu_dma_latency {word}")).cpu_dma_latency, expected);
    }
}

/// Statements of `global_defs`, on its second line, and what is said of them.
#[test]
fn what_is_said_of_them() {
    for (statement, expected) in [
        ("on_daemon_death reboot", "2:17 error unknown on_daemon_death `reboot`"),
        ("on_daemon_death", "2:1 error `on_daemon_death` needs a parameter"),
        ("cpu_dma_latency", "2:1 error `cpu_dma_latency` needs a parameter"),
        ("cpu_dma_latency off", "2:17 error unknown cpu_dma_latency `off`"),
        ("cpu_dma_latency 10us", "2:17 error cpu_dma_latency takes a whole number, not `10us`"),
        ("cpu_dma_latency 1000001", "2:17 error cpu_dma_latency 1000001 is out of range"),
        ("vrrp_rt_priority", "2:1 error `vrrp_rt_priority` needs a parameter"),
        ("vrrp_rt_priority 0", "2:18 warning vrrp_rt_priority 0 is taken for 1"),
        ("bfd_rt_priority 100", "2:17 warning bfd_rt_priority 100 is taken for 99"),
        ("vrrp_rt_priority high", "2:18 error vrrp_rt_priority takes a whole number, not `high`"),
        ("vrrp_priority -21", "2:15 error vrrp_priority -21 is out of range"),
        ("bfd_priority 20", "2:14 error bfd_priority 20 is out of range"),
        ("vrrp_cpu_affinity", "2:1 error `vrrp_cpu_affinity` needs a parameter"),
        ("vrrp_cpu_affinity 0 1024", "2:21 error vrrp_cpu_affinity 1024 is out of range"),
        ("bfd_cpu_affinity 0-1", "2:18 error bfd_cpu_affinity takes a whole number, not `0-1`"),
        ("vrrp_no_swap on", "2:14 warning `vrrp_no_swap` takes no parameter"),
        ("vrrp_rlimit_rttime 0", "2:20 error vrrp_rlimit_rttime 0 is out of range"),
        ("bfd_rlimit_rtime 4294967296", "2:18 error bfd_rlimit_rtime 4294967296 is out of range"),
    ] {
        let loaded = load_text(&format!("global_defs {{\n{statement}\n}}\n"));
        assert_eq!(lines(&loaded), [expected], "{statement}");
    }
}
