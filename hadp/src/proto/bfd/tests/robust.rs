//! Whatever happens, in whatever order.

use proptest::{prelude::prop, prop_assert, prop_assert_eq, proptest, strategy::Strategy};

use super::*;

fn id(index: u32) -> SessionId {
    SessionId::new(index).unwrap()
}

fn controls() -> impl Strategy<Value = Control> {
    let interval = || prop::sample::select(vec![0, 1, 250, 2_000, 1_000_000, u32::MAX]);
    (0..4_u8, 0..64_u8, 0..=255_u8, 0..3_u32, 0..3_u32, interval(), interval()).prop_map(
        |(state, flags, multiplier, my, your, desired, required)| Control {
            diag: 0,
            state: SessionState::from_bits(state << 6),
            flags,
            multiplier,
            my_discriminator: my,
            your_discriminator: if your == 2 { OWN } else { your },
            desired_min_tx_us: desired,
            required_min_rx_us: required,
            required_min_echo_rx_us: 0,
        },
    )
}

/// One step: how much later, which session, what happens, and how long ago.
fn steps() -> impl Strategy<Value = Vec<(u64, u32, u8, u64, Control)>> {
    prop::collection::vec((0..3_000_000_000_u64, 1..4_u32, 0..16_u8, 0..20_000_000_u64, controls()), 1..120)
}

/// Serves everything that is due and returns how many turns that took.
fn drive(sessions: &mut Sessions, now: Time, out: &mut Vec<(SessionId, Action)>) -> usize {
    let mut turns = 0;
    while let Some(id) = sessions.due(now) {
        turns += 1;
        assert!(turns < 100, "no end at {now:?}");
        sessions.handle(now, id, Event::Timeout, out);
    }
    turns
}

proptest! {
    /// No panic; after a Timeout the deadline lies ahead; the index agrees with the sessions; an early Timeout changes
    /// nothing; what is sent follows the rules; what is told is what is in force.
    #[test]
    fn the_drivers_loop_always_makes_progress(steps in steps(), kinds in 0..8_u32) {
        let mut sessions = Sessions::default();
        let mut told = [None; 4];
        for index in 1..4 {
            let config = Config {
                passive: kinds & 1 != 0,
                authenticated: kinds & 2 != 0,
                min_rx: if kinds & 4 != 0 { Duration::ZERO } else { ms(1) },
                multiplier: [0, 1, 3, 255][index as usize],
                ..config()
            };
            sessions.insert(id(index), Session::new(config, OWN, T0));
        }
        let (mut now, mut out) = (T0, Vec::new());
        for (wait, index, kind, ago, control) in steps {
            now = now + Duration::from_nanos(wait >> (kind * 2));
            drive(&mut sessions, now, &mut out);
            let at = now - Duration::from_nanos(ago);
            let event = match kind {
                0 | 1 => Event::Start,
                2 => Event::AdminDown,
                3 => Event::AdminUp,
                4 => Event::PathDown,
                5 => Event::Timeout,
                6 | 7 => Event::Alive { at },
                _ => Event::Packet(Received { at, control }),
            };
            sessions.handle(now, id(index), event, &mut out);
            if kind == 5 {
                let config = Config { min_tx: Duration::from_nanos(ago), ..config() };
                sessions.reconfigure(now, id(index), config, &mut out);
            }
            let least = sessions.iter().filter_map(|(_, session)| session.next_deadline()).min();
            prop_assert_eq!(sessions.next_deadline(), least);
            for (id, action) in out.drain(..) {
                match action {
                    Action::Transmit(transmission) => told[id.index() as usize] = transmission,
                    Action::SendNow(control) => prop_assert!(control.flags & (POLL | FINAL) != POLL | FINAL),
                    Action::Changed { from, to, .. } => prop_assert!(from != to),
                    Action::Settled => {}
                }
            }
            for (id, session) in sessions.iter() {
                prop_assert_eq!(session.transmission(), told[id.index() as usize].as_ref());
                if let Some(transmission) = session.transmission() {
                    let control = transmission.control;
                    prop_assert!(transmission.every >= us(1) && control.multiplier > 0);
                    prop_assert_eq!(control.state, session.state());
                    prop_assert!(control.state == Up || control.flags & POLL == 0);
                    prop_assert!(control.state == Up || control.desired_min_tx_us >= 1_000_000);
                    let watched = matches!(session.state(), Init | Up);
                    prop_assert_eq!(transmission.detected_after.is_some(), watched);
                }
                let counts = session.counts();
                prop_assert_eq!(counts.ups, counts.downs + u64::from(session.state() == Up));
            }
            let ids: Vec<_> = sessions.iter().map(|(id, _)| id).collect();
            for id in ids {
                if sessions.get(id).and_then(Session::next_deadline).is_none_or(|at| at > now) {
                    sessions.handle(now, id, Event::Timeout, &mut out);
                    prop_assert_eq!(out.len(), 0);
                }
            }
        }
        drive(&mut sessions, now + ms(100_000), &mut out);
    }
}

#[test]
fn a_removed_session_leaves_no_deadline_behind() {
    let mut sessions = Sessions::default();
    assert!(sessions.insert(id(1), session_in(Init, config())).is_none());
    let due = sessions.get(id(1)).and_then(Session::next_deadline);
    assert!(due.is_some());
    assert_eq!((sessions.next_deadline(), sessions.due(due.unwrap())), (due, Some(id(1))));
    assert_eq!(sessions.due(T0), None);
    assert!(sessions.insert(id(1), Session::new(config(), OWN, T0)).is_some());
    assert_eq!(sessions.next_deadline(), None);
    sessions.insert(id(2), session_in(Up, config()));
    assert!(sessions.remove(id(2)).is_some());
    assert_eq!((sessions.next_deadline(), sessions.remove(id(2)).is_none()), (None, true));
    let mut out = Vec::new();
    sessions.handle(T0, id(9), Event::Start, &mut out);
    assert_eq!(out, []);
}
