//! RFC 5880 §6.8.1, §6.8.2, §6.8.4, §6.8.7: how often is sent, and how long is waited.

use super::*;

fn every(session: &Session) -> Option<Duration> {
    session.transmission().map(|transmission| transmission.every)
}

#[test]
fn rfc5880_6_8_3_not_up_means_once_a_second_at_most() {
    let rows = [(10, 1_000), (1_000, 1_000), (2_500, 2_500)];
    for (idle, expected) in rows {
        for state in [AdminDown, Down, Init] {
            let session = session_in(state, Config { idle_tx: ms(idle), ..config() });
            assert_eq!(every(&session), Some(ms(expected)), "{state:?} {idle}");
            assert_eq!(transmission(&session).control.desired_min_tx_us, expected as u32 * 1_000);
        }
    }
}

#[test]
fn rfc5880_6_8_7_the_interval_is_the_greater_of_the_two_ends() {
    for (required, expected) in [(500, us(1_000)), (1_000, us(1_000)), (7_000, us(7_000))] {
        let mut session = settled(config());
        hear(&mut session, T0 + ms(1), Control { required_min_rx_us: required, ..packet(Up) });
        assert_eq!(every(&session), Some(expected), "{required}");
    }
    let mut session = session_in(Init, config());
    hear(&mut session, T0, Control { required_min_rx_us: 3_000_000, ..packet(Down) });
    assert_eq!(every(&session), Some(ms(3_000)));
}

#[test]
fn rfc5880_6_8_7_a_neighbour_that_wants_no_packets_gets_none_but_answers() {
    let mut session = settled(config());
    let mute = Control { required_min_rx_us: 0, ..packet(Up) };
    assert_eq!(hear(&mut session, T0 + ms(1), mute), [Action::Transmit(None)]);
    let actions = hear(&mut session, T0 + ms(2), Control { flags: POLL, ..mute });
    assert_eq!(sent(&actions).iter().map(|control| control.flags).collect::<Vec<_>>(), [FINAL]);
    // The change of state is told all the same.
    let actions = hear(&mut session, T0 + ms(3), Control { state: Down, ..mute });
    assert_eq!((sent(&actions).len(), session.transmission()), (1, None));
    hear(&mut session, T0 + ms(4), packet(AdminDown));
    assert!(session.transmission().is_some());
}

#[test]
fn rfc5880_6_8_4_detection_time() {
    #[rustfmt::skip]
    let rows = [
        // The neighbour's Desired Min TX and Detect Mult, own Required Min RX 2 ms.
        (4_000, 5, us(20_000)),
        (2_000, 5, us(10_000)),
        (1_000, 5, us(10_000)),
        (  250, 1, us( 2_000)),
        (    0, 3, us( 6_000)),
        (u32::MAX, 255, us(4_294_967_295 * 255)),
    ];
    for (desired, multiplier, expected) in rows {
        let mut session = session_in(Up, config());
        hear(&mut session, T0, Control { desired_min_tx_us: desired, multiplier, ..packet(Up) });
        assert_eq!(session.detection_time(), Some(expected), "{desired} x {multiplier}");
        assert_eq!(session.next_deadline(), Some(T0 + expected), "{desired} x {multiplier}");
    }
}

#[test]
fn what_the_neighbour_said_is_kept() {
    let mut session = session_in(Up, config());
    let remote = session.remote().unwrap();
    assert_eq!((remote.state, remote.discriminator, remote.multiplier), (Init, THEIRS, 5));
    assert_eq!((remote.desired_min_tx, remote.required_min_rx, remote.demand), (us(4_000), us(500), false));
    assert_eq!((session.last_heard(), session.discriminator()), (Some(T0 - ms(1)), OWN));
    hear(&mut session, T0, Control { my_discriminator: 0x77, ..packet(Up) });
    assert_eq!(transmission(&session).control.your_discriminator, 0x77);
}

#[test]
fn how_long_the_neighbour_waits() {
    let wait = |session: &Session| transmission(session).detected_after;
    // In Init the neighbour may be Up already, by this end's slow packets.
    assert_eq!(wait(&session_in(Init, config())), Some(ms(3_000)));
    assert_eq!(wait(&session_in(Down, config())), None);
    assert_eq!(wait(&session_in(AdminDown, config())), None);
    // While it is being polled it may know the fast interval or not.
    let mut session = session_in(Up, config());
    assert_eq!(wait(&session), Some(ms(3)));
    hear(&mut session, T0, Control { flags: FINAL, required_min_rx_us: 1_500, ..packet(Up) });
    assert_eq!(wait(&session), Some(us(4_500)));
}

#[test]
fn rfc5880_6_8_1_a_silent_neighbour_is_forgotten() {
    for state in [AdminDown, Down] {
        let mut session = session_in(state, config());
        assert_eq!(transmission(&session).control.your_discriminator, THEIRS);
        let due = session.next_deadline().unwrap();
        assert_eq!(due, T0 - ms(1) + ms(20));
        let actions = tell(&mut session, due, Event::Timeout);
        assert_eq!((changed(&actions), session.remote()), (None, None));
        assert_eq!(transmission(&session).control.your_discriminator, 0);
    }
}

/// What the neighbour needs to hear "Down" before its own detection time: three packets at the old pace, and only then the
/// slow one.
#[test]
fn a_fall_is_told_several_times_at_the_old_pace() {
    for event in [Event::Timeout, Event::AdminDown, Event::PathDown] {
        let mut session = settled(config());
        let now = T0 + ms(20);
        let actions = tell(&mut session, now, event);
        assert_eq!(sent(&actions).len(), 1, "{event:?}");
        let told = transmission(&session);
        assert_eq!((told.every, told.detected_after, told.control.flags), (ms(1), None, 0), "{event:?}");
        assert_eq!(told.control.your_discriminator, THEIRS, "{event:?}");
        assert_eq!(told.control.desired_min_tx_us, 1_000_000, "{event:?}");
        tell(&mut session, now + us(2_999), Event::Timeout);
        assert_eq!(every(&session), Some(ms(1)), "{event:?}");
        tell(&mut session, now + ms(3), Event::Timeout);
        assert_eq!(every(&session), Some(ms(1_000)), "{event:?}");
        assert!(session.next_deadline().is_none_or(|next| next > now + ms(3)));
    }
}

#[test]
fn a_fall_that_the_neighbour_began_is_told_once() {
    let mut session = settled(config());
    hear(&mut session, T0 + ms(1), packet(Down));
    assert_eq!(every(&session), Some(ms(1_000)));
}

#[test]
fn admin_down_during_the_hurry_of_a_fall_is_told_as_fast() {
    let mut session = settled(config());
    tell(&mut session, T0 + ms(20), Event::Timeout);
    tell(&mut session, T0 + ms(21), Event::AdminDown);
    assert_eq!(every(&session), Some(ms(1)));
    tell(&mut session, T0 + ms(24), Event::Timeout);
    assert_eq!(every(&session), Some(ms(1_000)));
}

#[test]
fn a_neighbour_that_answers_ends_the_hurry() {
    let mut session = settled(config());
    tell(&mut session, T0 + ms(20), Event::Timeout);
    let actions = hear(&mut session, T0 + ms(21), packet(Down));
    assert_eq!(changed(&actions), Some((Down, Init, Diag::DetectionTimeExpired)));
    assert_eq!(every(&session), Some(ms(1_000)));
    // It was not forgotten, and is given up again after its own detection time.
    assert_eq!(session.next_deadline(), Some(T0 + ms(41)));
}

#[test]
fn rfc5880_6_1_the_passive_role_sends_nothing_before_it_hears() {
    let mut session = Session::new(Config { passive: true, ..config() }, OWN, T0);
    assert_eq!(tell(&mut session, T0, Event::Start), []);
    assert_eq!(sent(&hear(&mut session, T0, packet(Down))).len(), 1);
    assert!(session.transmission().is_some());
    // §6.8.7: nor once the neighbour is forgotten.
    let mut session = settled(Config { passive: true, ..config() });
    tell(&mut session, T0 + ms(20), Event::Timeout);
    assert_eq!(every(&session), Some(ms(1)), "the fall is told first");
    assert_eq!(tell(&mut session, T0 + ms(23), Event::Timeout), [Action::Transmit(None)]);
    let actions = hear(&mut session, T0 + ms(500), packet(AdminDown));
    assert_eq!(sent(&actions).len(), 1);
}

#[test]
fn rfc5880_6_6_a_neighbour_in_demand_mode_is_sent_nothing_while_both_are_up() {
    let demand = Control { flags: hadp_common::wire::bfd::DEMAND, ..packet(Up) };
    // While a poll is under way packets go on.
    let mut session = session_in(Up, config());
    hear(&mut session, T0, demand);
    assert!(session.transmission().is_some_and(|told| told.control.flags == POLL));
    let finished = Control { flags: demand.flags | FINAL, ..demand };
    assert_eq!(hear(&mut session, T0 + ms(1), finished), [Action::Transmit(None)]);
    assert!(session.remote().is_some_and(|remote| remote.demand));
    // Not while it is not Up itself.
    hear(&mut session, T0 + ms(2), Control { state: Init, ..demand });
    assert!(session.transmission().is_some());
    hear(&mut session, T0 + ms(3), demand);
    assert_eq!(session.transmission(), None);
    // This end still watches it.
    let actions = tell(&mut session, T0 + ms(23), Event::Timeout);
    assert_eq!(changed(&actions), Some((Up, Down, Diag::DetectionTimeExpired)));
    assert!(session.transmission().is_some());
}
