//! The two steps of a takeover, and what becomes of it when no advert leaves.

use super::*;
use crate::proto::Cause;

const RETRY: Duration = ms(1);

/// Returns a router in the middle of its takeover from silence, and when that is.
fn taking_over() -> (Router, Time) {
    let mut router = started(config());
    let now = router.next_deadline().unwrap();
    assert_eq!(
        tell(&mut router, now, Event::Timeout),
        [Action::SetLease { until: now + ms(3_000) }, Action::SendAdvert { priority: 100 }]
    );
    (router, now)
}

/// Lets both tries of a takeover that is under way fail, and returns what the second failure orders.
fn fail(router: &mut Router, now: Time) -> Vec<Action> {
    let (told, holds) = (router.told, router.holding);
    let mut given_up = vec![REVOKED];
    given_up.extend(holds.then_some(Action::ReleaseVips));
    assert_eq!(tell(router, now, Event::AdvertFailed), given_up);
    assert_eq!((router.state(), router.told), (State::Backup { active_down: now + RETRY }, told));
    assert_eq!(tell(router, now + RETRY - Duration::from_nanos(1), Event::Timeout), []);
    let own = router.config().priority.get();
    // From a router that answers, the lease comes behind the advert, and the addresses before.
    let first = if matches!(router.outlook, Reason::Preempted | Reason::Resigned) {
        Action::AcquireVips
    } else {
        Action::SetLease { until: now + RETRY + router.config().lease_span() }
    };
    let again = [first, Action::SendAdvert { priority: own }];
    assert_eq!(tell(router, now + RETRY, Event::Timeout), again);
    tell(router, now + RETRY, Event::AdvertFailed)
}

/// A queue that was full has room a moment later, and the takeover is what it was.
#[test]
fn the_second_try_completes_the_takeover() {
    let mut owner = Router::new(Config { priority: Priority::OWNER, ..config() }, T0);
    tell(&mut owner, T0, STARTUP);
    let (backup, now) = taking_over();
    for (mut router, now, from, reason) in
        [(backup, now, "Backup", Reason::ActiveDown), (owner, T0, "Initialize", Reason::Owner)]
    {
        tell(&mut router, now, Event::AdvertFailed);
        let actions = step(&mut router, now + RETRY, Event::Timeout);
        assert!(actions.ends_with(&[notify(from, "Active", reason)]), "{actions:?}");
        assert_eq!(router.since(), now + RETRY);
        // The next takeover has two tries as well.
        hear(&mut router, now + ms(10), 9, 255);
        tell(&mut router, now + ms(10) + DRAIN, Event::Timeout);
        let due = router.next_deadline().unwrap();
        tell(&mut router, due, Event::Timeout);
        assert_eq!(fail(&mut router, due).len(), 2);
    }
}

/// Whoever is heard before the second try is followed, and the next takeover begins anew.
#[test]
fn an_advert_before_the_second_try_ends_the_takeover() {
    for (other, wait, orders) in [(200, 3_609, 2), (0, 609, 3)] {
        let (mut router, begun) = taking_over();
        tell(&mut router, begun, Event::AdvertFailed);
        let now = begun + Duration::from_micros(500);
        assert_eq!(hear(&mut router, now, 9, other), []);
        assert_eq!(deadline_ms(&router, now), Some(wait), "{other}");
        let due = router.next_deadline().unwrap();
        tell(&mut router, due, Event::Timeout);
        assert_eq!(fail(&mut router, due).len(), orders, "{other}");
    }
    let (mut router, begun) = taking_over();
    tell(&mut router, begun, Event::AdvertFailed);
    hear(&mut router, begun + Duration::from_micros(500), 9, 50);
    assert_eq!(router.next_deadline(), Some(begun + RETRY));
}

#[test]
fn nothing_is_claimed_before_an_advert_has_left() {
    let (mut router, now) = taking_over();
    let state = State::Active { next_advert: now + ms(1_000), lease: now + ms(3_000) };
    assert_eq!((router.state(), router.since()), (state, T0));
    assert_eq!(tell(&mut router, now + ms(1), Event::Timeout), []);
    // A report of an earlier advert says nothing of this one.
    assert_eq!(tell(&mut router, now + ms(1), Event::AdvertSent { at: now - Duration::from_nanos(1) }), []);
    assert_eq!(
        tell(&mut router, now + ms(2), Event::AdvertSent { at: now + ms(1) }),
        [
            Action::RenewLease { until: now + ms(3_001) },
            Action::AcquireVips,
            Action::Announce { vips: 0..3, rounds: 1 },
            notify("Backup", "Active", Reason::ActiveDown),
        ]
    );
    assert_eq!(router.since(), now + ms(2));
    // Once is enough.
    assert_eq!(tell(&mut router, now + ms(3), Event::AdvertSent { at: now + ms(1) }), []);
}

/// However often it tries, it claims nothing, and says so once; once it can send, it takes over, and the next failure is
/// news again.
#[test]
fn a_router_that_cannot_send_stays_a_backup() {
    let wait = Duration::from_nanos(3_609_375_000);
    let (mut router, mut now) = taking_over();
    let mut expected = vec![REVOKED, notify("Backup", "Backup", Reason::Unsendable)];
    for _ in 0..5 {
        assert_eq!(fail(&mut router, now), expected);
        now = now + RETRY + wait;
        assert_eq!((router.state(), router.since()), (State::Backup { active_down: now }, T0));
        assert_eq!(tell(&mut router, now - Duration::from_nanos(1), Event::Timeout), []);
        let trying = [Action::SetLease { until: now + ms(3_000) }, Action::SendAdvert { priority: 100 }];
        assert_eq!(tell(&mut router, now, Event::Timeout), trying);
        expected.truncate(1);
    }
    tell(&mut router, now, Event::AdvertSent { at: now });
    assert_eq!(router.state().name(), "Active");
    // An advert that fails later revokes nothing: the lease runs out.
    for second in [1, 2] {
        tell(&mut router, now + ms(second * 1_000), Event::Timeout);
        assert_eq!(tell(&mut router, now + ms(second * 1_000), Event::AdvertFailed), []);
    }
    now = now + ms(3_000);
    assert_eq!(tell(&mut router, now, Event::Timeout), lapsed());
    tell(&mut router, now + wait, Event::Timeout);
    assert_eq!(fail(&mut router, now + wait), [REVOKED, notify("Backup", "Backup", Reason::Unsendable)]);
}

#[test]
fn an_owner_that_cannot_send_is_a_backup() {
    let mut router = Router::new(Config { priority: Priority::OWNER, ..config() }, T0 - ms(1));
    tell(&mut router, T0, STARTUP);
    let failed = [REVOKED, notify("Initialize", "Backup", Reason::Unsendable)];
    assert_eq!(fail(&mut router, T0), failed);
    assert_eq!((deadline_ms(&router, T0 + RETRY), router.since()), (Some(3_003), T0 + RETRY));
    // Stopped and started, it tells where it went once more.
    let now = T0 + ms(5);
    tell(&mut router, now, Event::Fault(Cause::LinkDown));
    tell(&mut router, now, STARTUP);
    assert_eq!(fail(&mut router, now), failed);
    // In the middle of that, too.
    let mut router = Router::new(Config { priority: Priority::OWNER, ..config() }, T0 - ms(1));
    for _ in 0..2 {
        tell(&mut router, T0, STARTUP);
        assert_eq!(tell(&mut router, T0, Event::AdvertFailed), [REVOKED]);
        tell(&mut router, T0, Event::Fault(Cause::LinkDown));
    }
    // As a Backup started anew, too.
    let (mut router, now) = taking_over();
    fail(&mut router, now);
    tell(&mut router, now + RETRY, Event::Fault(Cause::LinkDown));
    tell(&mut router, now + RETRY, STARTUP);
    let due = router.next_deadline().unwrap();
    tell(&mut router, due, Event::Timeout);
    assert_eq!(fail(&mut router, due).len(), 2);
}

/// Whatever comes between the two steps finds a Backup that never was Active.
#[test]
fn a_takeover_interrupted_claims_nothing() {
    let fault = notify("Backup", "Initialize", Reason::Fault(Cause::LinkDown));
    let shutdown = notify("Backup", "Initialize", Reason::Shutdown);
    #[rustfmt::skip]
    let table = [ // ms later, event, what follows, ms to the deadline
        (    5, Event::Fault(Cause::LinkDown),      Some(fault),    None),
        (    5, Event::Shutdown,                    Some(shutdown), None),
        (    5, STARTUP,                            None,           Some(3_609)),
        (3_000, Event::Timeout,                     None,           Some(3_609)), // never answered
        (3_000, Event::AdvertSent { at: T0 },       None,           Some(3_609)),
        (3_000, Event::AdvertFailed,                None,           Some(3_609)),
    ];
    for (later, event, then, deadline) in table {
        let (mut router, begun) = taking_over();
        let now = begun + ms(later);
        let mut expected = vec![REVOKED, notify("Backup", "Backup", Reason::Unsendable)];
        expected.extend(then);
        assert_eq!(tell(&mut router, now, event), expected, "{event:?}");
        assert_eq!(deadline_ms(&router, now), deadline, "{event:?}");
        assert_eq!(tell(&mut router, now, Event::AdvertSent { at: now }), [], "{event:?}");
    }
    for (other, deadline) in [(200, 3_609), (50, 3_609), (0, 609)] {
        let (mut router, now) = taking_over();
        assert_eq!(hear(&mut router, now, 9, other).first(), Some(&REVOKED), "{other}");
        assert_eq!((router.state().name(), deadline_ms(&router, now)), ("Backup", Some(deadline)), "{other}");
    }
}

/// An advert that is due again before the first was answered for is a further try.
#[test]
fn a_second_advert_can_complete_a_takeover() {
    let (mut router, now) = taking_over();
    let later = now + ms(1_000);
    assert_eq!(tell(&mut router, later, Event::Timeout), [Action::SendAdvert { priority: 100 }]);
    let actions = tell(&mut router, later, Event::AdvertSent { at: later });
    assert_eq!(actions.len(), 4);
    assert!(actions.contains(&Action::AcquireVips));
}

/// What the last ownership still owed is no deadline of this one.
#[test]
fn a_takeover_waits_for_nothing_but_its_advert() {
    let announce = Announce { refresh: ms(300), delay: ms(200), ..config().announce };
    let mut router = active(Config { announce, ..config() }, T0);
    hear(&mut router, T0 + ms(10), 9, 200);
    tell(&mut router, T0 + ms(10) + DRAIN, Event::Timeout);
    let now = router.next_deadline().unwrap();
    tell(&mut router, now, Event::Timeout);
    assert_eq!(router.state().name(), "Active");
    assert_eq!(deadline_ms(&router, now), Some(1_000));
}

#[test]
fn a_failed_takeover_keeps_the_wait_to_preempt() {
    let mut router = started(Config { preempt: Preempt::After(ms(5_000)), ..config() });
    for second in 1..6 {
        hear(&mut router, T0 + ms(second * 1_000), 1, 50);
    }
    let now = router.next_deadline().unwrap();
    tell(&mut router, now, Event::Timeout);
    fail(&mut router, now);
    hear(&mut router, now + ms(500), 1, 50);
    assert_eq!(deadline_ms(&router, now + RETRY), Some(3_609));
}

/// What a takeover that failed was for is not what the next one is for.
#[test]
fn a_failed_takeover_forgets_its_reason() {
    let mut router = started(config());
    hear(&mut router, T0 + ms(1), 1, 50);
    let now = router.next_deadline().unwrap();
    tell(&mut router, now, Event::Timeout);
    fail(&mut router, now);
    let due = router.next_deadline().unwrap();
    assert!(step(&mut router, due, Event::Timeout).contains(&notify("Backup", "Active", Reason::ActiveDown)));
}

/// Priority 0 is a router's last word until it takes over again.
#[test]
fn a_router_that_resigned_announces_nothing() {
    let announce = Announce { refresh: ms(300), delay: ms(200), repeat: 5, ..config().announce };
    for interval in [ms(0), ms(50)] {
        for event in [Event::Shutdown, Event::Fault(Cause::NotStarted), Event::Fault(Cause::LinkDown)] {
            let mut router =
                active(Config { announce: announce.clone(), announce_interval: interval, ..config() }, T0);
            let mut actions = tell(&mut router, T0 + ms(250), event);
            assert_eq!(actions.first(), Some(&Action::SendAdvert { priority: 0 }));
            actions.extend(tell(&mut router, T0 + ms(300), Event::Advert(heard(T0 + ms(300), 1, 0))));
            actions.extend(tell(&mut router, T0 + ms(400), STARTUP));
            actions.extend(run(&mut router, T0 + ms(3_000)).into_iter().map(|(_, action)| action));
            assert!(!actions.iter().any(|action| matches!(action, Action::Announce { .. })), "{actions:?}");
        }
    }
}
