//! What is recorded, what is told, and what ends a guard.

use super::*;

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
