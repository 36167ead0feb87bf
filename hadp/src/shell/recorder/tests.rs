//! Tests of recording, with the player as the judge.

mod sessions;

use std::{fs, io, os::unix::fs::PermissionsExt as _, time::Duration};

use proptest::{collection::vec, prelude::*, strategy::ValueTree as _, test_runner::TestRunner};

use super::*;
use crate::{
    proto::{Heard, Router},
    replay::{
        Record,
        tests::{
            play,
            strategies::{config, event, slot},
        },
    },
    shell::clock,
    units::{Centis, Priority},
};

/// A log that is written into memory.
struct Log {
    recorder: Recorder,
    node: Node,
    now: Time,
    shared: Arc<Shared>,
}

impl Log {
    fn new(room: usize) -> Self {
        let recorder = Recorder::new(room);
        let shared = Arc::clone(&recorder.shared);
        Self { recorder, node: Node::default(), now: Time::from_nanos(1_000_000_000), shared }
    }

    fn join(&mut self, slot: Slot, config: Config) {
        let name = format!("VI_{}", slot.index()).into();
        self.recorder.joined(self.now, slot, &name, &config);
        self.node.insert(slot, Router::new(config, self.now));
    }

    /// As the election thread does it.
    fn tell(&mut self, slot: Slot, event: Event) {
        let mut actions = Vec::new();
        self.node.handle(self.now, slot, event, &mut actions);
        self.recorder.told(self.now, slot, event, &actions, &self.node);
    }

    fn writer<'a>(&self, text: &'a mut Vec<u8>) -> Writer<&'a mut Vec<u8>> {
        Writer::start(text, &writer::header(), Arc::clone(&self.shared)).unwrap()
    }

    fn run(&mut self, steps: &[Step]) {
        for step in steps {
            // Often to the deadline, where most happens.
            let due = self.node.next_deadline().filter(|_| step.to_deadline).unwrap_or(Time::ZERO);
            self.now = (self.now + step.pause).max(due);
            match step.event {
                Event::Advert(heard) => self.tell(step.slot, Event::Advert(Heard { at: self.now, ..heard })),
                Event::AdvertSent { .. } => self.tell(step.slot, Event::AdvertSent { at: self.now }),
                Event::Resume { source, .. } => {
                    let lease = self.now + Duration::from_millis(20);
                    self.tell(step.slot, Event::Resume { source, lease });
                }
                event @ (Event::Startup { .. }
                | Event::Fault(_)
                | Event::Shutdown
                | Event::AdvertFailed
                | Event::AdvertStuck { .. }
                | Event::Resign
                | Event::ActiveDown { .. }
                | Event::Revoked
                | Event::Priority(_)
                | Event::Timeout) => self.tell(step.slot, event),
            }
        }
    }
}

#[derive(Clone, Debug)]
struct Step {
    pause: Duration,
    to_deadline: bool,
    slot: Slot,
    event: Event,
}

fn step() -> impl Strategy<Value = Step> {
    let pause = (0..30_000_000_u64).prop_map(Duration::from_nanos);
    (pause, any::<bool>(), slot(0..3), event(Just(Time::ZERO)))
        .prop_map(|(pause, to_deadline, slot, event)| Step { pause, to_deadline, slot, event })
}

/// Records these steps, written after every `batch` of them.
fn record(room: usize, configs: &[Config], steps: &[Step], batch: usize) -> String {
    let mut log = Log::new(room);
    let mut text = Vec::new();
    let mut writer = log.writer(&mut text);
    for (index, config) in configs.iter().enumerate() {
        let slot = Slot::new(index as u32).unwrap();
        log.join(slot, config.clone());
        log.tell(slot, Event::Startup { source: [10, 77, 0, 9].into() });
    }
    for steps in steps.chunks(batch) {
        log.run(steps);
        writer.drain().unwrap();
    }
    drop(log);
    writer.drain().unwrap();
    writer.end().unwrap();
    drop(writer);
    String::from_utf8(text).unwrap()
}

/// Changes what the `nth` event that ordered anything ordered; returns its line, from 1.
fn mutate(text: &str, nth: usize) -> Option<(String, u64)> {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let mut candidates = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        if let Record::Event { actions, .. } = serde_json::from_str(line).unwrap()
            && !actions.is_empty()
        {
            candidates.push(index);
        }
    }
    let index = *candidates.get(nth % candidates.len().max(1))?;
    let Record::Event { at, slot, event, mut actions } = serde_json::from_str(&lines[index]).unwrap() else {
        return None;
    };
    actions.pop();
    lines[index] = serde_json::to_string(&Record::Event { at, slot, event, actions }).unwrap();
    Some((lines.join("\n") + "\n", index as u64 + 1))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn what_is_recorded_is_played_alike(
        configs in vec(config(), 3),
        steps in vec(step(), 1..200),
        nth in any::<usize>(),
    ) {
        let text = record(1 << 12, &configs, &steps, 40);
        let (_, totals, divergence) = play(&text, None);
        prop_assert_eq!(divergence, None);
        prop_assert_eq!((totals.events, totals.gaps), (steps.len() as u64 + 3, 0));
        if let Some((mutated, line)) = mutate(&text, nth) {
            let (.., divergence) = play(&mutated, None);
            prop_assert_eq!(divergence.map(|(line, _)| line), Some(line));
        }
    }

    #[test]
    fn what_is_lost_is_counted_and_the_rest_is_played_alike(
        configs in vec(config(), 3),
        steps in vec(step(), 50..200),
        batch in 1..40_usize,
    ) {
        let text = record(24, &configs, &steps, batch);
        let (_, totals, divergence) = play(&text, None);
        prop_assert_eq!(divergence, None);
        let told = steps.len() as u64 + 3;
        // Of the records that are missing, three at most are routers that joined.
        let accounted = totals.events + totals.uncompared + totals.missing;
        prop_assert!((told..=told + 3).contains(&accounted), "{totals:?} of {told}");
    }
}

/// A tiny queue: one router that joins and starts fits, the rest is lost until somebody writes.
#[test]
fn an_overflow_leaves_a_gap_and_a_baseline() {
    let slot = Slot::new(0).unwrap();
    let mut log = Log::new(8);
    let mut text = Vec::new();
    let mut writer = log.writer(&mut text);
    let config = test_config();
    log.join(slot, config);
    for _ in 0..20 {
        log.tell(slot, Event::Startup { source: [10, 77, 0, 2].into() });
    }
    assert!(log.recorder.missing > 0);
    let lost = log.recorder.missing;
    writer.drain().unwrap();
    log.now = log.now + Duration::from_secs(20);
    log.tell(slot, Event::Timeout);
    writer.drain().unwrap();
    log.tell(slot, Event::AdvertSent { at: log.now });
    writer.drain().unwrap();
    drop(writer);
    let text = String::from_utf8(text).unwrap();
    let kinds: Vec<_> = text.lines().map(|line| line.split('"').nth(1).unwrap()).collect();
    let last: Vec<_> = kinds.iter().rev().take(4).rev().copied().collect();
    assert_eq!(last, ["gap", "event", "baseline", "event"], "{kinds:?}");
    let (lines, totals, divergence) = play(&text, None);
    assert_eq!((totals.gaps, totals.missing, totals.uncompared, divergence), (1, lost, 1, None));
    assert!(
        lines.iter().any(|line| line.contains(&format!("{lost} records are missing here"))),
        "{lines:#?}"
    );
    assert!(lines.last().unwrap().contains("Backup -> Active"), "{lines:#?}");
}

/// What is lost at the very end is told as well.
#[test]
fn a_gap_at_the_end_is_told() {
    let mut log = Log::new(2);
    let mut text = Vec::new();
    let mut writer = log.writer(&mut text);
    log.join(Slot::new(0).unwrap(), test_config());
    for _ in 0..3 {
        log.tell(Slot::new(0).unwrap(), Event::Timeout);
    }
    drop(log);
    writer.drain().unwrap();
    writer.end().unwrap();
    drop(writer);
    let (_, totals, _) = play(std::str::from_utf8(&text).unwrap(), None);
    assert_eq!((totals.gaps, totals.missing), (1, 3));
}

/// A router of priority 100 that advertises each second; the rest does not matter.
fn test_config() -> Config {
    let mut config = config().new_tree(&mut TestRunner::deterministic()).unwrap().current();
    config.priority = Priority::new(100).unwrap();
    config.interval = Centis::SECOND;
    config
}

#[test]
fn a_file_is_private_and_never_written_over() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log");
    let (recording, mut recorder) = Recording::start(&path, 0).unwrap();
    let slot = Slot::new(0).unwrap();
    recorder.joined(clock::now(), slot, &"VI_1".into(), &test_config());
    drop(recorder);
    recording.finish();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let text = fs::read_to_string(&path).unwrap();
    assert_eq!(text.lines().count(), 2, "{text}");
    assert_eq!(play(&text, None).0.len(), 1);
    let error = Recording::start(&path, 0).unwrap_err();
    assert!(error.to_string().contains("exists; an event log is not overwritten"), "{error}");
    assert_eq!(fs::read_to_string(&path).unwrap(), text);
    // A link is not followed, wherever it points.
    let link = dir.path().join("link");
    std::os::unix::fs::symlink(dir.path().join("elsewhere"), &link).unwrap();
    assert!(matches!(Recording::start(&link, 0), Err(StartError::RecordExists(_))));
    assert!(!dir.path().join("elsewhere").exists());
    let nowhere = dir.path().join("none").join("log");
    assert!(matches!(Recording::start(&nowhere, 0), Err(StartError::Record { .. })));
}

#[test]
fn a_daemon_that_follows_a_dead_one_finds_a_file_of_its_own_or_does_without() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log");
    let begin = |deaths| {
        let begun = begin(&path, deaths).unwrap();
        begun.map(|(recording, _)| recording.finish()).is_some()
    };
    fs::write(dir.path().join("log.2"), "of another run").unwrap();
    assert!(begin(0) && begin(1) && begin(2));
    assert_eq!(fs::read_to_string(dir.path().join("log.2")).unwrap(), "of another run");
    let mut names: Vec<_> = fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["log", "log.1", "log.2", "log.3"]);
    let nowhere = dir.path().join("none").join("log");
    assert!(matches!(super::begin(&nowhere, 0), Err(StartError::Record { .. })));
    assert!(matches!(super::begin(&nowhere, 1), Ok(None)));
}

/// A file that has room for the header alone.
#[derive(Debug)]
struct Full(usize);

impl io::Write for Full {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += 1;
        if self.0 > 1 { Err(io::ErrorKind::StorageFull.into()) } else { Ok(bytes.len()) }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_full_disk_ends_the_recording_alone() {
    let mut log = Log::new(1 << 10);
    let writer = Writer::start(Full(0), &writer::header(), Arc::clone(&log.shared)).unwrap();
    let slot = Slot::new(0).unwrap();
    log.join(slot, test_config());
    writer.run(Path::new("log"));
    assert!(log.shared.has_failed.load(Ordering::Relaxed));
    let waiting = log.shared.queue.len();
    for _ in 0..2_000 {
        log.tell(slot, Event::Timeout);
    }
    assert_eq!((log.shared.queue.len(), log.recorder.missing), (waiting, 0), "nothing piles up");
}
