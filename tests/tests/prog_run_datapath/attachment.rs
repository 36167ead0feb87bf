//! Programs on interfaces, and the verifier.

use super::*;

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
        // Without the kernel's types, which are long to read.
        let mut ebpf = EbpfLoader::new().btf(None).load(BENCH_OBJECT).unwrap();
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
