//! What is news: packets reach a session as events, and read from the map when a deadline is due.

use super::*;

#[test]
fn alive_moves_the_detection_time() {
    let mut session = settled(config());
    let heard = T0 + ms(15);
    assert_eq!(tell(&mut session, T0 + ms(20), Event::Alive { at: heard }), []);
    assert_eq!(tell(&mut session, T0 + ms(20), Event::Timeout), []);
    assert_eq!((session.state(), session.next_deadline()), (Up, Some(heard + ms(20))));
    // What is known already changes nothing, and time never goes back.
    tell(&mut session, T0 + ms(21), Event::Alive { at: T0 + ms(10) });
    assert_eq!(session.next_deadline(), Some(heard + ms(20)));
    // Nothing arrives after now.
    tell(&mut session, T0 + ms(22), Event::Alive { at: T0 + ms(50) });
    assert_eq!(session.last_heard(), Some(T0 + ms(22)));
    let early = Received { at: T0 + ms(90), control: packet(Up) };
    tell(&mut session, T0 + ms(23), Event::Packet(early));
    assert_eq!(session.last_heard(), Some(T0 + ms(23)));
}

#[test]
fn alive_too_early_does_not_save_the_session() {
    let mut session = settled(config());
    tell(&mut session, T0 + ms(25), Event::Alive { at: T0 + ms(4) });
    let actions = tell(&mut session, T0 + ms(25), Event::Timeout);
    assert_eq!(changed(&actions), Some((Up, Down, Diag::DetectionTimeExpired)));
}

#[test]
fn a_packet_known_already_is_ignored() {
    let mut session = settled(config());
    // The Final of T0 again, read from the map: it must not end the poll that began since.
    session.reconfigure(T0 + ms(1), Config { min_tx: ms(8), ..config() }, &mut Vec::new());
    let stale = Received { at: T0, control: Control { flags: FINAL, ..packet(Up) } };
    assert_eq!(tell(&mut session, T0 + ms(2), Event::Packet(stale)), []);
    assert_eq!(transmission(&session).control.flags, POLL);
    let older = Received { at: T0 - ms(1), control: packet(Down) };
    assert_eq!(tell(&mut session, T0 + ms(2), Event::Packet(older)), []);
    assert_eq!(session.state(), Up);
}

/// The event of a change may be told after the map was read for the time of that packet.
#[test]
fn a_packet_whose_time_is_known_already_still_counts() {
    let mut session = settled(config());
    let at = T0 + ms(5);
    tell(&mut session, T0 + ms(6), Event::Alive { at });
    let actions = tell(&mut session, T0 + ms(6), Event::Packet(Received { at, control: packet(Down) }));
    assert_eq!(changed(&actions), Some((Up, Down, Diag::NeighborSignaledDown)));
}

/// The datapath says nothing of a second "Down", since the first was like it; by the RFC it means Init.
#[test]
fn a_repeated_packet_counts_as_one() {
    let mut session = settled(config());
    hear(&mut session, T0 + ms(1), packet(Down));
    let actions = tell(&mut session, T0 + ms(9), Event::Alive { at: T0 + ms(5) });
    assert_eq!(changed(&actions), Some((Down, Init, Diag::NeighborSignaledDown)));
}

#[test]
fn a_repeated_packet_from_before_the_change_does_not() {
    let mut session = session_in(Up, config());
    tell(&mut session, T0 + ms(3), Event::PathDown);
    // The neighbour's last packet said Init, which would bring the session Up.
    assert_eq!(changed(&tell(&mut session, T0 + ms(4), Event::Alive { at: T0 + ms(3) })), None);
    assert_eq!(
        changed(&tell(&mut session, T0 + ms(5), Event::Alive { at: T0 + ms(4) })),
        Some((Down, Up, Diag::None))
    );
}

/// A passive end that has forgotten its neighbour sends nothing, and packets like the last one are no events: only looking
/// for them brings the two together.
#[test]
fn a_forgotten_neighbour_is_looked_for() {
    let mut session = session_in(Init, Config { passive: true, ..config() });
    let lost = session.next_deadline().unwrap();
    tell(&mut session, lost, Event::Timeout);
    assert_eq!((session.remote(), session.transmission()), (None, None));
    assert_eq!(session.next_deadline(), Some(lost + ms(1_000)));
    tell(&mut session, lost + ms(1_000), Event::Timeout);
    assert_eq!(session.next_deadline(), Some(lost + ms(2_000)));
    let actions = tell(&mut session, lost + ms(2_000), Event::Alive { at: lost + ms(1_500) });
    assert_eq!(changed(&actions), Some((Down, Init, Diag::DetectionTimeExpired)));
    assert_eq!((sent(&actions).len(), sent(&actions)[0].your_discriminator), (1, THEIRS));
}

/// A restarted daemon may find the record of a neighbour that goes on saying the same, which is no event.
#[test]
fn a_neighbour_never_heard_is_looked_for_too() {
    let mut session = Session::new(config(), OWN, T0);
    tell(&mut session, T0, Event::Start);
    assert_eq!(tell(&mut session, T0, Event::Alive { at: T0 }), []);
    assert_eq!(session.next_deadline(), Some(T0 + ms(1_000)));
    tell(&mut session, T0 + ms(1), Event::Start);
    assert_eq!(session.next_deadline(), Some(T0 + ms(1_000)));
    tell(&mut session, T0 + ms(1_000), Event::Timeout);
    assert_eq!((session.state(), session.next_deadline()), (Down, Some(T0 + ms(2_000))));
}

#[test]
fn what_the_record_holds_is_told_once() {
    let mut session = Session::new(config(), OWN, T0);
    let first = Received { at: T0 + ms(1), control: packet(Init) };
    // Told before the session ran, it is news once it does: one that waits to be spoken to never would be.
    tell(&mut session, first.at, Event::Packet(first));
    tell(&mut session, first.at, Event::Start);
    assert_eq!(session.reading(first), Some(Event::Packet(first)));
    tell(
        &mut session,
        first.at,
        Event::Packet(Received { control: Control { required_min_echo_rx_us: 9, ..first.control }, ..first }),
    );
    assert_eq!(session.reading(first), None);
    // The same again, even with a Final that was told as an event; and something else.
    let at = T0 + ms(2);
    let finished = Control { flags: FINAL, ..packet(Init) };
    assert_eq!(session.reading(Received { at, control: finished }), Some(Event::Alive { at }));
    let second = Received { at, control: packet(Up) };
    assert_eq!(session.reading(second), Some(Event::Packet(second)));
    tell(&mut session, at, Event::Alive { at });
    assert_eq!(session.reading(Received { at, ..first }), None);
    assert_eq!(session.reading(second), Some(Event::Packet(second)));
    assert_eq!(session.reading(Received { at: first.at, ..second }), None);
}

/// While "Down" repeated would mean Init, the record is read often: the event of a second one never comes.
#[test]
fn a_repetition_that_counts_is_looked_for_soon() {
    let mut session = settled(config());
    hear(&mut session, T0 + ms(1), Control { desired_min_tx_us: 1_000_000, ..packet(Down) });
    assert_eq!(session.next_deadline(), Some(T0 + ms(21)));
    tell(&mut session, T0 + ms(21), Event::Timeout);
    assert_eq!((session.state(), session.next_deadline()), (Down, Some(T0 + ms(41))));
    assert!(session.remote().is_some());
    tell(&mut session, T0 + ms(41), Event::Alive { at: T0 + ms(30) });
    assert_eq!((session.state(), session.next_deadline()), (Init, Some(T0 + ms(5_030))));
}

#[test]
fn rfc5880_6_8_6_packets_of_other_sessions_are_discarded() {
    let strange = Control { your_discriminator: OWN + 1, ..packet(Down) };
    let signed = Control { flags: hadp_common::wire::bfd::AUTHENTICATED, ..packet(Down) };
    for control in [strange, signed] {
        assert_eq!(hear(&mut settled(config()), T0 + ms(1), control), []);
    }
    let mut session = settled(config());
    assert!(
        changed(&hear(&mut session, T0 + ms(1), Control { your_discriminator: 0, ..packet(Down) })).is_some()
    );
    let mut session = Session::new(Config { authenticated: true, ..config() }, OWN, T0);
    tell(&mut session, T0, Event::Start);
    assert_eq!(hear(&mut session, T0, packet(Down)), []);
    assert!(changed(&hear(&mut session, T0, signed)).is_some());
    assert_eq!(transmission(&session).control.flags, hadp_common::wire::bfd::AUTHENTICATED);
}
