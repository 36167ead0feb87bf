//! Tests of the format and of the player.

pub(crate) mod strategies;

pub(crate) use super::bfd::tests as sessions;

use std::{fmt::Debug, io::Cursor, net::IpAddr, ops::Range, path::Path, time::Duration};

use proptest::{collection::vec, option, prelude::*};
use serde::{Serialize, de::DeserializeOwned};

use strategies::*;

use super::*;
use crate::{
    model::{Announce, Auth, ChecksumMode, LowerPriority, Preempt, Version},
    proto::{Action, AddressList, Cause, Config, Event, Heard, Reason, Router, Slot, Transition},
    units::{Centis, Priority, Time},
};

pub(crate) const START: Time = Time::from_nanos(5_000_000_000);

pub(crate) fn round_trip<T: Debug + DeserializeOwned + PartialEq + Serialize>(value: &T) {
    let text = serde_json::to_string(value).unwrap();
    assert_eq!(serde_json::from_str::<T>(&text).unwrap(), *value, "{text}");
}

proptest! {
    #[test]
    fn events_and_actions_survive_the_round_trip(event in event(time()), action in action()) {
        round_trip(&event);
        round_trip(&action);
    }

    #[test]
    fn configurations_survive_the_round_trip_but_for_the_password(config in config()) {
        let text = serde_json::to_string(&config).unwrap();
        prop_assert!(!text.contains("117,110,115"), "the password is in {text}");
        let version = match config.version {
            Version::V2(_) => Version::V2(Auth::None),
            Version::V3(mode) => Version::V3(mode),
        };
        round_trip(&Config { version, ..config.clone() });
        prop_assert_eq!(serde_json::from_str::<Config>(&text).unwrap().version, version);
    }
}

/// Returns the log of these records.
pub(crate) fn log(records: &[Record]) -> String {
    let header = Header {
        format: FORMAT,
        hadp: "1.2.3".to_owned(),
        boot_id: "4f1c".to_owned(),
        start: START,
        wall: 1_735_689_599_000_000_000,
    };
    let header = Record::Header(header);
    let lines = std::iter::once(&header).chain(records).map(|record| {
        let line = serde_json::to_string(record).unwrap();
        line + "\n"
    });
    lines.collect()
}

pub(crate) fn read(text: &str) -> Result<(Vec<Record>, bool), String> {
    let (_, mut reader) =
        Reader::new(Path::new("log"), Cursor::new(text)).map_err(|error| error.to_string())?;
    let mut records = Vec::new();
    while let Some(record) = reader.next_record().map_err(|error| error.to_string())? {
        records.push(record);
    }
    Ok((records, reader.is_cut_off()))
}

/// Goes through a log; returns the timeline, how much there was, and where it diverges.
pub(crate) fn play(text: &str, only: Option<&str>) -> (Vec<String>, Totals, Option<(u64, Divergence)>) {
    let (header, mut reader) = Reader::new(Path::new("log"), Cursor::new(text)).unwrap();
    let mut player = Player::new(header.start, only.map(str::to_owned));
    let mut lines = Vec::new();
    while let Some(record) = reader.next_record().unwrap() {
        let played = player.play(record).unwrap();
        lines.extend(played.entries.iter().map(ToString::to_string));
        if let Some(divergence) = played.divergence {
            return (lines, player.totals(), Some((reader.line(), divergence)));
        }
    }
    lines.extend(player.end().iter().map(ToString::to_string));
    (lines, player.totals(), None)
}

pub(crate) fn ms(millis: u64) -> Time {
    START + Duration::from_millis(millis)
}

fn plain() -> Config {
    let announce = Announce { delay: Duration::ZERO, repeat: 1, ..Announce::default() };
    Config {
        priority: Priority::new(100).unwrap(),
        interval: Centis::new(1).unwrap(),
        version: Version::V3(ChecksumMode::Message),
        preempt: Preempt::Always,
        down_timer_adverts: 3,
        lower_priority: LowerPriority::Advertise,
        advert_on_yield: false,
        announce,
        vips: 1,
        announce_interval: Duration::ZERO,
    }
}

/// Records of a router in this slot: joined, then told these events at these milliseconds.
fn records(index: u32, name: &str, events: &[(u64, Event)]) -> Vec<Record> {
    let slot = Slot::new(index).unwrap();
    let mut router = Router::new(plain(), START);
    let mut records = vec![Record::Router { at: START, slot, name: name.to_owned(), config: plain() }];
    for &(at, event) in events {
        let mut actions = Vec::new();
        router.handle(ms(at), event, &mut actions);
        records.push(Record::Event { at: ms(at), slot, event, actions });
    }
    records
}

fn source(last: u8) -> IpAddr {
    IpAddr::from([10, 77, 0, last])
}

/// A router that hears another one, takes over from it, and is told to stop.
fn failover() -> Vec<(u64, Event)> {
    let advert = |at| {
        Event::Advert(Heard {
            at: ms(at),
            from: source(1),
            priority: 150,
            interval: Centis::new(1).unwrap(),
            addresses: AddressList::Same,
        })
    };
    vec![
        (1, Event::Startup { source: source(2) }),
        (5, advert(5)),
        (15, advert(15)),
        (60, Event::Timeout),
        (60, Event::AdvertSent { at: ms(60) }),
        (70, Event::Timeout),
        (70, Event::AdvertSent { at: ms(70) }),
        (82, Event::Timeout),
        (82, Event::AdvertSent { at: ms(82) }),
        (82, Event::Shutdown),
    ]
}

#[test]
fn a_takeover_reads_well() {
    let (lines, totals, divergence) = play(&log(&records(0, "VI_1", &failover())), None);
    assert_eq!(divergence, None);
    assert_eq!((totals.events, totals.gaps), (10, 0));
    let expected = [
        "       +0.000000  VI_1  joins: VRRPv3, priority 100, every 0.01 s",
        "       +0.001000  VI_1  starts, sending from 10.77.0.2",
        "       +0.001000  VI_1  Initialize -> Backup: started",
        "       +0.005000  VI_1  hears 10.77.0.1: priority 150, every 0.01 s",
        "       +0.060000  VI_1  (1 more adverts heard)",
        "       +0.060000  VI_1  takes a lease of 30.0ms",
        "       +0.060000  VI_1  Backup -> Active: no advert from an Active router in time",
        "       +0.082000  VI_1  (lease renewed 2 times, 12.0ms apart at most)",
        "       +0.082000  VI_1  is told to stop",
        "       +0.082000  VI_1  sends priority 0",
    ];
    assert_eq!(lines[..expected.len()], expected, "{lines:#?}");
    assert!(lines.iter().any(|line| line.ends_with("Active -> Resigning: shutting down")), "{lines:#?}");
}

#[test]
fn one_router_alone_is_gone_through() {
    let mut both = records(0, "VI_1", &failover());
    both.extend(records(1, "VI_2", &failover()[..2]));
    let (lines, totals, divergence) = play(&log(&both), Some("VI_2"));
    assert_eq!((totals.events, divergence), (2, None));
    assert!(!lines.is_empty() && lines.iter().all(|line| line.contains("VI_2")), "{lines:#?}");
}

#[test]
fn the_first_difference_is_found_and_shown() {
    let mut records = records(0, "VI_1", &failover());
    let Record::Event { actions, .. } = &mut records[5] else { panic!("{records:?}") };
    assert!(actions.contains(&Action::AcquireVips), "{actions:?}");
    actions.retain(|action| *action != Action::AcquireVips);
    let (lines, _, divergence) = play(&log(&records), None);
    let (line, divergence) = divergence.unwrap();
    assert_eq!(line, 7, "the header is line 1");
    let Divergence::Router { what, .. } = &divergence else { panic!("{divergence:?}") };
    assert!(what.got.contains(&Action::AcquireVips));
    let text = divergence.describe(START);
    assert!(text.starts_with("+0.060000 VI_1: in Active {"), "{text}");
    assert!(text.contains("\n  > AcquireVips\n"), "{text}");
    assert!(lines.last().unwrap().contains("takes a lease"), "{lines:#?}");
}

#[test]
fn what_is_no_log_is_refused_with_its_place() {
    let good = log(&records(0, "VI_1", &failover()));
    assert_eq!(read(&good).unwrap().0.len(), 11);
    let with = |line: &str| good.clone() + line + "\n";
    let table = [
        (String::new(), "log:0: not the header of an event log"),
        ("{}\n".to_owned(), "log:1: "),
        (
            good.replacen("\"format\":2", "\"format\":3", 1),
            "log:1: an event log of format 3; this hadp reads 1 to 2",
        ),
        (with(good.lines().next().unwrap()), "log:13: a second header"),
        (with(""), "log:13: EOF while parsing a value (column 0)"),
        (with(r#"{"gap":{"missing":1,"more":2}}"#), "log:13: unknown field `more`"),
        (with(r#"{"gap":{"missing":-1}}"#), "log:13: invalid value: integer `-1`"),
        (with(r#"{"noise":{}}"#), "log:13: unknown variant `noise`"),
        (
            with(r#"{"event":{"at":1,"slot":4096,"event":"Timeout","actions":[]}}"#),
            "log:13: 4096 is not a slot",
        ),
        (
            with(r#"{"event":{"at":1,"slot":0,"event":{"Priority":0},"actions":[]}}"#),
            "log:13: 0 is not a priority",
        ),
        (good.replacen("\"interval\":1", "\"interval\":25501", 1), "log:2: 25501 is not an interval"),
        (good.replacen("\"version\":3", "\"version\":4", 1), "log:2: 4 is not a version of VRRP"),
        (good.replacen("\"Initialize\"", "\"Initial\"", 1), "log:3: \"Initial\" is not a state"),
        (with(&"x".repeat(1 << 20)), "log:13: the line is too long"),
    ];
    for (text, reason) in table {
        let error = read(&text).unwrap_err();
        assert!(error.starts_with(reason), "{error}, not {reason}");
    }
}

#[test]
fn a_log_may_end_within_its_last_line_alone() {
    let good = log(&records(0, "VI_1", &failover()));
    let (records, is_cut_off) = read(&good[..good.len() - 7]).unwrap();
    assert_eq!((records.len(), is_cut_off), (10, true));
    assert!(!read(&good).unwrap().1);
    let header = good.lines().next().unwrap();
    assert!(read(&header[..20]).unwrap_err().contains("not the header"));
}

#[test]
fn what_does_not_fit_the_records_before_it_is_refused() {
    let slot = Slot::new(7).unwrap();
    let event = Record::Event { at: START, slot, event: Event::Timeout, actions: vec![] };
    let mut player = Player::new(START, None);
    assert!(player.play(event.clone()).unwrap_err().contains("slot 7, where no router is"));
    let router = Box::new(Router::new(plain(), START));
    let baseline = Record::Baseline { slot, name: "VI_1".to_owned(), router };
    assert!(player.play(baseline.clone()).is_err());
    player.play(Record::Gap { missing: 3 }).unwrap();
    player.play(event.clone()).unwrap();
    player.play(baseline).unwrap();
    player.play(event).unwrap();
    let totals = player.totals();
    assert_eq!((totals.gaps, totals.missing, totals.uncompared, totals.events), (1, 3, 1, 1));
}
