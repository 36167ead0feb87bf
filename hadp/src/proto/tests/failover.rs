//! Handing over on request: somebody else is to be Active, and if nobody is, this router goes on.

use super::*;
use crate::proto::{Cause, Next};

/// Returns a router asked to hand over at T0, and until when it waits.
fn asked(config: Config) -> (Router, Time) {
    let mut router = active(config, T0);
    let actions = tell(&mut router, T0, Event::Resign);
    assert_eq!(actions.first(), Some(&RESIGN));
    assert_eq!(actions.last(), Some(&notify("Active", "Resigning", Reason::Requested)));
    let State::Resigning { until, next: Next::Available } = router.state() else { panic!("{router:?}") };
    (router, until)
}

/// Returns a router that handed over to one of priority 50 at .1, and when.
fn handed_over(config: Config) -> (Router, Time) {
    let (mut router, _) = asked(config);
    let now = T0 + ms(100);
    assert_eq!(hear(&mut router, now, 1, 50), drained(now, "Resigning", "Backup", Reason::HandedOver));
    tell(&mut router, now + DRAIN, Event::Timeout);
    (router, now)
}

#[test]
fn the_successor_is_followed_whatever_its_priority() {
    for own in [100, 255] {
        for preempt in [Preempt::Always, Preempt::Never, Preempt::After(ms(2_000))] {
            let (mut router, over) = handed_over(Config { priority: priority(own), preempt, ..config() });
            let wait = router.config().active_down_interval(Centis::SECOND);
            for second in 0..20 {
                let now = over + ms(second * 1_000);
                hear(&mut router, now, 1, 50);
                assert_eq!(router.next_deadline(), Some(now + wait), "{own} {preempt:?} {second}");
            }
        }
    }
}

/// Columns: what ends it => whether a lower priority is preempted from then on.
/// A lease that is revoked meanwhile does not undo the request.
#[test]
fn whoever_takes_over_from_a_revoked_lease_is_followed() {
    let (mut router, _) = asked(config());
    tell(&mut router, T0 + ms(1), Event::Revoked);
    hear(&mut router, T0 + ms(2), 1, 50);
    assert_eq!(deadline_ms(&router, T0 + ms(2)), Some(3_609));
}

#[test]
fn it_preempts_again_once_the_successor_is_gone() {
    #[rustfmt::skip]
    let table = [
        ("the successor goes on",          false),
        ("the successor resigns",          true),
        ("another router resigns",         false),
        ("this router is started again",   true),
        ("this router has been Active",    true),
    ];
    for (what, preempts) in table {
        let (mut router, over) = handed_over(config());
        let mut now = over + ms(1_000);
        match what {
            "the successor resigns" => drop(hear(&mut router, now, 1, 0)),
            "another router resigns" => drop(hear(&mut router, now, 7, 0)),
            "this router is started again" => {
                tell(&mut router, now, Event::Fault(Cause::LinkDown));
                tell(&mut router, now, STARTUP);
            }
            "this router has been Active" => {
                now = router.next_deadline().unwrap();
                let reason = notify("Backup", "Active", Reason::ActiveDown);
                assert!(step(&mut router, now, Event::Timeout).contains(&reason));
                hear(&mut router, now + ms(1), 9, 200);
                now = now + ms(1) + DRAIN;
                tell(&mut router, now, Event::Timeout);
            }
            _ => {}
        }
        let due = router.next_deadline();
        hear(&mut router, now + ms(100), 3, 50);
        assert_eq!(router.next_deadline() == due, preempts, "{what}");
    }
}

/// Columns: interval in cs, `down_timer_adverts`, version => ms it waits, never beyond its lease.
#[test]
fn nobody_takes_over_and_no_moment_is_unowned() {
    #[rustfmt::skip]
    let table = [
        (100, 3, V3, 1_016),
        (100, 3, V2, 1_016),
        (  1, 3, V3,    29),
        (100, 1, V3, 1_000),
    ];
    for (interval, down_timer_adverts, version, wait) in table {
        let config = Config { interval: centis(interval), down_timer_adverts, version, ..config() };
        let mut router = active(config.clone(), T0);
        let mut actions = tell(&mut router, T0, Event::Resign);
        if actions == [Action::SendAdvert { priority: 100 }] {
            // Its lease is shorter than a handover, even as long as it can be.
            actions = tell(&mut router, T0, Event::AdvertSent { at: T0 });
        }
        let until = T0 + config.handover_span().min(config.lease_span());
        assert_eq!(actions, [RESIGN, notify("Active", "Resigning", Reason::Requested)], "{interval}");
        assert_eq!(deadline_ms(&router, T0), Some(wait), "{interval}");
        // Not another resignation, nor its own advert looped back, nor one from before.
        for (at, host, other) in [(1, 7, 0), (2, 2, 100), (0, 1, 50)] {
            let told = Event::Advert(heard(T0 + ms(at), host, other));
            assert_eq!(tell(&mut router, T0 + ms(2), told), []);
        }
        let mut lease = T0 + config.lease_span();
        for action in step(&mut router, until, Event::Timeout) {
            match action {
                Action::SetLease { until: next } | Action::RenewLease { until: next } => {
                    assert!(lease >= until && next >= lease);
                    lease = next;
                }
                Action::Notify(told) => {
                    let back = Transition { from: "Resigning", to: "Active", reason: Reason::Unclaimed };
                    assert_eq!((told, lease), (back, until + config.lease_span()));
                }
                Action::SendAdvert { priority } => assert_eq!(priority, 100),
                Action::Announce { .. } | Action::AcquireVips => {}
                Action::Drain { .. } | Action::ReleaseVips => panic!("{action:?}"),
            }
        }
        assert_eq!(router.state().name(), "Active");
        assert_eq!(router.since(), until);
    }
}

/// What was recorded is told before a timeout, but anything else may be told first.
#[test]
fn only_a_timeout_says_that_nobody_took_over() {
    let (router, until) = asked(config());
    let now = until + ms(5_000);
    for event in [STARTUP, Event::Priority(priority(9)), Event::AdvertFailed, Event::Resign] {
        let mut router = router.clone();
        assert_eq!(tell(&mut router, now, event), [], "{event:?}");
        let successor = Event::Advert(heard(until + ms(1), 1, 50));
        let over = drained(now, "Resigning", "Backup", Reason::HandedOver);
        assert_eq!(tell(&mut router, now, successor), over, "{event:?}");
    }
    let mut router = router.clone();
    assert!(step(&mut router, now, Event::Timeout).contains(&Action::SetLease { until: now + ms(3_000) }));
}

#[test]
fn other_orders_come_before_the_request() {
    #[rustfmt::skip]
    let table = [
        (Event::Shutdown,              Next::Initialize(Cause::Stopped)),
        (Event::Fault(Cause::Tracked), Next::Initialize(Cause::Tracked)),
        (STARTUP,                      Next::Available),
        (Event::Resign,                Next::Available),
    ];
    for (event, next) in table {
        let (mut router, until) = asked(config());
        assert_eq!(tell(&mut router, T0 + ms(1), event), []);
        assert_eq!(router.state(), State::Resigning { until, next }, "{event:?}");
    }
    // Who is not Active has nothing to hand over.
    for mut router in [started(config()), Router::new(config(), T0)] {
        let (state, due) = (router.state(), router.next_deadline());
        assert_eq!(tell(&mut router, T0 + ms(1), Event::Resign), []);
        assert_eq!((router.state(), router.next_deadline()), (state, due));
    }
}

/// As `hadp failover`, a fault of something tracked is handed over without a gap.
#[test]
fn a_tracked_fault_is_handed_over() {
    let mut router = active(config(), T0);
    let fault = Reason::Fault(Cause::Tracked);
    let resigned = [RESIGN, notify("Active", "Resigning", fault)];
    assert_eq!(tell(&mut router, T0, Event::Fault(Cause::Tracked)), resigned);
    let now = T0 + ms(100);
    let over = drained(now, "Resigning", "Initialize", Reason::HandedOver);
    assert_eq!(hear(&mut router, now, 1, 50), over);
    assert_eq!(router.state(), State::Initialize { cause: Cause::Tracked });
}
