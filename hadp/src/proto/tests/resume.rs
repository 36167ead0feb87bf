//! Going on as Active with the lease of a daemon that is gone.

use super::*;
use crate::proto::Cause;

fn resume(lease: Time) -> Event {
    Event::Resume { source: ip(2), lease }
}

#[test]
fn a_lease_that_runs_is_gone_on_with() {
    for own in [priority(100), Priority::OWNER] {
        let mut router = Router::new(Config { priority: own, ..config() }, T0 - ms(1));
        let actions = tell(&mut router, T0, resume(T0 + ms(1)));
        assert_eq!(actions, [Action::AcquireVips, notify("Active", "Active", Reason::Resumed)]);
        assert_eq!(router.state(), State::Active { next_advert: T0, lease: T0 + ms(1) });
        assert_eq!((router.since(), router.source(), router.next_deadline()), (T0, Some(ip(2)), Some(T0)));
        let advert =
            [Action::SendAdvert { priority: own.get() }, Action::RenewLease { until: T0 + ms(3_000) }];
        assert_eq!(step(&mut router, T0, Event::Timeout), advert);
        assert_eq!(deadline_ms(&router, T0), Some(1_000));
    }
}

#[test]
fn a_lease_that_is_over_is_a_start() {
    for own in [priority(100), Priority::OWNER] {
        for lease in [Time::ZERO, T0] {
            let config = Config { priority: own, ..config() };
            let (mut resumed, mut started) = (Router::new(config.clone(), T0), Router::new(config, T0));
            assert_eq!(tell(&mut resumed, T0, resume(lease)), tell(&mut started, T0, STARTUP));
            assert_eq!((resumed.state(), resumed.source()), (started.state(), started.source()));
        }
    }
}

/// Clients noticed nothing, so nothing is announced but what every Active router announces now and then.
#[test]
fn only_the_refresh_is_announced() {
    let announce = Announce { delay: ms(500), repeat: 5, refresh: ms(2_500), ..config().announce };
    let mut router = Router::new(Config { announce, ..config() }, T0);
    tell(&mut router, T0, resume(T0 + ms(1_000)));
    let log = run(&mut router, T0 + ms(4_000));
    let announced: Vec<Time> = log
        .iter()
        .filter(|(_, action)| matches!(action, Action::Announce { .. }))
        .map(|(at, _)| *at)
        .collect();
    assert_eq!(announced, [T0 + ms(2_500)]);
}

/// It gives up what it never put on, as any Active router.
#[test]
fn a_resumed_router_is_an_active_one() {
    let fresh = || {
        let mut router = Router::new(config(), T0);
        tell(&mut router, T0, resume(T0 + ms(1_000)));
        router
    };
    assert_eq!(tell(&mut fresh(), T0 + ms(1_000), Event::Timeout), lapsed());
    let now = T0 + ms(1);
    let over = drained(now, "Active", "Backup", Reason::Yielded { from: ip(9), priority: 200 });
    assert_eq!(hear(&mut fresh(), now, 9, 200), over);
    assert_eq!(tell(&mut fresh(), now, Event::Fault(Cause::LinkDown))[1..4], RELEASE);
    // What was heard before is the other daemon's.
    let old = Event::Advert(heard(T0 - ms(1), 9, 200));
    assert_eq!(tell(&mut fresh(), now, old), []);
}

#[test]
fn only_a_router_that_does_not_run_resumes() {
    let mut resigning = active(config(), T0);
    tell(&mut resigning, T0, Event::Shutdown);
    for mut router in [started(config()), active(config(), T0), resigning] {
        let (state, due) = (router.state(), router.next_deadline());
        assert_eq!(tell(&mut router, T0 + ms(1), resume(T0 + ms(60_000))), []);
        assert_eq!((router.state(), router.next_deadline()), (state, due));
    }
}
