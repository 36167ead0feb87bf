//! The lease: who extends it, what happens when it is over, and how it is handed over.

use super::*;
use crate::proto::{Cause, Next};

fn lease(router: &Router) -> Option<Time> {
    match router.state() {
        State::Active { lease, .. } => Some(lease),
        State::Initialize { .. } | State::Backup { .. } | State::Resigning { .. } => None,
    }
}

#[test]
fn only_an_advert_that_left_renews_the_lease() {
    let mut router = active(config(), T0);
    #[rustfmt::skip]
    let table = [ // told at, event, end of the lease in ms after T0
        (    1, Event::AdvertSent { at: T0 },                    3_000),
        (1_000, Event::Timeout,                                  3_000),
        (1_001, Event::AdvertSent { at: T0 + ms(1_001) },        4_001),
        (1_002, Event::AdvertSent { at: T0 + ms(500) },          4_001), // older: never shortened
        (1_003, Event::Advert(heard(T0 + ms(1_003), 1, 50)),     4_001),
        (1_004, STARTUP,                                         4_001),
    ];
    for (told, event, end) in table {
        let before = lease(&router);
        let actions = tell(&mut router, T0 + ms(told), event);
        assert_eq!(lease(&router), Some(T0 + ms(end)), "{event:?}");
        let stored = actions.iter().find(|action| matches!(action, Action::RenewLease { .. }));
        let news = (before != lease(&router)).then_some(Action::RenewLease { until: T0 + ms(end) });
        assert!(!actions.iter().any(|action| matches!(action, Action::SetLease { .. })), "{event:?}");
        assert_eq!(stored, news.as_ref(), "{event:?}");
    }
}

/// The worst case of every configuration: an advert that takes no time, a clock that runs 1 permil slower than the peer's,
/// and the peer that waits least.
#[test]
fn the_lease_ends_before_any_peer_takes_over() {
    let v3 = (1..=4_095).map(|interval| (V3, interval));
    let v2 = (1..=255).map(|seconds| (V2, seconds * 100));
    for (version, interval) in v3.chain(v2) {
        for down_timer_adverts in [1, 2, 3, 4, 255] {
            let of = |own| Config {
                priority: priority(own),
                interval: centis(interval),
                version,
                down_timer_adverts,
                ..config()
            };
            // As seen by the peer's clock.
            let ends = of(1).lease_span() * 1_001 / 1_000;
            // What peers have by default, unless they are configured to wait for less.
            let peer = |own| Config { down_timer_adverts: down_timer_adverts.min(3), ..of(own) };
            let waits = (1..=254).map(|own| peer(own).active_down_interval(centis(interval)));
            let earliest = waits.min().unwrap();
            assert!(ends < earliest, "{version:?} {interval} {down_timer_adverts}: {ends:?} {earliest:?}");
            // And no sooner than it has to.
            let intervals = centis(interval).duration() * u32::from(down_timer_adverts.min(3));
            let lost = intervals - of(1).lease_span();
            assert!(lost.is_zero() || version == V2 && lost < intervals / 1_000, "{version:?} {interval}");
            assert_eq!(of(1).lease_span(), of(254).lease_span());
            assert!(of(1).lease_left() > ms(0));
        }
    }
}

#[test]
fn a_router_whose_adverts_do_not_leave_is_not_active_for_long() {
    let mut router = active(config(), T0);
    for second in [1_000, 2_000] {
        assert_eq!(
            tell(&mut router, T0 + ms(second), Event::Timeout),
            [Action::SendAdvert { priority: 100 }]
        );
    }
    assert_eq!(deadline_ms(&router, T0), Some(3_000));
    let now = T0 + ms(3_000);
    assert_eq!(tell(&mut router, now, Event::Timeout), lapsed());
    assert_eq!(deadline_ms(&router, now), Some(3_609));
}

/// Answering a lower priority resets Adver_Timer, but the lease it does not move is a deadline of its own.
#[test]
fn the_lease_is_a_deadline() {
    let mut router = active(config(), T0);
    hear(&mut router, T0 + ms(2_500), 1, 50);
    assert_eq!(deadline_ms(&router, T0), Some(3_000));
}

/// A process that did not run comes back as Backup, whatever woke it, and then considers what it is told.
#[test]
fn a_late_wake_up_is_a_backup_first() {
    let now = T0 + ms(9_000);
    let expired = released("Active", "Backup", Reason::LeaseExpired);
    let fault = notify("Backup", "Initialize", Reason::Fault(Cause::LinkDown));
    let shutdown = notify("Backup", "Initialize", Reason::Shutdown);
    let at = |millis, other| Event::Advert(heard(T0 + ms(millis), 1, other));
    #[rustfmt::skip]
    let table = [ // event, what follows, ms to the deadline
        (Event::Timeout,                               None,           Some(3_609)),
        (STARTUP,                                      None,           Some(3_609)),
        (Event::AdvertSent { at: T0 + ms(8_000) },     None,           Some(3_609)), // left after the lease
        (Event::AdvertSent { at: T0 + ms(2_900) },     None,           Some(3_609)), // left in time, told too late
        (at(8_500, 200),                               None,           Some(3_109)), // arrived meanwhile: counts
        (at(8_900, 0),                                 None,           Some(509)),
        (at(8_500, 50),                                None,           Some(3_609)),
        (at(2_000, 200),                               None,           Some(3_609)), // from when it was Active
        (Event::Fault(Cause::LinkDown),                Some(fault),    None),
        (Event::Shutdown,                              Some(shutdown), None),
    ];
    for (event, then, deadline) in table {
        let mut router = active(config(), T0);
        let mut expected = expired.clone();
        expected.extend(then);
        assert_eq!(tell(&mut router, now, event), expected, "{event:?}");
        assert_eq!(deadline_ms(&router, now), deadline, "{event:?}");
    }
}

/// The advert left before the lease ended, so peers wait; its report came after.
#[test]
fn a_late_report_of_a_timely_advert_renews_the_lease() {
    let mut router = active(config(), T0);
    let sent = Event::AdvertSent { at: T0 + ms(2_999) };
    assert_eq!(tell(&mut router, T0 + ms(3_001), sent), [Action::RenewLease { until: T0 + ms(5_999) }]);
}

/// Columns: how long after the takeover it resigns, interval, version => ms until it stops.
#[test]
fn a_resigning_router_answers_as_long_as_a_successor_may_take() {
    #[rustfmt::skip]
    let table = [
        (    0, 100, V3, 1_016), // the Skew_Time of priority 1, and the margin
        (    0, 200, V3, 2_012),
        (    0, 300, V2, 1_016), // v2: a fraction of a second
        (2_500, 100, V3,   500), // never beyond the lease
        (    0,   1, V3,    29),
    ];
    for (after, interval, version, wait) in table {
        let mut router = active(Config { interval: centis(interval), version, ..config() }, T0);
        let now = T0 + ms(after);
        tell(&mut router, now, Event::Shutdown);
        // Where the lease is too short, an advert was to go first; it did not leave.
        tell(&mut router, now, Event::AdvertFailed);
        assert_eq!(deadline_ms(&router, now), Some(wait), "{after} {interval} {version:?}");
        // Nothing extends it.
        assert_eq!(tell(&mut router, now, Event::AdvertSent { at: now }), []);
        assert_eq!(deadline_ms(&router, now), Some(wait));
    }
}

/// An advert makes a lease that is nearly over last as long as a successor may take; then comes the resignation.
#[test]
fn a_lease_that_is_too_short_for_a_handover_is_renewed_first() {
    let mut router = active(config(), T0);
    let now = T0 + ms(2_500);
    assert_eq!(tell(&mut router, now, Event::Shutdown), [Action::SendAdvert { priority: 100 }]);
    assert_eq!(tell(&mut router, now, Event::Timeout), []);
    let expected = [
        Action::RenewLease { until: now + ms(3_000) },
        RESIGN,
        notify("Active", "Resigning", Reason::Shutdown),
    ];
    assert_eq!(tell(&mut router, now, Event::AdvertSent { at: now }), expected);
    assert_eq!(deadline_ms(&router, now), Some(1_016));
}

#[test]
fn the_first_advert_of_a_successor_ends_the_handover() {
    let begun = T0 + ms(100);
    #[rustfmt::skip]
    let table = [ // (arrival, host, priority), handed over
        ((200, 1,  50), true),
        ((200, 1, 200), true),
        ((200, 1,   0), false), // resigns too
        ((200, 2, 100), false), // its own, looped back
        (( 90, 1,  50), false), // from before, read late
    ];
    for ((at, host, other), over) in table {
        let mut router = active(config(), T0);
        tell(&mut router, begun, Event::Shutdown);
        let got = tell(&mut router, T0 + ms(210), Event::Advert(heard(T0 + ms(at), host, other)));
        let now = T0 + ms(210);
        let expected =
            if over { drained(now, "Resigning", "Initialize", Reason::HandedOver) } else { vec![] };
        assert_eq!(got, expected, "{at} {host} {other}");
    }
}

#[test]
fn a_lost_link_is_given_up_at_once() {
    for cause in [Cause::NoInterface, Cause::LinkDown, Cause::NoSource, Cause::NoDatapath] {
        let mut router = active(config(), T0);
        let mut expected = vec![Action::SendAdvert { priority: 0 }];
        expected.extend(released("Active", "Initialize", Reason::Fault(cause)));
        assert_eq!(tell(&mut router, T0 + ms(1), Event::Fault(cause)), expected);
        assert_eq!((router.state(), router.next_deadline()), (State::Initialize { cause }, None));
    }
}

#[test]
fn any_other_fault_is_handed_over() {
    let mut router = active(config(), T0);
    let fault = Event::Fault(Cause::NotStarted);
    let resigned = notify("Active", "Resigning", Reason::Fault(Cause::NotStarted));
    assert_eq!(tell(&mut router, T0 + ms(1), fault), [Action::SendAdvert { priority: 0 }, resigned]);
    assert_eq!(tell(&mut router, T0 + ms(2), fault), []); // told again
    let worse = Cause::LinkDown;
    let got = tell(&mut router, T0 + ms(3), Event::Fault(worse));
    assert_eq!(got, released("Resigning", "Initialize", Reason::Fault(worse)));
}

#[test]
fn a_router_started_while_it_resigns_is_a_backup_afterwards() {
    let mut router = active(config(), T0);
    tell(&mut router, T0 + ms(1), Event::Shutdown);
    let until = router.next_deadline().unwrap();
    assert_eq!(tell(&mut router, T0 + ms(2), Event::Startup { source: ip(3) }), []);
    assert_eq!(router.state(), State::Resigning { until, next: Next::Backup });

    let mut stopped = router.clone();
    assert_eq!(tell(&mut stopped, T0 + ms(3), Event::Shutdown), []);
    assert_eq!(stopped.state(), State::Resigning { until, next: Next::Initialize(Cause::Stopped) });

    let mut alone = router.clone();
    let back = released("Resigning", "Backup", Reason::HandedOver);
    assert_eq!(tell(&mut alone, until, Event::Timeout), back);
    assert_eq!(deadline_ms(&alone, until), Some(3_609));
    tell(&mut alone, until, Event::Advert(heard(T0, 7, 0))); // from before it resigned, read late
    assert_eq!(deadline_ms(&alone, until), Some(3_609));

    // The successor is followed from its first advert on.
    let now = T0 + ms(700);
    assert_eq!(hear(&mut router, now, 9, 150), drained(now, "Resigning", "Backup", Reason::HandedOver));
    assert_eq!(tell(&mut router, now + DRAIN, Event::Timeout), [Action::ReleaseVips]);
    assert_eq!(deadline_ms(&router, now), Some(3_609));
    assert_eq!(router.last_heard().map(|last| last.from), Some(ip(9)));
    assert_eq!(router.source(), Some(ip(3)));
}

/// What peers never heard keeps none of them from taking over.
#[test]
fn an_advert_that_stays_in_the_queue_renews_nothing() {
    #[rustfmt::skip]
    let table = [ // told at, the last that left, end of the lease in ms after T0
        (2_000, 1_000, 4_000),
        (2_999,     0, 3_000), // the takeover's own
        (2_000, 2_000, 5_000), // others of the interface stay; this one's have left
    ];
    for (told, left, end) in table {
        let mut router = active(config(), T0);
        for sent in [1_000, 2_000] {
            tell(&mut router, T0 + ms(sent), Event::Timeout);
            tell(&mut router, T0 + ms(sent), Event::AdvertSent { at: T0 + ms(sent) });
        }
        let cut = (end < 5_000).then_some(Action::RenewLease { until: T0 + ms(end) });
        let stuck = Event::AdvertStuck { left: T0 + ms(left) };
        let expected: Vec<_> = cut.into_iter().collect();
        assert_eq!(tell(&mut router, T0 + ms(told), stuck), expected, "{told} {left}");
        assert_eq!(lease(&router), Some(T0 + ms(end)));
        assert_eq!(tell(&mut router, T0 + ms(told), stuck), [], "told again");
        // One that leaves later counts as ever.
        let again = tell(&mut router, T0 + ms(told), Event::AdvertSent { at: T0 + ms(2_999) });
        // Too late to be heard before the peers' patience is over, it is one of a queue that moves again.
        let renewed = (end > 3_000).then_some(Action::RenewLease { until: T0 + ms(5_999) });
        assert_eq!(again, Vec::from_iter(renewed));
    }
}

/// Peers that heard nothing of this reign wait for nobody.
#[test]
fn a_router_none_of_whose_adverts_left_owns_nothing() {
    for left in [Time::ZERO, T0 - ms(1)] {
        let mut router = active(config(), T0);
        let mut expected = vec![Action::RenewLease { until: T0 }];
        expected.extend(lapsed());
        assert_eq!(tell(&mut router, T0 + ms(1_000), Event::AdvertStuck { left }), expected);
        assert_eq!(deadline_ms(&router, T0), Some(4_609));
    }
}

/// What the daemon before sent has left; what this one sends may not.
#[test]
fn a_lease_that_was_gone_on_with_is_not_taken_back() {
    let mut router = Router::new(config(), T0);
    let until = T0 + ms(2_500);
    tell(&mut router, T0, Event::Resume { source: ip(2), lease: until });
    tell(&mut router, T0, Event::Timeout);
    tell(&mut router, T0, Event::AdvertSent { at: T0 });
    assert_eq!(lease(&router), Some(T0 + ms(3_000)));
    let cut = [Action::RenewLease { until }];
    assert_eq!(tell(&mut router, T0 + ms(1_000), Event::AdvertStuck { left: Time::ZERO }), cut);
    assert_eq!(lease(&router), Some(until));
}

/// Told when it is over already: it is over.
#[test]
fn a_lease_that_is_taken_back_too_late_has_ended() {
    let mut router = active(config(), T0);
    tell(&mut router, T0 + ms(2_000), Event::Timeout);
    tell(&mut router, T0 + ms(2_000), Event::AdvertSent { at: T0 + ms(2_000) });
    let mut expected = vec![Action::RenewLease { until: T0 + ms(3_000) }];
    expected.extend(lapsed());
    assert_eq!(tell(&mut router, T0 + ms(3_000), Event::AdvertStuck { left: T0 }), expected);
}

#[test]
fn a_resignation_that_stays_in_the_queue_ends_with_what_peers_heard() {
    let mut router = active(config(), T0);
    tell(&mut router, T0 + ms(1_000), Event::Timeout);
    tell(&mut router, T0 + ms(1_000), Event::AdvertSent { at: T0 + ms(1_000) });
    let now = T0 + ms(2_500);
    tell(&mut router, now, Event::Shutdown);
    assert_eq!(deadline_ms(&router, now), Some(1_016));
    assert_eq!(tell(&mut router, now, Event::AdvertStuck { left: T0 }), []);
    assert_eq!(deadline_ms(&router, now), Some(500));
    // The advert that was to go first stays as well: the resignation follows, and no longer than that.
    let mut router = active(config(), T0);
    let now = T0 + ms(2_500);
    assert_eq!(tell(&mut router, now, Event::Shutdown), [Action::SendAdvert { priority: 100 }]);
    let expected = [RESIGN, notify("Active", "Resigning", Reason::Shutdown)];
    assert_eq!(tell(&mut router, now, Event::AdvertStuck { left: T0 }), expected);
    assert_eq!(deadline_ms(&router, now), Some(500));
}

/// Another daemon of this node, or another router of the interface, has adverts in the queue.
#[test]
fn a_queue_that_does_not_send_is_no_reason_to_act_where_nothing_is_owned() {
    let stuck = Event::AdvertStuck { left: T0 };
    let mut idle = Router::new(config(), T0);
    assert_eq!(tell(&mut idle, T0 + ms(1), stuck), []);
    let mut backup = started(config());
    let due = backup.next_deadline();
    assert_eq!(tell(&mut backup, T0 + ms(1), stuck), []);
    assert_eq!(backup.next_deadline(), due);
    // A takeover is none; it is not tried again at once, as where the queue was full.
    let now = due.unwrap();
    tell(&mut backup, now, Event::Timeout);
    let expected = [REVOKED, notify("Backup", "Backup", Reason::Unsendable)];
    assert_eq!(tell(&mut backup, now, stuck), expected);
    assert_eq!(deadline_ms(&backup, now), Some(3_609));
}
