//! Tests of the records of sessions, and of what is told of them.

use std::time::Duration;

use hadp_common::wire::bfd::{AUTHENTICATED, Control, FINAL, POLL};
use proptest::{option, prelude::*};

use super::*;
use crate::{
    proto::bfd::{
        Action, Config, Diag, Event, Received, Session, SessionId, SessionState, Sessions as Machines,
        Transmission,
    },
    replay::{
        Divergence, Player, Record,
        tests::{
            START, log, ms, play, read, round_trip,
            strategies::{span, time},
        },
    },
    units::Time,
};

use SessionState::{AdminDown, Down, Init, Up};

/// The discriminator of the sessions here.
pub(crate) const OWN: u32 = 0x0a0b_0c01;
const THEIRS: u32 = 0x99;

pub(crate) fn id(index: u32) -> SessionId {
    SessionId::new(index).unwrap()
}

fn state() -> impl Strategy<Value = SessionState> {
    prop_oneof![1 => Just(AdminDown), 3 => Just(Down), 3 => Just(Init), 6 => Just(Up)]
}

pub(crate) fn control() -> impl Strategy<Value = Control> {
    let interval = || prop::sample::select(vec![0, 250, 1_000, 20_000, 1_000_000]);
    let flags = prop::sample::select(vec![0, 0, 0, POLL, FINAL, AUTHENTICATED]);
    let neighbor = prop_oneof![8 => Just(THEIRS), 1 => Just(0x77)];
    (state(), 0..9_u8, flags, 1..6_u8, neighbor, any::<bool>(), interval(), interval()).prop_map(
        |(state, diag, flags, multiplier, my_discriminator, is_known, tx, rx)| Control {
            diag,
            state,
            flags,
            multiplier,
            my_discriminator,
            your_discriminator: if is_known { OWN } else { 0 },
            desired_min_tx_us: tx,
            required_min_rx_us: rx,
            required_min_echo_rx_us: 0,
        },
    )
}

/// An event told at about `now`; readings of a living neighbour are the most frequent.
pub(crate) fn event(now: impl Strategy<Value = Time> + Clone + 'static) -> impl Strategy<Value = Event> {
    let received = (now.clone(), control()).prop_map(|(at, control)| Received { at, control });
    prop_oneof![
        1 => Just(Event::Start),
        6 => received.prop_map(Event::Packet),
        16 => now.prop_map(|at| Event::Alive { at }),
        1 => Just(Event::AdminDown),
        2 => Just(Event::AdminUp),
        1 => Just(Event::PathDown),
        8 => Just(Event::Timeout),
    ]
}

pub(crate) fn config() -> impl Strategy<Value = Config> {
    let interval = || prop::sample::select(vec![250, 1_000, 20_000]).prop_map(Duration::from_micros);
    (interval(), interval(), span(Duration::from_secs(2)), 1..6_u8, any::<(bool, bool)>()).prop_map(
        |(min_tx, min_rx, idle_tx, multiplier, (passive, flap_damping))| Config {
            min_tx,
            min_rx,
            idle_tx,
            multiplier,
            passive,
            authenticated: false,
            flap_damping,
        },
    )
}

fn action() -> impl Strategy<Value = Action> {
    let diag = prop::sample::select(vec![
        Diag::None,
        Diag::DetectionTimeExpired,
        Diag::NeighborSignaledDown,
        Diag::PathDown,
        Diag::AdministrativelyDown,
    ]);
    let after = option::of(span(Duration::from_secs(1)));
    let transmission = (control(), span(Duration::from_secs(1)), after)
        .prop_map(|(control, every, detected_after)| Transmission { control, every, detected_after });
    prop_oneof![
        option::of(transmission).prop_map(Action::Transmit),
        control().prop_map(Action::SendNow),
        (state(), state(), diag).prop_map(|(from, to, diag)| Action::Changed { from, to, diag }),
        Just(Action::Settled),
    ]
}

proptest! {
    #[test]
    fn what_sessions_are_told_and_order_survives_the_round_trip(
        event in event(time().boxed()),
        action in action(),
        config in config(),
    ) {
        round_trip(&event);
        round_trip(&action);
        round_trip(&config);
    }
}

fn plain() -> Config {
    let interval = Duration::from_millis(20);
    Config {
        min_tx: interval,
        min_rx: interval,
        idle_tx: Duration::from_secs(1),
        multiplier: 3,
        passive: false,
        authenticated: false,
        flap_damping: true,
    }
}

/// A packet of a neighbour that is configured alike.
fn says(state: SessionState, diag: Diag, flags: u8) -> Control {
    Control {
        diag: diag as u8,
        state,
        flags,
        multiplier: 3,
        my_discriminator: THEIRS,
        your_discriminator: OWN,
        desired_min_tx_us: if state == Up { 20_000 } else { 1_000_000 },
        required_min_rx_us: 20_000,
        required_min_echo_rx_us: 0,
    }
}

/// Records of a session that is made, then told these events at these milliseconds.
fn records(events: &[(u64, Event)]) -> Vec<Record> {
    let (name, config) = ("N2".to_owned(), plain());
    let mut session = Session::new(config.clone(), OWN, START);
    let made = SessionRecord::Session { at: START, id: id(1), name, discriminator: OWN, config };
    let mut records = vec![Record::Bfd(made)];
    for &(at, event) in events {
        let mut actions = Vec::new();
        session.handle(ms(at), event, &mut actions);
        records.push(Record::Bfd(SessionRecord::Event { at: ms(at), id: id(1), event, actions }));
    }
    records
}

fn packet(at: u64, control: Control) -> (u64, Event) {
    (at, Event::Packet(Received { at: ms(at), control }))
}

/// A session that comes up and falls by silence.
fn fall() -> Vec<(u64, Event)> {
    vec![
        (0, Event::Start),
        packet(10, says(Down, Diag::None, 0)),
        packet(11, says(Init, Diag::None, 0)),
        packet(12, says(Up, Diag::None, FINAL)),
        (70, Event::Alive { at: ms(60) }),
        (110, Event::Alive { at: ms(100) }),
        (160, Event::Timeout),
        packet(170, says(Down, Diag::NeighborSignaledDown, 0)),
    ]
}

#[test]
fn a_fall_reads_well() {
    let (lines, totals, divergence) = play(&log(&records(&fall())), None);
    assert_eq!((totals.events, totals.gaps, divergence), (8, 0, None));
    let expected = [
        "       +0.000000  (N2) BFD joins: sending every 20ms, hearing every 20ms, multiplier 3",
        "       +0.000000  (N2) BFD sends every 1s",
        "       +0.010000  (N2) BFD hears Down, sending every 1s, hearing every 20ms, multiplier 3",
        "       +0.010000  (N2) BFD Down -> Init",
        "       +0.011000  (N2) BFD hears Init, sending every 1s, hearing every 20ms, multiplier 3",
        "       +0.011000  (N2) BFD Init -> Up",
        "       +0.011000  (N2) BFD asks for another pace (Poll)",
        "       +0.011000  (N2) BFD sends every 20ms",
        "       +0.012000  (N2) BFD hears Up, sending every 20ms, hearing every 20ms, multiplier 3",
        "       +0.012000  (N2) BFD is granted the pace it asked for (Final)",
        "       +0.160000  (N2) BFD (looked for 2 times, silent for 10.0ms at most)",
        "       +0.160000  (N2) BFD Up -> Down: Control Detection Time Expired, silent for 60.0ms",
        "       +0.170000  (N2) BFD hears Down (Neighbor Signaled Session Down), sending every 1s, hearing every 20ms, \
         multiplier 3",
        "       +0.170000  (N2) BFD Down -> Init",
        "       +0.170000  (N2) BFD sends every 1s",
    ];
    assert_eq!(lines, expected);
}

#[test]
fn flaps_and_words_of_the_neighbour_are_told() {
    let mut events = vec![(0, Event::Start)];
    for round in 0..3 {
        let at = 1_000 * round;
        events.push(packet(at + 10, says(Down, Diag::None, 0)));
        events.push(packet(at + 11, says(Up, Diag::None, 0)));
        events.push(packet(at + 12, says(Down, Diag::DetectionTimeExpired, 0)));
    }
    events.push(packet(3_000, says(Down, Diag::None, 0)));
    events.push(packet(3_001, says(Up, Diag::None, 0)));
    for at in (3_020..4_020).step_by(40) {
        events.push((at, Event::Alive { at: ms(at - 1) }));
    }
    events.push((4_020, Event::Timeout));
    events.push((4_030, Event::AdminDown));
    events.push((4_031, Event::AdminUp));
    let (lines, _, divergence) = play(&log(&records(&events)), None);
    assert_eq!(divergence, None);
    let said: Vec<&str> =
        lines.iter().filter_map(|line| line.split_once(" BFD ")).map(|(_, what)| what).collect();
    let falls = said.iter().filter(|what| **what == "Up -> Down: Neighbor Signaled Session Down").count();
    assert_eq!(falls, 3, "{said:#?}");
    assert!(said.iter().any(|what| what.starts_with("hears Down (Control Detection Time Expired), sending")));
    let place = |wanted: &str| said.iter().position(|what| what.starts_with(wanted)).expect(wanted);
    assert!(place("flaps: ") < place("(looked for 25 times"), "{said:#?}");
    assert!(place("(looked for 25 times") < place("has stayed up: "), "{said:#?}");
    assert_eq!(said.iter().filter(|what| what.starts_with("flaps")).count(), 1, "{said:#?}");
    let end = ["Up -> AdminDown: Administratively Down", "AdminDown -> Down"];
    assert!(place("has stayed up: ") < place(end[0]) && place(end[0]) < place(end[1]), "{said:#?}");
}

#[test]
fn the_first_difference_of_a_session_is_found_and_shown() {
    let mut records = records(&fall());
    let Record::Bfd(SessionRecord::Event { actions, .. }) = &mut records[7] else { panic!("{records:?}") };
    let [Action::Changed { diag, .. }, ..] = &mut actions[..] else { panic!("{actions:?}") };
    *diag = Diag::PathDown;
    let (_, _, divergence) = play(&log(&records), None);
    let (line, divergence) = divergence.unwrap();
    assert_eq!(line, 9, "the header is line 1");
    assert!(matches!(&divergence, Divergence::Session { session, .. } if session == "N2"));
    let text = divergence.describe(START);
    assert!(text.starts_with("+0.160000 (N2) BFD: in Up { deadline: Time("), "{text}");
    assert!(text.contains("\n  > Changed { from: Up, to: Down, diag: PathDown }\n"), "{text}");
}

/// Readings that are one record count as many, and a session that would have done something by then is found.
#[test]
fn readings_are_gone_through_as_one() {
    let mut with = records(&fall()[..4]);
    let readings = |at: u64, heard: u64| {
        let silence = Duration::from_millis(9);
        Record::Bfd(SessionRecord::Readings { at: ms(at), id: id(1), heard: ms(heard), count: 40, silence })
    };
    with.push(readings(900, 890));
    let (lines, totals, divergence) = play(&log(&with), None);
    assert_eq!((totals.events, divergence), (5, None));
    assert!(lines.last().unwrap().ends_with("(looked for 40 times, silent for 9.0ms at most)"), "{lines:#?}");
    let timeout = SessionRecord::Event { at: ms(949), id: id(1), event: Event::Timeout, actions: vec![] };
    with.push(Record::Bfd(timeout));
    assert!(play(&log(&with), None).2.is_none(), "it was heard 59 ms before");
    let late = SessionRecord::Event { at: ms(950), id: id(1), event: Event::Timeout, actions: vec![] };
    with.push(Record::Bfd(late));
    assert!(play(&log(&with), None).2.is_some());
}

#[test]
fn one_router_alone_is_gone_through_without_sessions() {
    let (lines, totals, _) = play(&log(&records(&fall())), Some("VI_1"));
    assert_eq!((lines.len(), totals.events), (0, 0));
}

#[test]
fn sessions_that_do_not_fit_the_records_before_are_refused() {
    let event = SessionRecord::Event { at: START, id: id(7), event: Event::Timeout, actions: vec![] };
    let mut player = Player::new(START, None);
    let error = player.play(Record::Bfd(event.clone())).unwrap_err();
    assert!(error.contains("BFD session 7, which is not there"), "{error}");
    let session = Box::new(Session::new(plain(), OWN, START));
    let baseline = SessionRecord::Baseline { id: id(7), name: "N2".to_owned(), session };
    assert!(player.play(Record::Bfd(baseline.clone())).is_err());
    player.play(Record::Gap { missing: 3 }).unwrap();
    for record in [event.clone(), baseline, event] {
        player.play(Record::Bfd(record)).unwrap();
    }
    let totals = player.totals();
    assert_eq!((totals.gaps, totals.uncompared, totals.events), (1, 1, 1));
    let table = [
        (r#"{"bfd":{"noise":{}}}"#, "unknown variant `noise`"),
        (r#"{"bfd":{"event":{"at":1,"id":0,"event":"Timeout","actions":[]}}}"#, "0 is not a session"),
        (r#"{"bfd":{"event":{"at":1,"id":256,"event":"Timeout","actions":[]}}}"#, "256 is not a session"),
        (r#"{"bfd":{"event":{"at":1,"id":1,"event":"Noise","actions":[]}}}"#, "unknown variant `Noise`"),
        (r#"{"bfd":{"readings":{"at":1,"id":1,"heard":1,"count":-1,"silence":0}}}"#, "invalid value"),
    ];
    for (line, reason) in table {
        let error = read(&(log(&[]) + line + "\n")).unwrap_err();
        assert!(error.starts_with("log:2: ") && error.contains(reason), "{error}");
    }
}

/// Logs of the format before, which had no sessions, are read.
#[test]
fn the_format_before_is_read() {
    let old = log(&[]).replacen("\"format\":2", "\"format\":1", 1);
    assert!(read(&old).unwrap().0.is_empty());
    assert!(read(&old.replacen("\"format\":1", "\"format\":0", 1)).is_err());
}

/// The state machines of these records, for those who compare them.
pub(crate) fn machines(text: &str) -> Machines {
    let mut player = Player::new(START, None);
    for record in read(text).unwrap().0 {
        let played = player.play(record).unwrap();
        assert_eq!(played.divergence, None);
    }
    player.sessions().clone()
}
