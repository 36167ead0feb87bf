//! RFC 5880 §6.2, §6.8.6, §6.8.16: the state machine as tables.

use super::*;

#[test]
fn rfc5880_6_8_6_what_the_neighbours_state_does() {
    const SIGNALED: Diag = Diag::NeighborSignaledDown;
    #[rustfmt::skip]
    let table = [
        (AdminDown, AdminDown, None),
        (AdminDown, Down,      None),
        (AdminDown, Init,      None),
        (AdminDown, Up,        None),
        (Down,      AdminDown, None),
        (Down,      Down,      Some((Init, Diag::None))),
        (Down,      Init,      Some((Up, Diag::None))),
        (Down,      Up,        None),
        (Init,      AdminDown, Some((Down, SIGNALED))),
        (Init,      Down,      None),
        (Init,      Init,      Some((Up, Diag::None))),
        (Init,      Up,        Some((Up, Diag::None))),
        (Up,        AdminDown, Some((Down, SIGNALED))),
        (Up,        Down,      Some((Down, SIGNALED))),
        (Up,        Init,      None),
        (Up,        Up,        None),
    ];
    for (from, heard, expected) in table {
        let mut session = session_in(from, config());
        let before = session.since();
        let actions = hear(&mut session, T0, packet(heard));
        let change = expected.map(|(to, diag)| (from, to, diag));
        assert_eq!(changed(&actions), change, "{from:?} hears {heard:?}");
        match expected {
            Some((to, diag)) => {
                assert_eq!((session.state(), session.diag(), session.since()), (to, diag, T0));
                // §6.8.7: a change of state is told at once.
                let told: Vec<_> =
                    sent(&actions).iter().map(|control| (control.state, control.diag)).collect();
                assert_eq!(told, [(to, diag as u8)], "{from:?} hears {heard:?}");
                assert_eq!(transmission(&session).control.state, to);
            }
            None => {
                assert_eq!((session.state(), session.since()), (from, before));
                assert_eq!(sent(&actions), [], "{from:?} hears {heard:?}");
            }
        }
    }
}

#[test]
fn events_of_this_end() {
    #[rustfmt::skip]
    let table = [
        (AdminDown, Event::AdminDown, None),
        (Down,      Event::AdminDown, Some((AdminDown, Diag::AdministrativelyDown))),
        (Init,      Event::AdminDown, Some((AdminDown, Diag::AdministrativelyDown))),
        (Up,        Event::AdminDown, Some((AdminDown, Diag::AdministrativelyDown))),
        (AdminDown, Event::AdminUp,   Some((Down, Diag::None))),
        (Down,      Event::AdminUp,   None),
        (Init,      Event::AdminUp,   None),
        (Up,        Event::AdminUp,   None),
        (AdminDown, Event::PathDown,  None),
        (Down,      Event::PathDown,  None),
        (Init,      Event::PathDown,  Some((Down, Diag::PathDown))),
        (Up,        Event::PathDown,  Some((Down, Diag::PathDown))),
        (AdminDown, Event::Start,     None),
        (Down,      Event::Start,     None),
        (Init,      Event::Start,     None),
        (Up,        Event::Start,     None),
    ];
    for (from, event, expected) in table {
        let mut session = session_in(from, config());
        let actions = tell(&mut session, T0, event);
        assert_eq!(changed(&actions), expected.map(|(to, diag)| (from, to, diag)), "{from:?} {event:?}");
        assert_eq!(sent(&actions).len(), usize::from(expected.is_some()), "{from:?} {event:?}");
    }
}

#[test]
fn rfc5880_6_8_4_silence_takes_init_and_up_down() {
    for from in [Init, Up] {
        let mut session = session_in(from, config());
        let due = session.next_deadline().unwrap();
        assert_eq!(due, T0 - ms(1) + ms(20));
        assert_eq!(tell(&mut session, due - us(1), Event::Timeout), []);
        let actions = tell(&mut session, due, Event::Timeout);
        assert_eq!(changed(&actions), Some((from, Down, Diag::DetectionTimeExpired)));
        assert_eq!(sent(&actions).iter().map(|control| control.diag).collect::<Vec<_>>(), [1]);
    }
}

#[test]
fn the_change_comes_first_since_a_failover_waits_for_it() {
    let mut session = settled(config());
    let due = session.next_deadline().unwrap();
    let actions = tell(&mut session, due, Event::Timeout);
    assert!(matches!(actions[..], [Action::Changed { .. }, Action::SendNow(_), Action::Transmit(Some(_))]));
}

#[test]
fn nothing_happens_before_the_start() {
    let mut session = Session::new(config(), OWN, T0);
    assert_eq!(hear(&mut session, T0, packet(Down)), []);
    assert_eq!(tell(&mut session, T0, Event::Timeout), []);
    assert_eq!((session.state(), session.next_deadline(), session.remote()), (Down, None, None));
    let actions = tell(&mut session, T0, Event::Start);
    assert_eq!(sent(&actions).len(), 1);
    assert_eq!(transmission(&session).control, sent(&actions)[0]);
    assert_eq!(tell(&mut session, T0, Event::Start), []);
}

#[test]
fn ups_and_downs_are_counted() {
    let mut session = session_in(Up, config());
    assert_eq!(session.counts(), Counts { ups: 1, downs: 0 });
    hear(&mut session, T0, packet(Down));
    hear(&mut session, T0 + ms(1), packet(Down));
    hear(&mut session, T0 + ms(2), packet(AdminDown));
    assert_eq!(session.counts(), Counts { ups: 1, downs: 1 });
    hear(&mut session, T0 + ms(3), packet(Init));
    tell(&mut session, T0 + ms(4), Event::AdminDown);
    assert_eq!(session.counts(), Counts { ups: 2, downs: 2 });
}

#[test]
fn rfc5880_6_8_16_admin_down_goes_on_sending_for_the_neighbours_detection_time() {
    let mut session = settled(config());
    tell(&mut session, T0, Event::AdminDown);
    // The neighbour waits 3 x max(1 ms, 500 us).
    assert_eq!(session.farewell_until(), Some(T0 + ms(3)));
    assert_eq!(transmission(&session).control.state, AdminDown);
    // A poll is not answered (§6.8.6: the packet is discarded before).
    assert_eq!(sent(&hear(&mut session, T0 + ms(1), Control { flags: POLL, ..packet(Up) })), []);
    tell(&mut session, T0 + ms(2), Event::AdminUp);
    assert_eq!((session.farewell_until(), session.diag()), (None, Diag::None));
    assert_eq!(changed(&hear(&mut session, T0 + ms(3), packet(Down))), Some((Down, Init, Diag::None)));
}

#[test]
fn what_a_fall_means_to_followers() {
    let fallen = |event: Event| {
        let mut session = settled(config());
        tell(&mut session, T0 + ms(1), event);
        session.neighbor_is_gone()
    };
    let heard = |state| Event::Packet(Received { at: T0 + ms(1), control: packet(state) });
    assert!(fallen(heard(AdminDown)));
    assert!(!fallen(heard(Down)), "it lives");
    assert!(!fallen(Event::PathDown));
    assert!(!fallen(Event::AdminDown));
    let mut session = settled(config());
    tell(&mut session, T0 + ms(20), Event::Timeout);
    assert!(session.neighbor_is_gone());
    hear(&mut session, T0 + ms(21), packet(Init));
    assert!(!session.neighbor_is_gone(), "it is back");
}

/// The third fall within ten seconds still counts, since the session was trusted; the fourth does not.
#[test]
fn a_flapping_session_is_used_again_only_when_stable() {
    let mut session = settled(config());
    let mut now = T0;
    let mut gone = Vec::new();
    for _ in 0..4 {
        now = session.next_deadline().unwrap();
        tell(&mut session, now, Event::Timeout);
        gone.push(session.neighbor_is_gone());
        now = now + ms(100);
        hear(&mut session, now, packet(Init));
        assert_eq!(session.state(), Up);
        assert_eq!(session.is_usable(now), gone.len() < 3);
    }
    assert_eq!(gone, [true, true, true, false]);
    // Two falls while damped: two seconds.
    let end = now + ms(2_000);
    tell(&mut session, end - us(1), Event::Alive { at: end - us(1) });
    assert!(!session.is_usable(end - us(1)) && session.is_usable(end));
    assert_eq!(session.next_deadline(), Some(end));
    assert_eq!(tell(&mut session, end, Event::Timeout), [Action::Settled]);
    assert!(session.next_deadline().unwrap() > end);
}

#[test]
fn without_flap_damping_every_fall_counts() {
    let mut session = settled(Config { flap_damping: false, ..config() });
    for _ in 0..6 {
        let now = session.next_deadline().unwrap();
        tell(&mut session, now, Event::Timeout);
        assert!(session.neighbor_is_gone());
        hear(&mut session, now + ms(10), packet(Init));
        assert!(session.is_usable(now + ms(10)));
    }
}

#[test]
fn being_taken_down_on_purpose_by_either_end_is_no_flap() {
    for own in [true, false] {
        let mut session = settled(config());
        let mut now = T0;
        for _ in 0..4 {
            now = now + ms(10);
            let event = Received { at: now, control: packet(AdminDown) };
            tell(&mut session, now, if own { Event::AdminDown } else { Event::Packet(event) });
            tell(&mut session, now, Event::AdminUp);
            now = now + ms(10);
            hear(&mut session, now, packet(Init));
            assert!(session.is_usable(now), "{own}");
        }
    }
}

#[test]
fn only_an_up_session_is_usable() {
    for (state, usable) in [(AdminDown, false), (Down, false), (Init, false), (Up, true)] {
        assert_eq!(session_in(state, config()).is_usable(T0), usable, "{state:?}");
    }
}
