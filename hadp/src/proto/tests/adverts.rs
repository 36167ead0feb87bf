//! Adverts that are late, stale, doubled or a flood, and starts of a router that runs.

use super::*;
use crate::proto::Cause;

/// One node's adverts, looped back to it, are not a peer's: answering them would never end.
#[test]
fn a_routers_own_advert_changes_nothing() {
    let mut backup = started(config());
    let due = backup.next_deadline();
    let mut active = active(config(), T0);
    for other in [0, 99, 100, 101, 255] {
        assert_eq!(hear(&mut backup, T0 + ms(1), 2, other), []);
        assert_eq!(hear(&mut active, T0 + ms(1), 2, other), []);
    }
    assert_eq!((backup.next_deadline(), active.state().name()), (due, "Active"));
    assert_eq!(backup.last_heard(), None);
}

/// Adverts are read from a map when a deadline is due: timers run from their arrival, not from their reading.
#[test]
fn timers_run_from_the_arrival() {
    let mut router = started(config());
    let due = router.next_deadline().unwrap();
    let arrived = due - ms(400);
    tell(&mut router, due, Event::Advert(heard(arrived, 1, 200)));
    assert_eq!(tell(&mut router, due, Event::Timeout), []);
    assert_eq!(router.next_deadline(), Some(arrived + Duration::from_nanos(3_609_375_000)));
}

/// Adverts can be told twice and out of order. Columns: (arrival in ms, host, priority) in the order told =>
/// ms from T0 to the deadline.
#[test]
fn an_older_advert_moves_nothing_backwards() {
    #[rustfmt::skip]
    let table = [
        (vec![(500, 1, 200), (300, 1, 200)],               4_109),
        (vec![(500, 1, 200), (300, 9, 200)],               4_109), // nor another sender's
        (vec![(500, 1, 0),   (300, 1, 200)],               1_109), // nor does it undo a resignation
        (vec![(500, 1, 0),   (300, 9, 200)],               1_109),
        (vec![(500, 1, 200), (300, 1, 0)],                 4_109), // nor bring one back
        (vec![(500, 1, 50),  (300, 1, 200), (300, 9, 200)], 3_909),
    ];
    for (adverts, deadline) in table {
        let mut router = started(config());
        for (at, host, other) in adverts.clone() {
            tell(&mut router, T0 + ms(600), Event::Advert(heard(T0 + ms(at), host, other)));
        }
        assert_eq!(deadline_ms(&router, T0), Some(deadline), "{adverts:?}");
    }
}

#[test]
fn an_active_router_answers_an_advert_once_and_no_stale_one() {
    let mut router = started(config());
    hear(&mut router, T0 + ms(100), 1, 200);
    hear(&mut router, T0 + ms(200), 1, 0);
    let now = router.next_deadline().unwrap();
    step(&mut router, now, Event::Timeout);
    assert_eq!(router.state().name(), "Active");
    // From before it resigned, read late; from before this router started.
    assert_eq!(tell(&mut router, now, Event::Advert(heard(T0 + ms(150), 1, 200))), []);
    assert_eq!(tell(&mut router, now, Event::Advert(heard(T0 - ms(1), 9, 200))), []);
    // The same advert by both ways.
    let rival = Event::Advert(heard(now, 9, 50));
    assert_eq!(tell(&mut router, now, rival), [Action::SendAdvert { priority: 100 }]);
    assert_eq!(tell(&mut router, now, rival), []);
    // Another sender's advert that is older, but news.
    let other = tell(&mut router, now, Event::Advert(heard(T0 + ms(190), 7, 150)));
    assert_eq!(other, drained(now, "Active", "Backup", Reason::Yielded { from: ip(7), priority: 150 }));
}

#[test]
fn more_senders_than_are_remembered_do_no_harm() {
    let mut router = active(config(), T0);
    for host in 10..35 {
        let now = T0 + ms(u64::from(host) * 100 - 1_000);
        assert_eq!(hear(&mut router, now, host, 50), [Action::SendAdvert { priority: 100 }]);
        assert_eq!(hear(&mut router, now, host, 50), [], "{host}");
    }
}

#[test]
fn initialize_hears_nothing_and_tells_a_cause_once() {
    let mut router = Router::new(config(), T0 - ms(1));
    for event in [Event::Advert(heard(T0, 1, 200)), Event::AdvertSent { at: T0 }, Event::Timeout] {
        assert_eq!(tell(&mut router, T0, event), []);
    }
    #[rustfmt::skip]
    let table = [
        (Event::Fault(Cause::NotStarted),  None),
        (Event::Fault(Cause::NoInterface), Some(Reason::Fault(Cause::NoInterface))),
        (Event::Fault(Cause::NoInterface), None),
        (Event::Fault(Cause::NoSource),    Some(Reason::Fault(Cause::NoSource))),
        (Event::Shutdown,                  Some(Reason::Shutdown)),
        (Event::Shutdown,                  None),
        (Event::Fault(Cause::LinkDown),    None), // shut down it stays
    ];
    for (event, news) in table {
        let told: Vec<Action> =
            news.map(|reason| notify("Initialize", "Initialize", reason)).into_iter().collect();
        assert_eq!(tell(&mut router, T0, event), told, "{event:?}");
    }
    assert_eq!((router.last_heard(), router.since()), (None, T0 - ms(1)));
    assert_eq!(tell(&mut router, T0, STARTUP), [notify("Initialize", "Backup", Reason::Started)]);
}

#[test]
fn a_backup_started_again_renews_the_source_only() {
    let mut router = started(config());
    let (state, due) = (router.state(), router.next_deadline());
    assert_eq!(tell(&mut router, T0 + ms(1), Event::Startup { source: ip(7) }), []);
    assert_eq!((router.state(), router.next_deadline(), router.source()), (state, due, Some(ip(7))));
}

/// Its frames changed, with the MAC that clients know perhaps: the same source says nothing.
#[test]
fn an_active_router_started_again_advertises_and_announces_once_more() {
    let announce = Announce { repeat: 4, ..config().announce };
    let mut router = active(Config { announce, ..config() }, T0);
    for (at, host) in [(300, 2), (600, 7), (601, 7)] {
        let now = T0 + ms(at);
        assert_eq!(
            step(&mut router, now, Event::Startup { source: ip(host) }),
            [
                Action::SendAdvert { priority: 100 },
                Action::Announce { vips: 0..3, rounds: 4 },
                Action::RenewLease { until: now + ms(3_000) },
            ]
        );
        assert_eq!((router.source(), router.since()), (Some(ip(host)), T0));
        assert_eq!(router.state(), State::Active { next_advert: now + ms(1_000), lease: now + ms(3_000) });
    }
}

/// Columns: interval in cs, how long after an answer the next may leave.
#[test]
fn rfc9568_41_43_a_flood_is_not_answered_with_a_flood() {
    for (interval, pause) in [(1, 10), (10, 10), (100, 100), (4_000, 4_000)] {
        for other in [0, 50] {
            let config = Config { interval: centis(interval), ..config() };
            let every = config.interval.duration();
            let mut router = active(config, T0);
            let first = T0 + ms(1);
            let advert = [Action::SendAdvert { priority: 100 }];
            // However shortly after an advert of its own, the first one is answered at once.
            assert_eq!(hear(&mut router, first, 1, other), advert);
            assert_eq!(router.next_deadline(), Some(first + every));
            // All that come in the next moment have one answer, together.
            for host in [1, 3, 4] {
                let now = first + ms(u64::from(host));
                assert_eq!(hear(&mut router, now, host, other), [], "{interval} {other}");
                assert_eq!(router.next_deadline(), Some(first + ms(pause)), "{interval} {other}");
            }
            assert_eq!(hear(&mut router, first + ms(pause) - ms(1), 1, other), []);
            assert_eq!(hear(&mut router, first + ms(pause), 1, other), advert, "{interval} {other}");
            assert_eq!(router.next_deadline(), Some(first + ms(pause) + every));
        }
    }
}

/// What becomes of the answer to a lower priority, told right after it, or of the advert after that one => whether it yields.
#[test]
fn who_cannot_contradict_gives_way() {
    const SENT: Event = Event::AdvertSent { at: T0 };
    for (answer, then, yields) in
        [(Event::AdvertFailed, None, true), (SENT, Some(Event::AdvertFailed), false), (SENT, None, false)]
    {
        let mut router = active(config(), T0);
        let now = T0 + ms(300);
        assert_eq!(tell(&mut router, now, Event::AdvertFailed), [], "of an advert that answers nobody");
        assert_eq!(hear(&mut router, now, 1, 50), [Action::SendAdvert { priority: 100 }]);
        let mut orders = tell(&mut router, now, answer);
        orders.extend(then.into_iter().flat_map(|event| tell(&mut router, now, event)));
        let yielded = drained(now, "Active", "Backup", Reason::Yielded { from: ip(1), priority: 50 });
        assert_eq!(orders, if yields { yielded } else { vec![] }, "{answer:?} {then:?}");
    }
    // The second of a flood waits; the first was answered.
    let mut router = active(config(), T0);
    hear(&mut router, T0 + ms(1), 1, 50);
    tell(&mut router, T0 + ms(1), SENT);
    assert_eq!(hear(&mut router, T0 + ms(2), 1, 50), []);
    assert_eq!(tell(&mut router, T0 + ms(101), Event::Timeout), [Action::SendAdvert { priority: 100 }]);
    assert_eq!(tell(&mut router, T0 + ms(101), Event::AdvertFailed), []);
}

/// With adverts every 5 ms the next one comes before a second answer may.
#[test]
fn rfc9568_41_43_an_advert_that_is_due_does_not_wait_for_an_answer() {
    let mut router = active(Config { interval: centis(1), down_timer_adverts: 1, ..config() }, T0);
    hear(&mut router, T0 + ms(1), 1, 50);
    hear(&mut router, T0 + ms(2), 3, 50);
    assert_eq!(router.next_deadline(), Some(T0 + ms(6)));
}

/// A Backup that hears priority 0 waits for its Skew_Time only: it has to hear the Active router before.
#[test]
fn rfc9568_41_an_answer_that_had_to_wait_is_sent() {
    let mut router = active(config(), T0);
    hear(&mut router, T0 + ms(499), 1, 50);
    // The answer to a lower priority is none to a resignation.
    assert_eq!(hear(&mut router, T0 + ms(500), 9, 0), [Action::SendAdvert { priority: 100 }]);
    assert_eq!(hear(&mut router, T0 + ms(501), 8, 0), []);
    let sent: Vec<Time> = run(&mut router, T0 + ms(1_700))
        .iter()
        .filter(|(_, action)| *action == Action::SendAdvert { priority: 100 })
        .map(|(at, _)| *at)
        .collect();
    assert_eq!(sent, [T0 + ms(600), T0 + ms(1_600)]);
}

/// Columns: whom the router follows, when it was last heard, who resigns at 500 ms => ms until the timer runs out.
#[test]
fn who_was_taken_over_from_resigns_in_vain() {
    #[rustfmt::skip]
    let table = [
        (vec![(0, 1, 200)],               3, 3_109), // .1 is followed, and is not overdue
        (vec![(0, 1, 200), (1, 3, 150)],  1, 3_110), // .3 is followed
        (vec![(0, 1, 200)],               1,   609), // it is the Active router
        (vec![],                          3,   609), // nobody is followed
        (vec![(0, 1, 50)],                3,   609), // it is about to be preempted
        (vec![(0, 1, 200), (300, 1, 0)],  3,   609), // it has resigned itself
    ];
    for (adverts, who, expected) in table {
        let mut router = started(config());
        for (at, host, other) in adverts.clone() {
            hear(&mut router, T0 + ms(at), host, other);
        }
        hear(&mut router, T0 + ms(500), who, 0);
        assert_eq!(deadline_ms(&router, T0 + ms(500)), Some(expected), "{adverts:?} {who}");
        // Whose death is waited for is still the one that is followed.
        let last = if expected > 3_000 { adverts.last().map(|(_, host, _)| *host) } else { Some(who) };
        assert_eq!(router.last_heard().map(|heard| heard.from), last.map(ip), "{adverts:?} {who}");
    }
    // One that is overdue may be dead, and who resigns its successor.
    let mut router = started(config());
    hear(&mut router, T0, 1, 200);
    hear(&mut router, T0 + ms(1_000), 3, 0);
    assert_eq!(deadline_ms(&router, T0 + ms(1_000)), Some(609));
    // What is not applied does not keep from being applied what came before it, read late.
    let mut router = started(config());
    hear(&mut router, T0, 1, 200);
    hear(&mut router, T0 + ms(500), 3, 0);
    tell(&mut router, T0 + ms(500), Event::Advert(heard(T0 + ms(400), 1, 200)));
    assert_eq!(deadline_ms(&router, T0 + ms(400)), Some(3_609));
}

/// The Active router's adverts change nothing, so that its last one is told when the timer is due that a resignation has set.
/// Columns: whose advert arrived when, who resigned at 2,500 ms => ms from T0 until the timer runs out.
#[test]
fn who_was_taken_over_from_resigns_in_vain_although_the_successor_is_told_late() {
    #[rustfmt::skip]
    let table = [
        ((2_000, 1), 3, 5_609), // .1 was heard half an interval before
        ((1_500, 1), 3, 3_109), // it was overdue
        ((2_000, 7), 3, 3_109), // nobody followed that one
        ((2_000, 1), 1, 3_109), // .1 itself resigned
    ];
    for ((at, from), who, expected) in table {
        let mut router = started(config());
        hear(&mut router, T0, 1, 200);
        hear(&mut router, T0 + ms(2_500), who, 0);
        let due = router.next_deadline().unwrap();
        tell(&mut router, due, Event::Advert(heard(T0 + ms(at), from, 200)));
        assert_eq!(deadline_ms(&router, T0), Some(expected), "{from} at {at}, {who}");
    }
}
