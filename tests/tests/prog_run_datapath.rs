//! The datapath's userspace half against a real kernel: plans, pins, attachments, clocks.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{net::Ipv4Addr, os::unix::fs::PermissionsExt, path::Path, process::Command};

use aya::{
    Ebpf,
    maps::Array,
    programs::{
        SchedClassifier, TcAttachType, Xdp as XdpProgram, XdpMode as AyaMode,
        links::{FdLink, PinnedLink},
    },
};
use hadp::{
    datapath::{
        AttachError, BENCH_OBJECT, Bound, Datapath, Egress, Events, Leases, Legacy, Mode, OpenError, PinLock,
        Plan, PlannedRouter, Renewal, Xdp,
    },
    model::XdpMode,
    units::Time,
};
use hadp_common::{router::Router, settings::Settings};
use hadp_tests::prog::{
    Action, Arp, Frame, Ip, Runner, Sandbox,
    plans::{OWN, router, slot, vmac_router},
    v3,
};

const CLIENT: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 9);
const PEER: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 2);
const FOREVER: Time = Time::from_nanos(u64::MAX);

fn vip(n: u32) -> Ipv4Addr {
    Ipv4Addr::from_bits(0x0a4d_0100 + n)
}

fn answers(runner: &mut Runner, addr: Ipv4Addr) -> Action {
    runner.run(&Frame::arp(&Arp::request(CLIENT, addr)).octets()).unwrap().action
}

fn hear(runner: &mut Runner, vrid: u8) -> usize {
    let advert = Ip::vrrp(PEER, v3(PEER, vrid, 90, 100, &[vip(0)])); // of lower rank: no owner gives way
    runner.run(&Frame::ip(&advert).octets()).unwrap().events.len()
}

/// Opens the datapath as the daemon does.
fn open(dir: &Path) -> Result<Xdp, OpenError> {
    Xdp::open(PinLock::take(dir)?)
}

#[test]
fn a_plan_disturbs_no_router_that_stays() {
    let mut runner = Runner::new().unwrap();
    let first =
        Plan { routers: vec![router(0, 10, &[vip(0)]), router(1, 11, &[vip(1)]), router(2, 12, &[vip(2)])] };
    runner.apply(&first).unwrap();
    (0..3).for_each(|index| runner.xdp.set_lease(slot(index), FOREVER));
    assert_eq!((hear(&mut runner, 10), hear(&mut runner, 11), hear(&mut runner, 12)), (1, 1, 1));
    let before = runner.router(0).unwrap();
    // Slot 0 stays with another address, slot 1 leaves, slot 2 goes to another router.
    let second = Plan { routers: vec![router(0, 10, &[vip(5)]), router(2, 22, &[vip(2)])] };
    runner.apply(&second).unwrap();
    assert_eq!(runner.router(0).unwrap(), before, "lease, generation and identity stay");
    assert_eq!(
        (answers(&mut runner, vip(5)), answers(&mut runner, vip(0))),
        (Action::Transmit, Action::Pass)
    );
    assert_eq!(runner.xdp.peers(slot(0)).len(), 1);

    let left = runner.router(1).unwrap();
    assert_eq!((left.lease_until_ns, left.ifindex, left.vrid, left.mac), (0, 0, 0, [0; 6]));
    assert_eq!((answers(&mut runner, vip(1)), runner.xdp.peers(slot(1)).len()), (Action::Pass, 0));

    let taken = runner.router(2).unwrap();
    assert_eq!((taken.lease_until_ns, taken.vrid, taken.generation), (0, 22, 2));
    assert_eq!((answers(&mut runner, vip(2)), runner.xdp.peers(slot(2)).len()), (Action::Drop, 0));
    assert_eq!(hear(&mut runner, 12), 0, "the former router's adverts are nobody's");
    assert_eq!(hear(&mut runner, 22), 1);
}

#[test]
fn a_plan_that_does_not_fit_changes_nothing() {
    let mut runner = Runner::new().unwrap();
    runner.apply(&Plan { routers: vec![router(0, 10, &[vip(0)])] }).unwrap();
    runner.xdp.set_lease(slot(0), FOREVER);
    let too_many: Vec<_> = (0..20_000).map(vip).collect();
    let error = runner.apply(&Plan { routers: vec![router(0, 11, &too_many)] }).unwrap_err();
    assert_eq!(error.to_string(), "too many virtual addresses: 20000");
    assert_eq!((answers(&mut runner, vip(0)), hear(&mut runner, 10)), (Action::Transmit, 1));
}

#[test]
fn one_store_moves_a_thousand_addresses() {
    let mut runner = Runner::new().unwrap();
    let vips: Vec<_> = (0..1_000).map(vip).collect();
    runner.apply(&Plan { routers: vec![vmac_router(router(7, 10, &vips))] }).unwrap();
    for (until, action) in [(FOREVER, Action::Transmit), (Time::ZERO, Action::Drop)] {
        runner.xdp.set_lease(slot(7), until);
        assert!(vips.iter().all(|addr| answers(&mut runner, *addr) == action), "{action:?}");
    }
}

#[test]
fn the_time_of_a_tick_is_never_behind_and_at_most_two_ticks_ahead() {
    let runner = Runner::new().unwrap();
    let map = runner.pinned("SETTINGS").unwrap();
    let settings = Array::<_, Settings>::try_from(&map).unwrap().get(&0, 0).unwrap();
    assert!((1_000_000..=10_000_000).contains(&settings.tick_ns), "a tick of {} ns", settings.tick_ns);
    // A machine that stops between the two reads makes a sample worthless; a wrong calibration shows in all near a tick's
    // end.
    let (mut behind, mut ahead) = (0, 0);
    for _ in 0..50_000 {
        let sample = runner.xdp.clock_sample().unwrap();
        let tick = (sample.jiffies + 1).wrapping_mul(settings.tick_ns).wrapping_add(settings.tick_offset_ns);
        let lead = tick.wrapping_sub(sample.ktime_ns).cast_signed();
        behind += u32::from(lead < 0);
        ahead = ahead.max(lead);
    }
    assert!(behind <= 25, "behind in {behind} of 50,000 samples");
    assert!(ahead <= 2 * settings.tick_ns.cast_signed(), "ahead by up to {ahead} ns");
}

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

/// Makes a veth pair `name`, `name`-peer and returns the first end's index.
fn veth(name: &str) -> u32 {
    let peer = format!("{name}-peer");
    let args = ["link", "add", name, "type", "veth", "peer", "name", &peer];
    assert!(Command::new("ip").args(args).status().unwrap().success());
    index_of(name)
}

fn index_of(name: &str) -> u32 {
    let output = Command::new("ip").args(["-o", "link", "show", "dev", name]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.split(':').next().unwrap().parse().unwrap()
}

/// Returns what `ip` says of the XDP program on an interface: its mode, or nothing.
fn attached(name: &str) -> Option<&'static str> {
    let output = Command::new("ip").args(["link", "show", "dev", name]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let first = text.lines().next().unwrap();
    [" xdpgeneric", " xdp "].into_iter().find(|mode| first.contains(mode)).map(str::trim)
}

#[test]
fn attaching_detaching_and_cleaning_up() {
    let sandbox = Sandbox::enter().unwrap();
    let mut xdp = open(sandbox.pins()).unwrap();
    let (veth0, dotted) = (veth("veth0"), veth("veth1.7"));
    let cases = [
        (XdpMode::Auto, Mode::Generic, "xdpgeneric"),
        (XdpMode::Native, Mode::Native, "xdp"),
        (XdpMode::Skb, Mode::Generic, "xdpgeneric"),
    ];
    for (mode, expected, shown) in cases {
        assert_eq!(xdp.attach(veth0, "veth0", mode).unwrap().mode, expected);
        assert_eq!(attached("veth0"), Some(shown));
    }
    assert!(sandbox.pins().join("link_veth0").exists());
    xdp.attach(dotted, "veth1.7", XdpMode::Auto).unwrap();
    assert!(sandbox.pins().join("link_veth1%2e7").exists());
    xdp.detach(veth0).unwrap();
    assert_eq!((attached("veth0"), attached("veth1.7")), (None, Some("xdpgeneric")));
    xdp.detach(veth0).unwrap();
    xdp.attach(veth0, "veth0", XdpMode::Auto).unwrap();
    drop(xdp);
    assert_eq!(
        (attached("veth0"), attached("veth1.7")),
        (Some("xdpgeneric"), Some("xdpgeneric")),
        "links outlive it"
    );
    PinLock::take(sandbox.pins()).unwrap().remove_pins().unwrap();
    assert_eq!((attached("veth0"), attached("veth1.7")), (None, None));
    // And a daemon that finds the links of a dead one goes on with those it needs, and detaches the others.
    let mut dead = open(sandbox.pins()).unwrap();
    dead.attach(veth0, "veth0", XdpMode::Auto).unwrap();
    dead.attach(dotted, "veth1.7", XdpMode::Auto).unwrap();
    let link = || PinnedLink::from_pin(sandbox.pins().join("link_veth0")).map(FdLink::from).unwrap();
    let before = link().info().unwrap().id();
    drop(dead);
    let mut next = open(sandbox.pins()).unwrap();
    assert_eq!(next.attach(veth0, "veth0", XdpMode::Auto).unwrap().mode, Mode::Generic);
    assert_eq!(link().info().unwrap().id(), before, "no gap");
    next.retire().unwrap();
    assert_eq!((attached("veth0"), attached("veth1.7")), (Some("xdpgeneric"), None));
    next.remove().unwrap();
    assert_eq!((attached("veth0"), sandbox.pins().exists()), (None, false));
}

#[test]
fn a_foreign_program_is_named_and_left_alone() {
    let sandbox = Sandbox::enter().unwrap();
    let veth0 = veth("veth0");
    let mut foreign = Ebpf::load(BENCH_OBJECT).unwrap();
    let program: &mut XdpProgram = foreign.program_mut("empty").unwrap().try_into().unwrap();
    program.load().unwrap();
    program.attach_to_if_index(veth0, AyaMode::Skb).unwrap();
    let program_id = program.info().unwrap().id();
    let mut xdp = open(sandbox.pins()).unwrap();
    for mode in [XdpMode::Auto, XdpMode::Native, XdpMode::Skb] {
        let error = xdp.attach(veth0, "veth0", mode).unwrap_err();
        let AttachError::Foreign { name, program, id } = &error else { panic!("{error}") };
        assert_eq!((&name[..], &program[..], *id), ("veth0", "empty", program_id));
    }
    assert_eq!(attached("veth0"), Some("xdpgeneric"));
    assert!(!sandbox.pins().join("link_veth0").exists());
}

#[test]
fn an_interface_that_is_gone_is_named_and_detached_without_complaint() {
    let sandbox = Sandbox::enter().unwrap();
    let mut xdp = open(sandbox.pins()).unwrap();
    let error = xdp.attach(4_242, "eth7", XdpMode::Auto).unwrap_err();
    assert_eq!(error.to_string(), "interface eth7 does not exist");
    let veth0 = veth("veth0");
    xdp.attach(veth0, "veth0", XdpMode::Auto).unwrap();
    assert!(Command::new("ip").args(["link", "del", "veth0"]).status().unwrap().success());
    xdp.detach(veth0).unwrap();
    let again = veth("veth0");
    xdp.attach(again, "veth0", XdpMode::Auto).unwrap();
    assert_eq!(attached("veth0"), Some("xdpgeneric"));
}

/// Returns the classifiers that watch over what leaves an interface, by tcx and as filters.
fn classifiers(name: &str) -> (usize, usize) {
    let (_, links) = SchedClassifier::query_tcx(name, TcAttachType::Egress).unwrap();
    let ours = links.iter().filter(|program| program.name_as_str() == Some("hadp_egress")).count();
    let output = Command::new("tc").args(["filter", "show", "dev", name, "egress"]).output().unwrap();
    let filters = String::from_utf8(output.stdout).unwrap();
    (ours, filters.lines().filter(|line| line.contains("hadp_egress")).count())
}

#[test]
fn the_classifier_comes_and_goes_with_the_program() {
    let sandbox = Sandbox::enter().unwrap();
    let mut xdp = open(sandbox.pins()).unwrap();
    let (veth0, dotted) = (veth("veth0"), veth("veth1.7"));
    for _ in 0..2 {
        assert_eq!(xdp.attach(veth0, "veth0", XdpMode::Auto).unwrap().egress, Egress::Link);
        assert_eq!(classifiers("veth0"), (1, 0));
    }
    xdp.attach(dotted, "veth1.7", XdpMode::Auto).unwrap();
    assert!(sandbox.pins().join("egress_veth0").exists() && sandbox.pins().join("egress_veth1%2e7").exists());
    xdp.detach(veth0).unwrap();
    assert_eq!((classifiers("veth0"), classifiers("veth1.7")), ((0, 0), (1, 0)));
    xdp.attach(veth0, "veth0", XdpMode::Auto).unwrap();
    drop(xdp);
    assert_eq!((classifiers("veth0"), classifiers("veth1.7")), ((1, 0), (1, 0)), "links outlive it");
    let link = || {
        let pin = PinnedLink::from_pin(sandbox.pins().join("egress_veth0")).unwrap();
        FdLink::from(pin).info().unwrap().id()
    };
    let (before, mut next) = (link(), open(sandbox.pins()).unwrap());
    assert_eq!(next.attach(veth0, "veth0", XdpMode::Auto).unwrap().egress, Egress::Link);
    assert_eq!((link(), classifiers("veth0")), (before, (1, 0)), "the next daemon goes on with it");
    next.retire().unwrap();
    assert_eq!(
        (classifiers("veth0"), classifiers("veth1.7")),
        ((1, 0), (0, 0)),
        "and with what it needs alone"
    );
    drop(next);
    PinLock::take(sandbox.pins()).unwrap().remove_pins().unwrap();
    assert_eq!((classifiers("veth0"), classifiers("veth1.7")), ((0, 0), (0, 0)));
    assert!(!sandbox.pins().exists());
}

/// A kernel without tcx is played by an interface whose places for links, some 60, are all taken.
#[test]
fn without_tcx_the_classifier_is_a_filter() {
    let sandbox = Sandbox::enter().unwrap();
    let veth0 = veth("veth0");
    let mut others = Vec::new();
    loop {
        let mut ebpf = Ebpf::load(BENCH_OBJECT).unwrap();
        let other: &mut SchedClassifier = ebpf.program_mut("empty_egress").unwrap().try_into().unwrap();
        other.load().unwrap();
        if other.attach("veth0", TcAttachType::Egress).is_err() {
            break;
        }
        others.push(ebpf);
        assert!(others.len() <= 64, "there is always another place");
    }
    let mut xdp = open(sandbox.pins()).unwrap();
    for _ in 0..2 {
        assert_eq!(xdp.attach(veth0, "veth0", XdpMode::Auto).unwrap().egress, Egress::Filter);
        assert_eq!(classifiers("veth0"), (0, 1));
    }
    xdp.detach(veth0).unwrap();
    assert_eq!(classifiers("veth0"), (0, 0));
    xdp.attach(veth0, "veth0", XdpMode::Auto).unwrap();
    drop(xdp);
    assert_eq!(classifiers("veth0"), (0, 1), "it outlives the daemon");
    // A daemon that finds it replaces it.
    let mut xdp = open(sandbox.pins()).unwrap();
    assert_eq!(classifiers("veth0"), (0, 1));
    xdp.attach(veth0, "veth0", XdpMode::Auto).unwrap();
    assert_eq!(classifiers("veth0"), (0, 1));
    drop(xdp);
    PinLock::take(sandbox.pins()).unwrap().remove_pins().unwrap();
    assert_eq!(classifiers("veth0"), (0, 0));
}

#[test]
fn the_datapath_and_its_events_can_cross_to_other_threads() {
    fn is_send<T: Send>() {}
    is_send::<Xdp>();
    is_send::<Events>();
    let mut runner = Runner::new().unwrap();
    assert!(runner.xdp.events().unwrap().is_none(), "the ring buffer has one reader");
}

/// A verifier's work grows with every path; far below its limit, other versions of it and of the compiler have room.
#[test]
fn the_verifier_has_little_to_do() {
    let runner = Runner::new().unwrap();
    let xdp = runner.xdp.program().unwrap().info().unwrap();
    let egress = runner.xdp.egress_program().unwrap().info().unwrap();
    for (name, info) in [("hadp", xdp), ("hadp_egress", egress)] {
        let instructions = info.verified_instruction_count().unwrap();
        println!("{name}: the verifier looked at {instructions} instructions");
        assert!(instructions < 100_000, "{name}: {instructions} of at most 1,000,000");
    }
}
