//! Sessions in the event log.

use super::*;
use crate::{
    proto::bfd::{self, Received, Session, SessionId, SessionState, Sessions},
    replay::{
        SessionRecord,
        tests::sessions::{self as strategies, OWN, id, machines},
    },
};

/// A log with sessions.
struct Both {
    log: Log,
    sessions: Sessions,
}

impl Both {
    fn new(room: usize) -> Self {
        Self { log: Log::new(room), sessions: Sessions::default() }
    }

    fn join(&mut self, id: SessionId, config: bfd::Config) {
        let name = format!("N{}", id.index()).into();
        self.log.recorder.session_joined(self.log.now, id, &name, (&config, OWN));
        self.sessions.insert(id, Session::new(config, OWN, self.log.now));
        self.tell(id, bfd::Event::Start);
    }

    /// As the election thread does it.
    fn tell(&mut self, id: SessionId, event: bfd::Event) {
        let mut actions = Vec::new();
        self.sessions.handle(self.log.now, id, event, &mut actions);
        self.log.recorder.session_told(self.log.now, id, event, &actions, &self.sessions);
    }

    fn run(&mut self, steps: &[SessionStep]) {
        for step in steps {
            let due = self.sessions.next_deadline().filter(|_| step.to_deadline).unwrap_or(Time::ZERO);
            self.log.now = (self.log.now + step.pause).max(due);
            // A moment before, so that it lasts.
            let at = self.log.now - step.ago;
            match step.event {
                bfd::Event::Packet(received) => {
                    self.tell(step.id, bfd::Event::Packet(Received { at, ..received }));
                }
                bfd::Event::Alive { .. } => self.tell(step.id, bfd::Event::Alive { at }),
                event @ (bfd::Event::Start
                | bfd::Event::AdminDown
                | bfd::Event::AdminUp
                | bfd::Event::PathDown
                | bfd::Event::Timeout) => self.tell(step.id, event),
            }
            // So that gaps are of routers as well.
            if step.to_deadline {
                self.log.tell(Slot::new(0).unwrap(), Event::Timeout);
            }
        }
    }
}

#[derive(Clone, Debug)]
struct SessionStep {
    pause: Duration,
    ago: Duration,
    to_deadline: bool,
    id: SessionId,
    event: bfd::Event,
}

fn session_step() -> impl Strategy<Value = SessionStep> {
    let span = |micros: u64| (0..micros * 1_000).prop_map(Duration::from_nanos);
    let pause = prop_oneof![8 => span(300), 2 => span(30_000), 1 => span(2_000_000)];
    (pause, span(400), prop::bool::weighted(0.2), 1..4_u32, strategies::event(Just(Time::ZERO))).prop_map(
        |(pause, ago, to_deadline, index, event)| SessionStep {
            pause,
            ago,
            to_deadline,
            id: id(index),
            event,
        },
    )
}

/// Records these steps, written after every `batch` of them; returns what the sessions are like at the end too.
fn record_sessions(
    room: usize,
    configs: &[bfd::Config],
    steps: &[SessionStep],
    batch: usize,
) -> (String, Sessions) {
    let mut both = Both::new(room);
    let mut text = Vec::new();
    let mut writer = both.log.writer(&mut text);
    both.log.join(Slot::new(0).unwrap(), test_config());
    for (index, config) in (1..).zip(configs) {
        both.join(id(index), config.clone());
    }
    for steps in steps.chunks(batch) {
        both.run(steps);
        writer.drain().unwrap();
    }
    let Both { log, sessions } = both;
    drop(log);
    writer.drain().unwrap();
    writer.end().unwrap();
    drop(writer);
    (String::from_utf8(text).unwrap(), sessions)
}

/// Compares what sessions are like in a replay with what they were like; those that it knows nothing of are left out.
fn ensure_alike(text: &str, sessions: &Sessions) -> usize {
    let machines = machines(text);
    for (id, machine) in machines.iter() {
        let session = sessions.get(id).unwrap();
        assert_eq!(serde_json::to_string(machine).unwrap(), serde_json::to_string(session).unwrap());
    }
    machines.iter().count()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn what_sessions_do_is_played_alike(
        configs in vec(strategies::config(), 3),
        steps in vec(session_step(), 1..300),
        nth in any::<usize>(),
    ) {
        let (text, sessions) = record_sessions(1 << 12, &configs, &steps, 40);
        prop_assert_eq!(ensure_alike(&text, &sessions), 3);
        if let Some((mutated, line)) = mutate_session(&text, nth) {
            let (.., divergence) = play(&mutated, None);
            prop_assert_eq!(divergence.map(|(line, _)| line), Some(line));
        }
    }

    #[test]
    fn what_is_lost_of_sessions_is_counted_and_the_rest_is_played_alike(
        configs in vec(strategies::config(), 3),
        steps in vec(session_step(), 50..300),
        batch in 1..40_usize,
    ) {
        let (text, sessions) = record_sessions(24, &configs, &steps, batch);
        ensure_alike(&text, &sessions);
    }
}

/// Takes an action from the `nth` event of a session that ordered any; returns its line, from 1.
fn mutate_session(text: &str, nth: usize) -> Option<(String, u64)> {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let ordered = |line: &str| {
        let Ok(Record::Bfd(SessionRecord::Event { at, id, event, actions })) = serde_json::from_str(line)
        else {
            return None;
        };
        (!actions.is_empty()).then_some((at, id, event, actions))
    };
    let candidates: Vec<_> =
        lines.iter().enumerate().filter_map(|(index, line)| Some((index, ordered(line)?))).collect();
    let (index, (at, id, event, mut actions)) = candidates.get(nth % candidates.len().max(1))?.clone();
    actions.pop();
    lines[index] =
        serde_json::to_string(&Record::Bfd(SessionRecord::Event { at, id, event, actions })).unwrap();
    Some((lines.join("\n") + "\n", index as u64 + 1))
}

/// Brings the session up.
fn bring_up(both: &mut Both) {
    let mut control = hadp_common::wire::bfd::Control {
        state: SessionState::Down,
        multiplier: 3,
        my_discriminator: 9,
        your_discriminator: OWN,
        desired_min_tx_us: 250,
        required_min_rx_us: 250,
        ..Default::default()
    };
    for state in [SessionState::Down, SessionState::Up] {
        both.log.now = both.log.now + Duration::from_micros(10);
        control.state = state;
        both.tell(id(1), bfd::Event::Packet(Received { at: both.log.now, control }));
    }
    assert_eq!(both.sessions.get(id(1)).unwrap().state(), SessionState::Up);
}

fn fast() -> bfd::Config {
    let interval = Duration::from_micros(250);
    bfd::Config {
        min_tx: interval,
        min_rx: interval,
        idle_tx: Duration::from_secs(1),
        multiplier: 3,
        passive: false,
        authenticated: false,
        flap_damping: true,
    }
}

/// Reads 700 us further that the neighbour was heard 250 us ago, as the shell does it.
fn read(both: &mut Both) {
    both.log.now = both.log.now + Duration::from_micros(700);
    both.tell(id(1), bfd::Event::Alive { at: both.log.now - Duration::from_micros(250) });
    both.tell(id(1), bfd::Event::Timeout);
}

/// What a session at 250 us leaves in the log: a line a second while all is well, and every one that matters.
#[test]
fn a_fast_session_that_is_up_is_one_line_a_second() {
    let mut both = Both::new(1 << 10);
    let mut text = Vec::new();
    let mut writer = both.log.writer(&mut text);
    both.join(id(1), fast());
    bring_up(&mut both);
    let begun = both.log.now;
    while both.log.now < begun + Duration::from_secs(10) {
        read(&mut both);
    }
    both.log.now = both.log.now + Duration::from_millis(1);
    both.tell(id(1), bfd::Event::Timeout);
    let Both { log, sessions } = both;
    drop(log);
    writer.drain().unwrap();
    drop(writer);
    let text = String::from_utf8(text).unwrap();
    let count = |line| {
        let record = serde_json::from_str(line).unwrap();
        let Record::Bfd(SessionRecord::Readings { count, .. }) = record else { return None };
        Some(count)
    };
    let readings: Vec<u64> = text.lines().filter_map(count).collect();
    assert!((10..=11).contains(&readings.len()), "{readings:?}");
    assert_eq!(readings.iter().sum::<u64>(), 10_000_000_u64.div_ceil(700), "{readings:?}");
    assert_eq!(text.lines().count() - readings.len(), 6, "{text}");
    ensure_alike(&text, &sessions);
    let lines = play(&text, None).0;
    let [.., alive, fall] = &lines[..] else { panic!("{lines:#?}") };
    assert!(alive.ends_with("(looked for 14286 times, silent for 250.0µs at most)"), "{lines:#?}");
    assert!(fall.ends_with("Up -> Down: Control Detection Time Expired, silent for 1.2ms"), "{lines:#?}");
}

/// A session is followed again from its next event on, though that is a reading.
#[test]
fn an_overflow_leaves_a_baseline_of_a_session_that_is_merely_alive() {
    let mut both = Both::new(16);
    let mut text = Vec::new();
    let mut writer = both.log.writer(&mut text);
    both.join(id(1), fast());
    bring_up(&mut both);
    let slot = Slot::new(0).unwrap();
    both.log.join(slot, test_config());
    writer.drain().unwrap();
    for _ in 0..40 {
        both.log.tell(slot, Event::Startup { source: [10, 77, 0, 2].into() });
    }
    assert!(both.log.recorder.missing > 0);
    writer.drain().unwrap();
    for _ in 0..5 {
        read(&mut both);
    }
    let Both { log, sessions } = both;
    drop(log);
    writer.drain().unwrap();
    drop(writer);
    let text = String::from_utf8(text).unwrap();
    let (lines, totals, divergence) = play(&text, None);
    assert_eq!((totals.gaps, totals.uncompared, divergence), (1, 1, None), "{lines:#?}");
    assert_eq!(ensure_alike(&text, &sessions), 1);
    assert!(lines.iter().any(|line| line.ends_with("records are missing here")), "{lines:#?}");
    assert!(lines.last().unwrap().contains("looked for 5 times"), "{lines:#?}");
}
