//! Pins, and the daemons that leave and find them.

use super::*;

#[test]
fn pins_are_private_and_readable_by_name() {
    let mut runner = Runner::new().unwrap();
    runner.apply(&Plan { routers: vec![router(0, 10, &[vip(0)])] }).unwrap();
    hear(&mut runner, 10);
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(runner.pins()), 0o700);
    for (map, fields) in [
        ("ROUTERS", &["lease_until_ns", "generation", "flags", "ifindex", "link_mac", "vrid"][..]),
        ("PEERS", &["last_seen_ns", "first_seen_ns", "adverts", "priority", "interval_cs"]),
        ("GUARDS", &["value"]),
        ("VIPS", &["addr", "ifindex", "vlans", "slot", "service"]),
        ("ADVERT_KEYS", &["slot", "min_ttl", "auth_data", "group"]),
        ("SETTINGS", &["layout", "half", "seed", "tick_ns", "tick_offset_ns"]),
        ("STATS", &["advert_heard", "arp_answered", "vip_admitted"]),
        ("BFD_KEYS", &["discriminator", "ifindex", "remote", "local", "min_ttl", "flags"]),
        ("BFD_SESSIONS", &["last_seen_ns", "packets", "state_flags", "multiplier", "your_discriminator"]),
        ("DROPS", &["truncated", "bad_checksum", "vmac_not_owner"]),
    ] {
        let path = runner.pins().join(map);
        assert_eq!(mode(&path), 0o600, "{map}");
        let output = Command::new("bpftool").args(["map", "dump", "pinned"]).arg(&path).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{map}: {}", String::from_utf8_lossy(&output.stderr));
        for field in fields {
            assert!(
                text.contains(&format!("\"{field}\":")),
                "{map} has no {field}: {}",
                &text[..text.len().min(2_000)]
            );
        }
    }
}

#[test]
fn one_daemon_at_a_time_and_a_dead_ones_pins_are_adopted() {
    let sandbox = Sandbox::enter().unwrap();
    let pins = sandbox.pins();
    let mut first = open(pins).unwrap();
    assert!(matches!(open(pins).err(), Some(OpenError::InUse { .. })));
    assert!(PinLock::take(pins).is_err(), "cleanup under a running daemon");
    first.apply(&Plan { routers: vec![router(3, 55, &[vip(0)]), router(7, 56, &[])] }).unwrap();
    // The lowest bit of a lease is a mark.
    let (owned, until) = (slot(7), Time::from_nanos(u64::MAX / 2 - 1));
    first.set_lease(owned, until);
    let (before, clock) = (id(&first), first.clock_sample().unwrap().jiffies);
    drop(first);
    let mut next = open(pins).unwrap();
    let found: Vec<_> =
        next.inherited().iter().map(|left| (left.slot.index(), left.vrid, left.lease)).collect();
    assert_eq!(found, [(3, 55, Time::ZERO), (7, 56, until)]);
    assert!(next.inherited().iter().all(|left| left.bound == Bound::Free), "{:?}", next.inherited());
    let leases = Leases::open(pins).unwrap();
    assert_eq!(leases.owned(Time::ZERO), [(owned, until)]);
    assert_eq!(leases.renew(owned, Time::from_nanos(u64::MAX / 2 + 4)), Renewal::Stored);
    let until = leases.lease(owned).unwrap();
    next.resign(owned);
    assert_eq!((leases.lease(owned), leases.owned(Time::ZERO)), (None, vec![]), "it waits for a successor");
    assert_eq!(leases.renew(owned, until), Renewal::Revoked);
    next.guards().store(5, until);
    next.apply(&Plan {
        routers: vec![PlannedRouter { guard: 5, ..router(3, 55, &[vip(0)]) }, router(7, 56, &[])],
    })
    .unwrap();
    let bounds = || next.inherited().iter().map(|left| (left.lease, left.bound)).collect::<Vec<_>>();
    assert_eq!(bounds(), [(Time::ZERO, Bound::Guarded { until }), (until, Bound::Resigned)]);
    next.open_guards();
    assert_eq!(bounds(), [(Time::ZERO, Bound::Free), (until, Bound::Resigned)]);
    assert!(next.inherited().iter().all(|left| left.source == Some(OWN.into())));
    next.load().unwrap();
    assert_eq!(id(&next), before, "the same build's program is not loaded again");
    assert!(next.clock_sample().unwrap().jiffies >= clock);
    drop(next);
    // Half of what is needed is not adopted.
    std::fs::remove_file(pins.join("PEERS")).unwrap();
    assert_eq!(open(pins).unwrap().inherited(), []);
    PinLock::take(pins).unwrap().remove_pins().unwrap();
    assert!(!pins.exists());
    PinLock::take(pins).unwrap().remove_pins().unwrap();
}

/// Returns the identifier of the loaded program.
fn id(xdp: &Xdp) -> u32 {
    xdp.program().unwrap().info().unwrap().id()
}

#[test]
fn pins_of_another_layout_lose_their_leases_and_are_replaced() {
    let mut runner = Runner::new().unwrap();
    let pins = runner.pins().to_owned();
    runner.xdp.set_lease(slot(9), Time::from_nanos(u64::MAX / 2));
    {
        let mut map = runner.pinned("SETTINGS").unwrap();
        let mut settings = Array::<_, Settings>::try_from(&mut map).unwrap();
        let now = settings.get(&0, 0).unwrap();
        settings.set(0, Settings { layout: 99, ..now }, 0).unwrap();
    }
    let routers = runner.pinned("ROUTERS").unwrap();
    drop(runner);
    let lock = PinLock::take(&pins).unwrap();
    assert_eq!(lock.legacy(), Legacy::Foreign { layout: 99 });
    assert_eq!(lock.revoke_leases(Time::from_nanos(1)).unwrap(), 1);
    let routers = Array::<_, Router>::try_from(&routers).unwrap();
    assert_eq!(routers.get(&9, 0).unwrap().lease_until_ns, 0);
    let next = Xdp::open(lock).unwrap();
    assert_eq!(next.inherited(), []);
    drop(next);
    assert_eq!(PinLock::take(&pins).unwrap().legacy(), Legacy::Adoptable);
}

#[test]
fn a_machine_that_cannot_run_it_says_why() {
    let _sandbox = Sandbox::enter().unwrap();
    let dir = std::env::temp_dir().join("hadp-no-bpffs");
    let error = open(&dir).err().unwrap();
    assert!(
        matches!(error, OpenError::NotBpffs { .. }) && error.to_string().contains("mount -t bpf"),
        "{error}"
    );
    assert!(!dir.exists());
    drop_capabilities();
    let error = open(Path::new("/sys/fs/bpf/hadp")).err().unwrap();
    let missing = "missing capabilities: CAP_NET_ADMIN, CAP_NET_RAW, CAP_PERFMON, CAP_BPF; run as root";
    assert!(error.to_string().starts_with(missing), "{error}");
}

/// Gives up every capability of the calling thread.
fn drop_capabilities() {
    let header: [u32; 2] = [0x2008_0522, 0]; // version 3 of the structures, this thread
    let none = [0u32; 6];
    // SAFETY: both arrays are laid out as capset(2) has them, and are only read.
    let result = unsafe { libc::syscall(libc::SYS_capset, header.as_ptr(), none.as_ptr()) };
    assert_eq!(result, 0);
}
