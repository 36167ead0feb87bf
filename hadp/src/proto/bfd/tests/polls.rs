//! RFC 5880 §6.5, §6.8.3: Poll Sequences.

use super::*;

#[test]
fn rfc5880_6_8_3_going_up_polls_with_the_fast_interval_until_the_final() {
    let mut session = session_in(Init, config());
    let actions = hear(&mut session, T0, packet(Up));
    assert_eq!(sent(&actions).iter().map(|control| control.flags).collect::<Vec<_>>(), [POLL]);
    let told = transmission(&session);
    assert_eq!((told.every, told.control.flags), (ms(1), POLL));
    assert_eq!((told.control.desired_min_tx_us, told.control.required_min_rx_us), (1_000, 2_000));
    // Another packet is no Final.
    assert_eq!(hear(&mut session, T0 + ms(1), packet(Up)), []);
    let actions = hear(&mut session, T0 + ms(2), Control { flags: FINAL, ..packet(Up) });
    assert!(matches!(actions[..], [Action::Transmit(Some(told))] if told.control.flags == 0));
    assert_eq!(transmission(&session).every, ms(1));
}

#[test]
fn rfc5880_6_8_6_a_poll_is_answered_at_once_by_a_final_that_does_not_poll() {
    for state in [Down, Init, Up] {
        let mut session = session_in(state, config());
        let poll = Control { flags: POLL, ..packet(Up) };
        let actions = hear(&mut session, T0, poll);
        let sent = sent(&actions);
        assert_eq!(sent.len(), 1, "{state:?}");
        assert_eq!((sent[0].flags, sent[0].state), (FINAL, session.state()), "{state:?}");
    }
}

/// The state that the poll brought is in the Final.
#[test]
fn a_poll_that_changes_the_state_is_answered_once() {
    let mut session = session_in(Init, config());
    let actions = hear(&mut session, T0, Control { flags: POLL, ..packet(Up) });
    assert_eq!(sent(&actions).iter().map(|c| (c.state, c.flags)).collect::<Vec<_>>(), [(Up, FINAL)]);
    assert_eq!(transmission(&session).control.flags, POLL, "this end polls by its next packet");
}

#[test]
fn rfc5880_6_8_3_a_longer_interval_waits_for_the_final() {
    let mut session = settled(config());
    let mut out = Vec::new();
    session.reconfigure(T0 + ms(1), Config { min_tx: ms(8), ..config() }, &mut out);
    let told = transmission(&session);
    assert_eq!((told.every, told.control.desired_min_tx_us, told.control.flags), (ms(1), 8_000, POLL));
    assert_eq!(told.detected_after, Some(ms(3)), "the neighbour may not know yet");
    assert_eq!(out, [Action::Transmit(Some(told))]);
    hear(&mut session, T0 + ms(2), Control { flags: FINAL, ..packet(Up) });
    let told = transmission(&session);
    assert_eq!((told.every, told.control.flags, told.detected_after), (ms(8), 0, Some(ms(24))));
}

#[test]
fn rfc5880_6_8_3_a_shorter_wait_counts_after_the_final() {
    let mut session = settled(config());
    let fast = Control { desired_min_tx_us: 100, ..packet(Up) };
    hear(&mut session, T0 + ms(1), fast);
    session.reconfigure(T0 + ms(1), Config { min_rx: us(200), ..config() }, &mut Vec::new());
    assert_eq!(session.detection_time(), Some(ms(10)), "5 x the old 2 ms");
    hear(&mut session, T0 + ms(2), Control { flags: FINAL, ..fast });
    assert_eq!(session.detection_time(), Some(us(1_000)));
    assert_eq!(session.next_deadline(), Some(T0 + ms(3)));
    // A longer one counts at once.
    session.reconfigure(T0 + ms(2), Config { min_rx: ms(3), ..config() }, &mut Vec::new());
    assert_eq!(session.next_deadline(), Some(T0 + ms(17)));
}

#[test]
fn rfc5880_6_8_3_slower_than_idle_when_up_waits_too() {
    let mut session = session_in(Init, Config { min_tx: ms(2_000), ..config() });
    hear(&mut session, T0, packet(Up));
    assert_eq!(transmission(&session).every, ms(1_000));
    assert_eq!(transmission(&session).detected_after, Some(ms(3_000)));
    hear(&mut session, T0 + ms(1), Control { flags: FINAL, ..packet(Up) });
    assert_eq!(transmission(&session).every, ms(2_000));
}

#[test]
fn going_down_ends_a_poll() {
    let mut session = session_in(Up, config());
    assert_eq!(transmission(&session).control.flags, POLL);
    hear(&mut session, T0, packet(Down));
    assert_eq!(transmission(&session).control.flags, 0);
}

#[test]
fn a_change_while_down_needs_no_poll() {
    let mut session = session_in(Down, config());
    session.reconfigure(T0, Config { multiplier: 9, ..config() }, &mut Vec::new());
    let control = transmission(&session).control;
    assert_eq!((control.multiplier, control.flags), (9, 0));
    let mut out = Vec::new();
    session.reconfigure(T0, Config { multiplier: 9, ..config() }, &mut out);
    assert_eq!(out, []);
}
