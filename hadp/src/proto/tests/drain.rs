//! Drains: what is still served after a handover, and what ends that.

use super::*;
use crate::proto::{Cause, Next};

/// When the successor was heard.
const OVER: Time = Time::from_nanos(T0.as_nanos() + 500_000_000);

/// Returns a router that yielded at [`OVER`].
fn yielded(config: Config) -> Router {
    let mut router = active(config, OVER - ms(5));
    let winner = Heard { interval: router.config().interval, ..heard(OVER, 9, 255) };
    assert_eq!(tell(&mut router, OVER, Event::Advert(winner)).len(), 3);
    router
}

/// Returns a router that stopped, with a successor heard at [`OVER`].
fn stopped() -> Router {
    let mut router = active(config(), T0);
    tell(&mut router, T0 + ms(400), Event::Shutdown);
    let over = drained(OVER, "Resigning", "Initialize", Reason::HandedOver);
    assert_eq!(hear(&mut router, OVER, 1, 50), over);
    router
}

#[test]
fn the_addresses_come_off_when_the_drain_ends_and_not_before() {
    for mut router in [yielded(config()), stopped()] {
        let state = router.state();
        assert_eq!((router.next_deadline(), router.is_idle()), (Some(OVER + DRAIN), false));
        assert_eq!(tell(&mut router, OVER + DRAIN - Duration::from_nanos(1), Event::Timeout), []);
        // Whatever is told then, or later.
        let mut other = router.clone();
        assert_eq!(
            tell(&mut other, OVER + DRAIN + ms(5), Event::AdvertSent { at: T0 }),
            [Action::ReleaseVips]
        );
        assert_eq!(tell(&mut router, OVER + DRAIN, Event::Timeout), [Action::ReleaseVips]);
        assert_eq!(router.state(), state);
        assert_eq!(router.is_idle(), state.name() == "Initialize");
        // Once.
        assert_eq!(tell(&mut router, OVER + DRAIN + ms(1), Event::Timeout), []);
        assert!(router.next_deadline().is_none_or(|at| at > OVER + ms(1_000)));
    }
}

#[test]
fn only_a_router_in_initialize_without_a_drain_is_idle() {
    let mut router = Router::new(config(), T0);
    assert!(router.is_idle());
    tell(&mut router, T0, STARTUP);
    assert!(!router.is_idle());
    let mut router = active(config(), T0);
    assert!(!router.is_idle());
    tell(&mut router, T0, Event::Shutdown);
    assert!(!router.is_idle());
    let until = router.next_deadline().unwrap();
    tell(&mut router, until, Event::Timeout);
    assert!(router.is_idle());
}

/// Columns: event 5 ms into the drain => whether it ends at once.
#[test]
fn what_ends_a_drain() {
    #[rustfmt::skip]
    let table = [
        (Event::Fault(Cause::LinkDown),    true),
        (Event::Fault(Cause::NoInterface), true),
        (Event::Fault(Cause::NoSource),    true),
        (Event::Fault(Cause::NoDatapath),  true),
        (Event::Fault(Cause::Stopped),     true), // told to stop a second time
        (Event::Revoked,                   true),
        (Event::Fault(Cause::Tracked),     false),
        (Event::Fault(Cause::NotStarted),  false),
        (Event::Shutdown,                  false),
        (STARTUP,                          false),
        (Event::AdvertFailed,              false),
        (Event::Resign,                    false),
        (Event::Priority(priority(7)),     false),
        (Event::Timeout,                   false),
    ];
    for (event, ends) in table {
        for mut router in [yielded(config()), stopped()] {
            let actions = tell(&mut router, OVER + ms(5), event);
            assert_eq!(actions.starts_with(&[NO_DRAIN, Action::ReleaseVips]), ends, "{event:?}");
            assert_eq!(router.drain, (!ends).then_some(OVER + DRAIN), "{event:?}");
            let later = tell(&mut router, OVER + DRAIN, Event::Timeout);
            let left = [Action::ReleaseVips];
            assert_eq!(later, if ends { &[][..] } else { &left }, "{event:?}");
        }
    }
}

/// The successor fell silent, or resigned, at once: the addresses are where they belong.
#[test]
fn a_router_that_is_active_again_keeps_the_addresses() {
    let mut router = yielded(Config { interval: centis(1), ..config() });
    let resigned = Heard { interval: centis(1), ..heard(OVER + ms(1), 9, 0) };
    tell(&mut router, OVER + ms(1), Event::Advert(resigned));
    let now = router.next_deadline().unwrap();
    assert!(now < OVER + DRAIN);
    let expected = [
        Action::AcquireVips,
        Action::SendAdvert { priority: 100 },
        Action::SetLease { until: now + ms(30) },
        NO_DRAIN,
        Action::Announce { vips: 0..3, rounds: 1 },
        notify("Backup", "Active", Reason::Resigned),
    ];
    let mut failing = router.clone();
    assert_eq!(step(&mut router, now, Event::Timeout), expected);
    let log = run(&mut router, OVER + ms(100));
    assert!(!log.iter().any(|(_, action)| *action == Action::ReleaseVips), "{log:?}");
    // Unless it cannot say so.
    assert_eq!(tell(&mut failing, now, Event::Timeout), expected[..2]);
    assert_eq!(tell(&mut failing, now, Event::AdvertFailed), [REVOKED, NO_DRAIN, Action::ReleaseVips]);
    assert_eq!(failing.drain, None);
}

/// A successor that puts many addresses on is silent for a while, and clients are served here meanwhile.
#[test]
fn silence_does_not_count_before_the_drain_has_ended() {
    // Columns: the last advert, in ms after the first, if any => when silence counts. Skew_Time is 6.09 ms.
    for (last, silent) in [(None, 106), (Some(20), 106), (Some(80), 116)] {
        let mut router = yielded(Config { interval: centis(1), ..config() });
        if let Some(last) = last.map(|last| OVER + ms(last)) {
            tell(&mut router, last, Event::Advert(Heard { interval: centis(1), ..heard(last, 9, 255) }));
        }
        assert_eq!(tell(&mut router, OVER + DRAIN, Event::Timeout), [Action::ReleaseVips]);
        let State::Backup { active_down } = router.state() else { panic!("{router:?}") };
        assert_eq!(active_down.since(OVER).as_millis(), silent, "{last:?}");
        let actions = step(&mut router, active_down, Event::Timeout);
        assert_eq!(actions.last(), Some(&notify("Backup", "Active", Reason::ActiveDown)), "{last:?}");
    }
}

/// A third router waits as long as the one that handed over, from the same advert on: Skew_Time apart, no two take over at
/// once. It has heard who was Active before; for the first router that it hears of, Active_Down_Interval alone counts.
#[test]
fn all_backups_have_patience_with_a_router_that_has_taken_over() {
    let fast = |own| Config { interval: centis(1), priority: priority(own), ..config() };
    let advert =
        |at, host, priority| Event::Advert(Heard { interval: centis(1), ..heard(at, host, priority) });
    let silent = |router: &Router| {
        let State::Backup { active_down } = router.state() else { panic!("{router:?}") };
        active_down.since(OVER)
    };
    let mut third = Router::new(fast(50), T0);
    tell(&mut third, OVER - ms(10), STARTUP);
    tell(&mut third, OVER - ms(5), advert(OVER - ms(5), 1, 100));
    assert_eq!(silent(&third), ms(25) + third.config().skew(centis(1)));
    tell(&mut third, OVER, advert(OVER, 9, 255));
    assert_eq!(silent(&third), DRAIN + third.config().skew(centis(1)));
    let former = yielded(fast(100));
    assert_eq!(
        silent(&third) - silent(&former),
        third.config().skew(centis(1)) - former.config().skew(centis(1))
    );
    // It goes by what the successor says itself.
    tell(&mut third, OVER + ms(1), advert(OVER + ms(1), 9, 0));
    assert_eq!(silent(&third), ms(1) + third.config().skew(centis(1)));
}

/// An advert that is told late, of a router heard before, does not make a living router a dead one.
#[test]
fn a_preemption_remains_one() {
    let mut router = Router::new(config(), T0);
    tell(&mut router, T0, STARTUP);
    let (higher, lower) = (heard(T0 + ms(10), 1, 200), heard(T0 + ms(20), 3, 50));
    tell(&mut router, T0 + ms(20), Event::Advert(lower));
    tell(&mut router, T0 + ms(30), Event::Advert(higher));
    assert_eq!(router.outlook, Reason::Preempted);
    tell(&mut router, T0 + ms(40), Event::Advert(heard(T0 + ms(40), 1, 200)));
    assert_eq!(router.outlook, Reason::ActiveDown);
    // Nor is who resigned a living one.
    let mut router = active(config(), T0);
    tell(&mut router, T0 + ms(20), Event::Advert(heard(T0 + ms(20), 3, 0)));
    tell(&mut router, T0 + ms(30), Event::Advert(heard(T0 + ms(10), 1, 200)));
    assert_eq!((router.state().name(), router.outlook), ("Backup", Reason::ActiveDown));
}

#[test]
fn an_interrupted_takeover_takes_off_what_the_last_one_left() {
    for event in [Event::Fault(Cause::LinkDown), Event::Revoked, Event::Shutdown] {
        let mut router = yielded(Config { interval: centis(1), ..config() });
        let resigned = Heard { interval: centis(1), ..heard(OVER + ms(1), 9, 0) };
        tell(&mut router, OVER + ms(1), Event::Advert(resigned));
        let now = router.next_deadline().unwrap();
        tell(&mut router, now, Event::Timeout);
        let actions = tell(&mut router, now, event);
        let released = actions.iter().filter(|action| **action == Action::ReleaseVips).count();
        assert_eq!(released, 1, "{event:?}: {actions:?}");
    }
}

/// A process that slept through the end of a drain first does what it missed.
#[test]
fn a_drain_that_ended_long_ago_comes_first() {
    let mut router = yielded(config());
    let now = OVER + ms(60_000);
    let actions = step(&mut router, now, Event::Timeout);
    assert_eq!(actions[..2], [Action::ReleaseVips, Action::SetLease { until: now + ms(3_000) }]);
    assert!(actions.contains(&Action::AcquireVips));
}

/// Nobody took over: nothing is under way to a successor.
#[test]
fn a_stop_without_a_successor_does_not_drain() {
    for restart in [false, true] {
        let mut router = active(config(), T0);
        tell(&mut router, T0, Event::Shutdown);
        if restart {
            tell(&mut router, T0, STARTUP);
        }
        let until = router.next_deadline().unwrap();
        assert_eq!(tell(&mut router, until, Event::Timeout)[..3], RELEASE);
        assert_eq!(router.drain, None);
    }
}

/// Columns: how it resigned, then a fault => what is next, and whether that is at once.
#[test]
fn faults_while_resigning() {
    let stopped = Next::Initialize(Cause::Stopped);
    #[rustfmt::skip]
    let table = [
        (Event::Shutdown,              Cause::Tracked,    Some(stopped)),
        (Event::Shutdown,              Cause::LinkDown,   None),
        (Event::Shutdown,              Cause::Stopped,    None), // told a second time, nobody is waited for
        (Event::Fault(Cause::Tracked), Cause::Tracked,    Some(Next::Initialize(Cause::Tracked))),
        (Event::Fault(Cause::Tracked), Cause::NotStarted, Some(Next::Initialize(Cause::NotStarted))),
        (Event::Fault(Cause::Tracked), Cause::NoSource,   None),
        (Event::Resign,                Cause::Tracked,    Some(Next::Initialize(Cause::Tracked))),
        (Event::Resign,                Cause::LinkDown,   None),
    ];
    for (first, cause, next) in table {
        let mut router = active(config(), T0);
        tell(&mut router, T0, first);
        let State::Resigning { until, .. } = router.state() else { panic!("{first:?}") };
        let actions = tell(&mut router, T0 + ms(1), Event::Fault(cause));
        match next {
            Some(next) => {
                assert_eq!((actions, router.state()), (vec![], State::Resigning { until, next }), "{first:?}")
            }
            None => {
                assert_eq!(actions, released("Resigning", "Initialize", Reason::Fault(cause)), "{first:?}")
            }
        }
    }
}
