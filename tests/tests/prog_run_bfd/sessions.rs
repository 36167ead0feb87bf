//! Whose packet it is.

use super::*;

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
