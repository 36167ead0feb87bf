//! BFD packets through the XDP program: whose they are, why they are dropped, what is recorded, what is told.
#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    time::Duration,
};

use hadp::{
    datapath::{EventRecord, Guards, Plan, PlannedSession},
    proto::bfd::{Received, SessionId},
    units::Time,
};
use hadp_common::{
    bfd::MAX_BFD_SESSIONS,
    router::MAX_GUARDS,
    stats::{Counter, DropReason},
    wire::bfd::{AUTHENTICATED, Control, DEMAND, FINAL, MULTIPOINT, POLL, PORT, PORT_MULTIHOP, SessionState},
};
use hadp_tests::prog::{
    Action, Frame, Ip, Outcome, Runner,
    bfd::{Bfd, ipv6, session, up},
    plans::router,
};
use nix::time::{ClockId, clock_gettime};

const V4: (IpAddr, IpAddr) =
    (IpAddr::V4(Ipv4Addr::new(10, 77, 0, 2)), IpAddr::V4(Ipv4Addr::new(10, 77, 0, 1)));
const V6: (IpAddr, IpAddr) = (
    IpAddr::V6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 2)),
    IpAddr::V6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1)),
);
const STRANGER: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 77, 0, 3));

/// The sessions of both families: single hop, authenticated, multihop.
struct Family {
    own: IpAddr,
    single: PlannedSession,
    authenticated: PlannedSession,
    multihop: PlannedSession,
}

impl Family {
    /// A packet of the single-hop session, Up.
    fn good(&self) -> Bfd {
        self.of(&self.single)
    }

    /// A packet of a session, Up, as its neighbour sends it.
    fn of(&self, session: &PlannedSession) -> Bfd {
        let port = if session.multihop { PORT_MULTIHOP } else { PORT };
        Bfd { port, ..Bfd::new(session.remote, self.own, &up(session)) }
    }

    /// A packet of the authenticated session, with a section of Keyed SHA1.
    fn sealed(&self) -> Bfd {
        self.of(&self.authenticated).edited(|packet| {
            packet[1] |= AUTHENTICATED;
            packet[3] = 52;
            packet.extend([4, 28, 1, 0]);
            packet.extend([0; 24]);
        })
    }
}

/// The sessions with neighbours at `remote` and the two addresses behind it.
fn family(first: u32, (remote, own): (IpAddr, IpAddr)) -> Family {
    let after = |n: u8| match remote {
        IpAddr::V4(addr) => IpAddr::V4(Ipv4Addr::from_bits(addr.to_bits() + u32::from(n) * 256)),
        IpAddr::V6(addr) => IpAddr::V6(Ipv6Addr::from_bits(addr.to_bits() + u128::from(n) * 256)),
    };
    Family {
        own,
        single: session(first, remote),
        authenticated: PlannedSession { authenticated: true, ..session(first + 1, after(1)) },
        multihop: PlannedSession {
            multihop: true,
            ifindex: 0,
            min_ttl: 250,
            local: Some(own),
            ..session(first + 2, after(2))
        },
    }
}

/// Loads the program with sessions of both families.
fn runner() -> (Runner, [Family; 2]) {
    let families = [family(1, V4), family(101, V6)];
    let mut runner = Runner::new().unwrap();
    let sessions = families.iter().flat_map(|family| [family.single, family.authenticated, family.multihop]);
    runner.xdp.apply_bfd(&sessions.collect::<Vec<_>>()).unwrap();
    (runner, families)
}

fn run(runner: &mut Runner, bfd: &Bfd) -> Outcome {
    runner.run(&bfd.frame().octets()).unwrap()
}

fn ids() -> impl Iterator<Item = SessionId> {
    (0..MAX_BFD_SESSIONS).filter_map(SessionId::new)
}

/// Returns the sessions that have heard something.
fn heard(runner: &Runner) -> Vec<u32> {
    let sessions = runner.xdp.bfd_sessions();
    ids().filter(|id| sessions.received(*id).is_some()).map(SessionId::index).collect()
}

fn now() -> Time {
    let now = Duration::from(clock_gettime(ClockId::CLOCK_MONOTONIC).unwrap());
    Time::from_nanos(u64::try_from(now.as_nanos()).unwrap())
}

/// One packet for every reason there is, in one family.
fn drops(family: &Family) -> Vec<(&'static str, DropReason, Bfd)> {
    use DropReason::*;
    let good = || family.good();
    let edited = |edit: fn(&mut Vec<u8>)| family.good().edited(edit);
    let multihop = family.of(&family.multihop);
    let unknown_yet = |state: u8| {
        good().edited(|packet| {
            packet[1] = state << 6;
            packet[8..12].fill(0);
        })
    };
    vec![
        ("254 on a single hop", BfdTtl, Bfd { ttl: 254, ..good() }),
        ("0 on a single hop", BfdTtl, Bfd { ttl: 0, ..good() }),
        ("one hop too many", BfdTtl, Bfd { ttl: 249, ..multihop }),
        ("version 0", BfdVersion, edited(|packet| packet[0] &= 0x1f)),
        ("version 2", BfdVersion, edited(|packet| packet[0] = 2 << 5)),
        ("version 7", BfdVersion, edited(|packet| packet[0] |= 0xe0)),
        ("length 23", BfdLength, edited(|packet| packet[3] = 23)),
        ("length 0", BfdLength, edited(|packet| packet[3] = 0)),
        ("longer than the datagram", BfdLength, edited(|packet| packet[3] = 25)),
        ("length 255", BfdLength, edited(|packet| packet[3] = 255)),
        ("UDP shorter than the packet", BfdLength, Bfd { udp_len: Some(31), ..good() }),
        ("UDP length 0", BfdLength, Bfd { udp_len: Some(0), ..good() }),
        ("UDP longer than IP", BfdLength, Bfd { udp_len: Some(33), ..good() }),
        ("no room for authentication", BfdLength, family.sealed().edited(|packet| packet[3] = 25)),
        ("multiplier 0", BfdMultiplier, edited(|packet| packet[2] = 0)),
        ("multipoint", BfdMultipoint, edited(|packet| packet[1] |= MULTIPOINT)),
        ("no discriminator", BfdMyDiscriminator, edited(|packet| packet[4..8].fill(0))),
        ("Init without ours", BfdYourDiscriminator, unknown_yet(2)),
        ("Up without ours", BfdYourDiscriminator, unknown_yet(3)),
        ("not authenticated", BfdAuth, family.of(&family.authenticated)),
        (
            "authenticated without need",
            BfdAuth,
            edited(|packet| {
                packet[1] |= AUTHENTICATED;
                packet[3] = 26;
                packet.extend([4, 2]);
            }),
        ),
    ]
}

#[test]
fn every_drop_reason_has_its_packet() {
    let (mut runner, families) = runner();
    for family in &families {
        let mut seen = BTreeSet::new();
        for (name, reason, bfd) in drops(family) {
            let outcome = run(&mut runner, &bfd);
            assert_eq!((outcome.action, &outcome.dropped[..]), (Action::Drop, &[reason][..]), "{name}");
            assert_eq!((&outcome.counted[..], &outcome.events[..]), (&[][..], &[][..]), "{name}");
            seen.insert(reason);
        }
        let reasons = DropReason::ALL.iter().filter(|reason| reason.name().starts_with("bfd_"));
        assert_eq!(seen, reasons.copied().collect(), "a reason without a packet");
    }
    assert_eq!(heard(&runner), [0; 0], "a dropped packet was recorded");
}

/// Whatever is wrong with them, packets of nobody's session are not ours to judge: another daemon may run.
#[test]
fn malformed_packets_of_strangers_pass() {
    let (mut runner, families) = runner();
    for family in &families {
        for (name, _, bfd) in drops(family) {
            let bfd = Bfd { src: family.own, ..bfd };
            let outcome = run(&mut runner, &bfd);
            assert_eq!((outcome.action, outcome.packet), (Action::Pass, bfd.frame().octets()), "{name}");
            assert_eq!(outcome.counted, [Counter::BfdUnknown], "{name}");
        }
    }
}

/// What is of no session here, or no BFD at all, passes untouched, and nothing is recorded or told.
#[test]
fn what_is_not_ours_passes() {
    const UNKNOWN: &[Counter] = &[Counter::BfdUnknown];
    const NOTHING: &[Counter] = &[];
    let (mut runner, families) = runner();
    for family in &families {
        let good = || family.good();
        let yours = |discriminator: u32| {
            family.good().edited(|packet| packet[8..12].copy_from_slice(&discriminator.to_be_bytes()))
        };
        let id = family.single.id.index();
        let multihop = || family.of(&family.multihop);
        let to_other = match family.own {
            IpAddr::V4(_) => Bfd { dst: STRANGER, ..multihop() },
            IpAddr::V6(_) => Bfd { dst: "fe80::77".parse().unwrap(), ..multihop() },
        };
        let rows = [
            ("upper octets of the discriminator", yours(0x5eee_0000 | id).frame(), UNKNOWN),
            ("a neighbour's session", yours(0x5eed_0000 | (id + 1)).frame(), UNKNOWN),
            ("a session that is free", yours(0x5eed_00c8).frame(), UNKNOWN),
            ("the session that never is", yours(0x5eed_0000).frame(), UNKNOWN),
            ("a stranger that knows the discriminator", Bfd { src: family.own, ..good() }.frame(), UNKNOWN),
            ("multihop port", Bfd { port: PORT_MULTIHOP, ..good() }.frame(), UNKNOWN),
            ("single-hop port", Bfd { port: PORT, ..multihop() }.frame(), UNKNOWN),
            ("another address of this node", to_other.frame(), UNKNOWN),
            ("no packet in the datagram", good().edited(Vec::clear).frame(), NOTHING),
            ("the port of echoes", Bfd { port: 3785, ..good() }.frame(), NOTHING),
            ("another port", Bfd { port: 53, ..good() }.frame(), NOTHING),
            ("tagged", good().frame().tagged(&[7]), NOTHING),
            ("tagged twice", good().frame().tagged(&[7, 8]), NOTHING),
        ];
        for (name, frame, counted) in rows {
            let outcome = runner.run(&frame.octets()).unwrap();
            assert_eq!((outcome.action, outcome.packet), (Action::Pass, frame.octets()), "{name}");
            assert_eq!((&outcome.counted[..], &outcome.events[..]), (counted, &[][..]), "{name}");
        }
    }
    assert_eq!(heard(&runner), [0; 0]);
}

#[test]
fn fragments_other_protocols_and_extension_headers_pass() {
    let (mut runner, [v4, v6]) = runner();
    let ip = v4.good().ip();
    let (IpAddr::V6(src), IpAddr::V6(dst)) = V6 else { panic!("not IPv6") };
    let over_v6 = |next_header, payload: &[u8]| Frame {
        payload: ipv6(src, dst, 255, next_header, payload),
        ..v6.good().frame()
    };
    let behind = |header: &[u8]| [header, &v6.good().udp()[..]].concat();
    let mut version_4 = v6.good().frame();
    version_4.payload[0] = 0x45;
    let rows = [
        ("first fragment", Frame::ip(&Ip { fragment: 0x2000, ..ip.clone() })),
        ("later fragment", Frame::ip(&Ip { fragment: 1, ..ip.clone() })),
        ("TCP", Frame::ip(&Ip { protocol: 6, ..ip })),
        ("TCP over IPv6", over_v6(6, &v6.good().udp())),
        ("fragment header", over_v6(44, &behind(&[17, 0, 0, 0, 0, 0, 0, 1]))),
        ("hop-by-hop options", over_v6(0, &behind(&[17, 0, 1, 4, 0, 0, 0, 0]))),
        ("version 4 in an IPv6 frame", version_4),
    ];
    for (name, frame) in rows {
        let outcome = runner.run(&frame.octets()).unwrap();
        assert_eq!((outcome.action, outcome.packet), (Action::Pass, frame.octets()), "{name}");
        assert_eq!((&outcome.counted[..], &outcome.events[..]), (&[][..], &[][..]), "{name}");
    }
    assert_eq!(heard(&runner), [0; 0]);
}

/// A frame that ends early says nothing of its session, however it goes on in the headers.
#[test]
fn truncated_frames_pass_at_every_length() {
    let (mut runner, families) = runner();
    for family in &families {
        let whole = family.good().frame().octets();
        for len in 14..whole.len() {
            let outcome = runner.run(&whole[..len]).unwrap();
            assert_eq!((outcome.action, &outcome.packet[..]), (Action::Pass, &whole[..len]), "{len} octets");
            assert_eq!((&outcome.counted[..], &outcome.events[..]), (&[][..], &[][..]), "{len} octets");
        }
        assert_eq!(run(&mut runner, &family.good()).counted, [Counter::EventSent, Counter::BfdHeard]);
    }
}

/// A port does not take a virtual address out of its router's hands.
#[test]
fn a_packet_of_no_session_to_an_address_not_owned_is_dropped() {
    let (mut runner, [v4, _]) = runner();
    let IpAddr::V4(own) = v4.own else { panic!("not IPv4") };
    runner.apply(&Plan { routers: vec![router(0, 10, &[own])] }).unwrap();
    let outcome = run(&mut runner, &Bfd { src: STRANGER, ..v4.good() });
    assert_eq!((outcome.action, &outcome.dropped[..]), (Action::Drop, &[DropReason::VipNotOwner][..]));
}

#[test]
fn valid_packets_are_recorded_in_every_form() {
    let (mut runner, [v4, v6]) = runner();
    let mut rows = Vec::new();
    for family in [&v4, &v6] {
        let mut padded = family.good().frame();
        padded.payload.extend([0xaa; 9]);
        rows.extend([
            ("plain".to_owned(), family.single, family.good().frame()),
            ("padded".to_owned(), family.single, padded),
            ("priority tag".to_owned(), family.single, family.good().frame().tagged(&[0])),
            (
                "datagram longer than the packet".to_owned(),
                family.single,
                family.good().edited(|p| p.push(0)).frame(),
            ),
            (
                "five hops".to_owned(),
                family.multihop,
                Bfd { ttl: 250, ..family.of(&family.multihop) }.frame(),
            ),
            ("no hop".to_owned(), family.multihop, family.of(&family.multihop).frame()),
        ]);
    }
    let dont_fragment = Ip { fragment: 0x4000, ..v4.good().ip() };
    rows.push(("don't fragment".to_owned(), v4.single, Frame::ip(&dont_fragment)));
    for words in 1..=10 {
        let options = Ip { options: vec![1; 4 * words], ..v4.good().ip() };
        rows.push((format!("IHL {}", 5 + words), v4.single, Frame::ip(&options)));
    }
    let sessions = runner.xdp.bfd_sessions();
    for (name, session, frame) in rows {
        let (packets, before) = (sessions.packets(session.id), now());
        let outcome = runner.run(&frame.octets()).unwrap();
        assert_eq!((outcome.action, outcome.packet), (Action::Pass, frame.octets()), "{name}");
        assert!(outcome.counted.contains(&Counter::BfdHeard), "{name}: {:?}", outcome.counted);
        let received = sessions.received(session.id).unwrap();
        assert_eq!((received.control, sessions.packets(session.id)), (up(&session), packets + 1), "{name}");
        assert!(before <= received.at && received.at <= now(), "{name}");
        assert_eq!(sessions.last_seen(session.id), received.at, "{name}");
    }
}

/// A neighbour that says it has given this node up is about to take over: what is guarded ends with that packet.
#[test]
fn who_is_given_up_owns_nothing_from_that_packet_on() {
    const EXPIRED: u8 = 1;
    let guards = [1, 2, MAX_GUARDS - 1];
    let (mut runner, families) = runner();
    let (table, sessions) = (runner.xdp.guards(), runner.xdp.bfd_sessions());
    let open = |guard: &u32| table.load(*guard) == Guards::OPEN;
    for family in &families {
        let id = family.single.id;
        let down = |diag: u8| Control { state: SessionState::Down, diag, ..up(&family.single) };
        let mut hears =
            |control: Control| run(&mut runner, &Bfd::new(family.single.remote, family.own, &control));
        sessions.set_ends(id, [1, MAX_GUARDS - 1]);
        for diag in [0, 2, 3, 7] {
            hears(up(&family.single));
            assert!(!hears(down(diag)).counted.contains(&Counter::GuardEnded), "diagnostic {diag}");
        }
        assert!(!hears(down(EXPIRED)).counted.contains(&Counter::GuardEnded), "it was Down already");
        hears(up(&family.single));
        let restarted = Control { my_discriminator: 99, ..down(EXPIRED) };
        assert!(!hears(restarted).counted.contains(&Counter::GuardEnded), "it has started anew");
        assert!(guards.iter().all(open));

        hears(up(&family.single));
        assert!(hears(down(EXPIRED)).counted.contains(&Counter::GuardEnded));
        assert_eq!(guards.map(|guard| open(&guard)), [false, true, false]);
        for guard in [1, MAX_GUARDS - 1] {
            assert!(!table.renew(guard, now() + Duration::from_secs(1)), "no renewal brings it back");
            assert_eq!(table.load(guard), Time::ZERO);
            table.store(guard, Guards::OPEN);
        }

        sessions.set_ends(id, []);
        hears(up(&family.single));
        assert!(!hears(down(EXPIRED)).counted.contains(&Counter::GuardEnded), "nobody goes by this session");

        // The daemon records what it has verified, and does the same.
        let id = family.authenticated.id;
        sessions.set_ends(id, [2]);
        let control = up(&family.authenticated);
        sessions.record(id, Received { at: now(), control });
        sessions.record(
            id,
            Received { at: now(), control: Control { state: SessionState::Down, diag: EXPIRED, ..control } },
        );
        assert_eq!(guards.map(|guard| open(&guard)), [true, false, true]);
        table.store(2, Guards::OPEN);
    }
}

/// A change to a packet.
type Edit = fn(&mut Control);

/// Events are for what the state machine must hear of, and nothing else.
#[test]
fn only_news_and_polls_are_told() {
    let rows: [(&str, Edit, usize); 16] = [
        ("first", |_| (), 1),
        ("the same", |_| (), 0),
        ("diagnostic", |control| control.diag = 5, 1),
        ("state", |control| control.state = SessionState::Init, 1),
        ("the same again", |_| (), 0),
        ("multiplier", |control| control.multiplier = 4, 1),
        ("its discriminator", |control| control.my_discriminator = 9, 1),
        ("transmit interval", |control| control.desired_min_tx_us = 251, 1),
        ("receive interval", |control| control.required_min_rx_us = 301, 1),
        ("demand mode", |control| control.flags = DEMAND, 1),
        ("poll", |control| control.flags = DEMAND | POLL, 1),
        ("the same poll", |_| (), 1),
        ("final", |control| control.flags = DEMAND | FINAL, 1),
        ("neither any more", |control| control.flags = DEMAND, 0),
        ("echoes", |control| control.required_min_echo_rx_us = 50_000, 0),
        ("another state", |control| control.state = SessionState::Down, 1),
    ];
    let (mut runner, families) = runner();
    let sessions = runner.xdp.bfd_sessions();
    for family in &families {
        let mut control = up(&family.single);
        for (name, edit, told) in rows {
            edit(&mut control);
            let outcome = run(&mut runner, &Bfd::new(family.single.remote, family.own, &control));
            assert_eq!(outcome.counted.contains(&Counter::EventSent), told == 1, "{name}");
            let said = Control { required_min_echo_rx_us: 0, ..control };
            let received = sessions.received(family.single.id).unwrap();
            assert_eq!(received.control, said, "{name}");
            let event = EventRecord::Bfd { session: family.single.id, received };
            assert_eq!(outcome.events, vec![event; told], "{name}");
        }
    }
    assert_eq!(runner.unknown_events(), 0);
}

/// A neighbour that does not know this node's discriminator is found by its address, as many as there are.
#[test]
fn any_of_255_neighbours_is_found_by_its_address() {
    let mut runner = Runner::new().unwrap();
    let remote = |index: u32| -> IpAddr {
        match index % 2 {
            0 => Ipv4Addr::from_bits(0x0a4d_0000 + index).into(),
            _ => Ipv6Addr::from_bits((0xfe80 << 112) + u128::from(index)).into(),
        }
    };
    let on_any = |index, session| match index % 3 {
        0 => PlannedSession { ifindex: 0, ..session },
        1 => PlannedSession { multihop: true, ifindex: 0, ..session },
        _ => session,
    };
    let sessions: Vec<_> =
        (1..MAX_BFD_SESSIONS).map(|index| on_any(index, session(index, remote(index)))).collect();
    // Twice, so that both halves of the index have been in force.
    for round in 1..=2 {
        runner.xdp.apply_bfd(&sessions).unwrap();
        for (state, session) in [SessionState::Down, SessionState::AdminDown].iter().cycle().zip(&sessions) {
            let own = if session.remote.is_ipv4() { V4.1 } else { V6.1 };
            let control = Control { state: *state, your_discriminator: 0, ..up(session) };
            let port = if session.multihop { PORT_MULTIHOP } else { PORT };
            let bfd = Bfd { port, ..Bfd::new(session.remote, own, &control) };
            let outcome = run(&mut runner, &bfd);
            assert!(outcome.counted.contains(&Counter::BfdHeard), "{session:?}");
            let sessions = runner.xdp.bfd_sessions();
            assert_eq!(sessions.received(session.id).map(|received| received.control), Some(control));
            assert_eq!(sessions.packets(session.id), round);
            let other_port = Bfd { port: PORT + PORT_MULTIHOP - port, ..bfd };
            assert_eq!(run(&mut runner, &other_port).counted, [Counter::BfdUnknown], "{session:?}");
        }
    }
    assert_eq!(heard(&runner).len(), 255);
    let stranger = Control { state: SessionState::Down, your_discriminator: 0, ..up(&sessions[0]) };
    let outcome = run(&mut runner, &Bfd::new(STRANGER, V4.1, &stranger));
    assert_eq!((outcome.action, &outcome.counted[..]), (Action::Pass, &[Counter::BfdUnknown][..]));
}

/// One neighbour may have several sessions, told apart by interface and by this node's address.
#[test]
fn sessions_with_one_neighbour_are_told_apart() {
    let mut runner = Runner::new().unwrap();
    let (remote, own) = V4;
    let elsewhere = PlannedSession { ifindex: 2, ..session(1, remote) };
    let anywhere = PlannedSession { ifindex: 0, ..session(2, remote) };
    let to_own = PlannedSession { local: Some(own), ifindex: 0, ..session(3, remote) };
    let to_stranger = PlannedSession { local: Some(STRANGER), ifindex: 0, ..session(4, remote) };
    let rows: [(&str, &[PlannedSession], &[u32]); 5] = [
        ("on another interface", &[elsewhere], &[]),
        ("on any", &[elsewhere, anywhere], &[2]),
        ("on this one before any", &[anywhere, session(5, remote)], &[5]),
        ("to an address", &[to_own, to_stranger], &[3]),
        ("to another address", &[to_stranger], &[]),
    ];
    for (name, sessions, found) in rows {
        runner.xdp.apply_bfd(&[]).unwrap();
        runner.xdp.apply_bfd(sessions).unwrap();
        let control = Control { state: SessionState::Down, your_discriminator: 0, ..up(&anywhere) };
        run(&mut runner, &Bfd::new(remote, own, &control));
        assert_eq!(heard(&runner), found, "{name}");
        // And with the discriminator, where the session is to be found, but not by this way.
        for session in sessions.iter().filter(|session| !found.contains(&session.id.index())) {
            let fits = session.ifindex != 2 && session.local != Some(STRANGER);
            let outcome = run(&mut runner, &Bfd::new(remote, own, &up(session)));
            assert_eq!(outcome.counted.contains(&Counter::BfdUnknown), !fits, "{name}: {session:?}");
        }
    }
}

/// What is authenticated, only the daemon can verify: it gets the packet, and records it.
#[test]
fn authenticated_packets_are_left_to_the_daemon() {
    let (mut runner, families) = runner();
    let sessions = runner.xdp.bfd_sessions();
    for family in &families {
        let id = family.authenticated.id;
        let outcome = run(&mut runner, &family.sealed());
        assert_eq!((outcome.action, &outcome.packet), (Action::Pass, &family.sealed().frame().octets()));
        assert_eq!((&outcome.counted[..], &outcome.events[..]), (&[Counter::BfdAuthenticated][..], &[][..]));
        assert_eq!((sessions.received(id), sessions.last_seen(id)), (None, Time::ZERO));
        for packets in 1..=2 {
            let control = Control { diag: 31, flags: AUTHENTICATED | POLL, ..up(&family.authenticated) };
            let received = Received { at: now(), control };
            sessions.record(id, received);
            assert_eq!(sessions.received(id), Some(received));
            assert_eq!((sessions.last_seen(id), sessions.packets(id)), (received.at, packets));
        }
    }
}

#[test]
fn a_plan_disturbs_no_session_that_stays() {
    let mut runner = Runner::new().unwrap();
    let sessions = runner.xdp.bfd_sessions();
    let (remote, own) = V4;
    let next = |n: u32| IpAddr::V4(Ipv4Addr::from_bits(0x0a4d_0002 + n));
    let (stays, leaves) = (session(1, remote), session(2, next(1)));
    let (replaced, moves) = (session(3, next(2)), session(4, next(3)));
    runner.xdp.apply_bfd(&[stays, leaves, replaced, moves]).unwrap();
    let hear = |runner: &mut Runner, session: &PlannedSession| {
        run(runner, &Bfd::new(session.remote, own, &up(session))).events.len()
    };
    for session in [&stays, &leaves, &replaced, &moves] {
        assert_eq!(hear(&mut runner, session), 1);
    }
    let newcomer = PlannedSession { discriminator: 0x7777_7703, ..session(3, next(9)) };
    let moved = PlannedSession { ifindex: 0, min_ttl: 1, ..moves };
    let plan = [moved, stays, newcomer];
    runner.xdp.apply_bfd(&plan).unwrap();
    assert_eq!(heard(&runner), [1, 4]);
    let keys = runner.xdp.bfd_keys();
    assert_eq!(keys.iter().map(|(id, _)| id.index()).collect::<Vec<_>>(), [1, 3, 4]);
    assert_eq!(keys[1].1.discriminator, 0x7777_7703);
    for (session, told) in [(&stays, 0), (&leaves, 0), (&replaced, 0), (&moves, 0), (&newcomer, 1)] {
        assert_eq!(hear(&mut runner, session), told, "{session:?}");
    }
    assert_eq!(heard(&runner), [1, 3, 4]);
    assert_eq!((sessions.packets(stays.id), sessions.packets(newcomer.id)), (2, 1));

    // A plan that does not fit changes nothing.
    assert!(runner.xdp.apply_bfd(&[stays, PlannedSession { remote: next(50), ..stays }]).is_err());
    assert_eq!((runner.xdp.bfd_keys(), heard(&runner)), (keys, vec![1, 3, 4]));
    runner.xdp.apply_bfd(&[]).unwrap();
    assert_eq!((runner.xdp.bfd_keys().len(), heard(&runner).len()), (0, 0));
}
