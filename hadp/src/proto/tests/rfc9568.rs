//! The state machine by the numbers of `tests/conformance/rfc9568.md`.

use super::*;
use crate::proto::Cause;

#[test]
fn rfc9568_25_26_v3_timers_follow_the_active_routers_interval() {
    #[rustfmt::skip]
    let table = [ // priority, Active_Adver_Interval in cs, skew, Active_Down_Interval in ns
        (100,    100,   609_375_000,   3_609_375_000),
        (254,    100,     7_812_500,   3_007_812_500),
        (255,    100,     3_906_250,   3_003_906_250),
        (  1,    100,   996_093_750,   3_996_093_750),
        (100,  4_095, 24_953_906_250, 147_803_906_250),
    ];
    for (own, interval, skew, down) in table {
        let config = Config { priority: priority(own), ..config() };
        assert_eq!(config.skew(centis(interval)).as_nanos(), skew, "{own} {interval}");
        assert_eq!(config.active_down_interval(centis(interval)).as_nanos(), down, "{own} {interval}");
    }
}

#[test]
fn rfc9568_27_v2_skew_is_a_fraction_of_a_second_and_the_interval_is_not_learned() {
    for seconds in [1, 2, 255] {
        let config = Config { version: V2, interval: centis(seconds * 100), ..config() };
        assert_eq!(config.skew(config.interval).as_nanos(), 609_375_000);
        let mut router = started(config);
        let wait = u128::from(seconds) * 3_000 + 609;
        assert_eq!(deadline_ms(&router, T0), Some(wait));
        let other = Heard { interval: centis(4_000), ..heard(T0, 1, 200) };
        tell(&mut router, T0, Event::Advert(other));
        assert_eq!(deadline_ms(&router, T0), Some(wait));
        assert_eq!(router.active_interval(), centis(seconds * 100));
    }
}

#[test]
fn rfc9568_29_nothing_rounds_at_one_centisecond() {
    let config = Config { interval: centis(1), priority: priority(253), ..config() };
    assert_eq!(config.skew(centis(1)), Duration::from_nanos(117_187));
    assert_eq!(config.active_down_interval(centis(1)), Duration::from_nanos(30_117_187));
    let router = started(config);
    assert_eq!(router.next_deadline(), Some(T0 + Duration::from_nanos(30_117_187)));
}

/// What an owner's start and a Backup's timeout order: the lease, which alone makes the datapath answer, comes before
/// the announcements (row 52), and everything clients wait for before the rest.
fn takeover(priority: u8, now: Time, from: &'static str, reason: Reason) -> Vec<Action> {
    let (lease, advert) = (Action::SetLease { until: now + ms(3_000) }, Action::SendAdvert { priority });
    // A router that still answers hears of it first, and who asks afterwards finds the addresses served.
    let is_answering = matches!(reason, Reason::Preempted | Reason::Resigned);
    let acquire = Action::AcquireVips;
    let [first, second, third] =
        if is_answering { [acquire, advert, lease] } else { [lease, advert, acquire] };
    let announce = Action::Announce { vips: 0..3, rounds: 1 };
    vec![first, second, third, announce, notify(from, "Active", reason)]
}

#[test]
fn rfc9568_30_the_owner_is_active_at_once() {
    let mut router = Router::new(Config { priority: Priority::OWNER, ..config() }, T0);
    assert_eq!(step(&mut router, T0, STARTUP), takeover(255, T0, "Initialize", Reason::Owner));
    assert_eq!(router.state(), State::Active { next_advert: T0 + ms(1_000), lease: T0 + ms(3_000) });
}

#[test]
fn rfc9568_31_any_other_router_starts_as_backup_with_its_own_interval() {
    let mut router = Router::new(Config { interval: centis(200), ..config() }, T0);
    assert_eq!(tell(&mut router, T0, STARTUP), [notify("Initialize", "Backup", Reason::Started)]);
    assert_eq!(router.active_interval(), centis(200));
    assert_eq!(deadline_ms(&router, T0), Some(7_218));
    assert_eq!((router.since(), router.source()), (T0, Some(ip(2))));
}

#[test]
fn rfc9568_32_a_backup_that_stops_sends_nothing_and_waits_for_nothing() {
    for (event, cause, reason) in [
        (Event::Shutdown, Cause::Stopped, Reason::Shutdown),
        (Event::Fault(Cause::LinkDown), Cause::LinkDown, Reason::Fault(Cause::LinkDown)),
    ] {
        let mut router = started(config());
        assert_eq!(tell(&mut router, T0 + ms(1), event), [notify("Backup", "Initialize", reason)]);
        assert_eq!((router.state(), router.next_deadline()), (State::Initialize { cause }, None));
    }
}

#[test]
fn rfc9568_33_50_51_52_a_backup_takes_over_when_its_timer_fires_and_not_before() {
    let mut router = started(config());
    let due = router.next_deadline().unwrap();
    assert_eq!(tell(&mut router, due - Duration::from_nanos(1), Event::Timeout), []);
    assert_eq!(step(&mut router, due, Event::Timeout), takeover(100, due, "Backup", Reason::ActiveDown));
    assert_eq!(router.state(), State::Active { next_advert: due + ms(1_000), lease: due + ms(3_000) });
    assert_eq!(router.since(), due);
}

/// Local priority 100 at .2, interval 1 s, started at T0; the advert arrives 500 ms later.
/// Columns: preempt, (advert priority, last octet of its source) => ms to the deadline.
#[test]
fn rfc9568_34_35_36_37_adverts_in_backup() {
    #[rustfmt::skip]
    let table = [
        (Preempt::Always, (  0, 1),   609), // resigned: Skew_Time
        (Preempt::Never,  (  0, 1),   609),
        (Preempt::Always, ( 99, 1), 3_109), // preempts: discarded, timer untouched
        (Preempt::Always, ( 99, 9), 3_109),
        (Preempt::Never,  ( 99, 1), 3_609),
        (Preempt::Always, (100, 1), 3_609), // equal: no tie-break by address
        (Preempt::Always, (100, 9), 3_609),
        (Preempt::Always, (101, 1), 3_609),
        (Preempt::Always, (255, 1), 3_609),
    ];
    let now = T0 + ms(500);
    for (preempt, (other, host), deadline) in table {
        let mut router = started(Config { preempt, ..config() });
        assert_eq!(hear(&mut router, now, host, other), [], "{preempt:?} {other}/{host}");
        assert_eq!(deadline_ms(&router, now), Some(deadline), "{preempt:?} {other}/{host}");
        assert_eq!(router.last_heard().map(|last| (last.from, last.priority)), Some((ip(host), other)));
    }
}

#[test]
fn rfc9568_35_the_interval_is_learned_and_decides_both_waits() {
    let mut router = started(config());
    let slow = Heard { interval: centis(10), ..heard(T0, 1, 200) };
    tell(&mut router, T0, Event::Advert(slow));
    assert_eq!(router.active_interval(), centis(10));
    assert_eq!(router.next_deadline(), Some(T0 + Duration::from_nanos(360_937_500)));
    hear(&mut router, T0 + ms(5), 1, 0);
    assert_eq!(router.next_deadline(), Some(T0 + ms(5) + Duration::from_nanos(60_937_500)));
    // Active again, and later Backup again, it starts from its own.
    tell(&mut router, T0 + ms(100), Event::Timeout);
    assert_eq!(router.active_interval(), Centis::SECOND);
}

#[test]
fn rfc9568_36_a_discarded_advert_teaches_nothing() {
    let mut router = started(config());
    let slow = Heard { interval: centis(1_000), ..heard(T0 + ms(1), 1, 50) };
    tell(&mut router, T0 + ms(1), Event::Advert(slow));
    assert_eq!((router.active_interval(), deadline_ms(&router, T0)), (Centis::SECOND, Some(3_609)));
    let due = router.next_deadline().unwrap();
    assert_eq!(step(&mut router, due, Event::Timeout), takeover(100, due, "Backup", Reason::Preempted));
}

#[test]
fn rfc9568_34_a_resignation_is_the_reason_that_is_told() {
    let mut router = started(config());
    hear(&mut router, T0 + ms(10), 1, 200);
    hear(&mut router, T0 + ms(20), 1, 0);
    let due = T0 + ms(20) + Duration::from_nanos(609_375_000);
    assert_eq!(step(&mut router, due, Event::Timeout), takeover(100, due, "Backup", Reason::Resigned));
}

#[test]
fn rfc9568_38_a_backup_holds_no_lease_whatever_it_hears() {
    let mut router = started(config());
    for (step, other) in [200, 100, 0, 50, 255].into_iter().enumerate() {
        let now = T0 + ms(step as u64 * 10);
        assert_eq!(hear(&mut router, now, 1, other), []);
        assert_eq!(tell(&mut router, now, Event::AdvertSent { at: now }), []);
    }
}

#[test]
fn rfc9568_39_adverts_keep_their_rhythm_however_late_the_timer_is() {
    let mut router = active(config(), T0);
    #[rustfmt::skip]
    let table = [ // told at, next advert
        (1_000, 2_000), (2_300, 3_000), (3_999, 4_000), // late: no drift
        (6_000, 7_000), (7_000, 8_000),                 // a whole interval behind: starts afresh, sends one
        (9_000, 10_000),                                // exactly a whole interval behind
    ];
    for (told, next) in table {
        let now = T0 + ms(told);
        assert_eq!(tell(&mut router, now - ms(1), Event::AdvertSent { at: now - ms(1) }).len(), 1);
        assert_eq!(tell(&mut router, now, Event::Timeout), [Action::SendAdvert { priority: 100 }], "{told}");
        assert_eq!(tell(&mut router, now, Event::Timeout), [], "{told}");
        let State::Active { next_advert, .. } = router.state() else { panic!("{:?}", router.state()) };
        assert_eq!(next_advert, T0 + ms(next), "{told}");
    }
}

#[test]
fn rfc9568_40_an_active_router_that_stops_sends_priority_0() {
    let mut router = active(config(), T0);
    assert_eq!(
        tell(&mut router, T0 + ms(5), Event::Shutdown),
        [Action::SendAdvert { priority: 0 }, notify("Active", "Resigning", Reason::Shutdown)]
    );
    let until = T0 + ms(5) + Duration::from_nanos(996_093_750) + ms(20);
    assert_eq!(router.next_deadline(), Some(until));
    assert_eq!(
        tell(&mut router, until, Event::Timeout),
        released("Resigning", "Initialize", Reason::HandedOver)
    );
    assert_eq!(router.state(), State::Initialize { cause: Cause::Stopped });
}

/// Local priority at .2, Active since T0; the advert arrives 500 ms later.
/// Columns: local priority, preempt, (advert priority, last octet) => state, ms to the deadline.
#[test]
fn rfc9568_41_42_43_adverts_in_active() {
    const ASSERT: &str = "asserts";
    const YIELD: &str = "yields";
    #[rustfmt::skip]
    let table = [
        (100, Preempt::Always, (  0, 1), ASSERT, 1_000),
        (100, Preempt::Always, (  0, 9), ASSERT, 1_000),
        (100, Preempt::Always, ( 99, 1), ASSERT, 1_000),
        (100, Preempt::Always, ( 99, 9), ASSERT, 1_000),
        (100, Preempt::Always, (100, 1), ASSERT, 1_000), // lower address loses the tie
        (100, Preempt::Always, (100, 9), YIELD,  3_609), // greater address wins it
        (100, Preempt::Always, (100, 200), YIELD, 3_609), // unsigned
        (100, Preempt::Always, (101, 1), YIELD,  3_609),
        (100, Preempt::Never,  (101, 1), YIELD,  3_609),
        (100, Preempt::Never,  ( 99, 1), ASSERT, 1_000),
        (255, Preempt::Always, (255, 1), ASSERT, 1_000), // two owners: by address
        (255, Preempt::Always, (255, 9), YIELD,  3_003),
        (255, Preempt::Always, (254, 9), ASSERT, 1_000),
    ];
    let now = T0 + ms(500);
    for (own, preempt, (other, host), end, deadline) in table {
        let label = format!("{own} {preempt:?} {other}/{host}");
        let mut router = active(Config { priority: priority(own), preempt, ..config() }, T0);
        let got = hear(&mut router, now, host, other);
        let expected = match end {
            YIELD => drained(now, "Active", "Backup", Reason::Yielded { from: ip(host), priority: other }),
            _ => vec![Action::SendAdvert { priority: own }],
        };
        assert_eq!(got, expected, "{label}");
        tell(&mut router, now + DRAIN, Event::Timeout);
        assert_eq!(deadline_ms(&router, now), Some(deadline), "{label}");
    }
}

#[test]
fn rfc9568_42_yielding_learns_the_interval() {
    let mut router = active(config(), T0);
    let winner = Heard { interval: centis(200), ..heard(T0 + ms(10), 9, 101) };
    tell(&mut router, T0 + ms(11), Event::Advert(winner));
    assert_eq!(router.active_interval(), centis(200));
    tell(&mut router, T0 + ms(11) + DRAIN, Event::Timeout);
    assert_eq!(router.next_deadline(), Some(T0 + ms(10) + Duration::from_nanos(7_218_750_000)));
}

#[test]
fn rfc9568_42_what_arrived_before_the_advert_yielded_to_is_history() {
    let mut router = active(config(), T0);
    hear(&mut router, T0 + ms(500), 9, 200);
    tell(&mut router, T0 + ms(501), Event::Advert(heard(T0 + ms(300), 7, 0)));
    tell(&mut router, T0 + ms(500) + DRAIN, Event::Timeout);
    assert_eq!(deadline_ms(&router, T0 + ms(500)), Some(3_609));
}

#[test]
fn rfc9568_42_the_tie_break_compares_ipv6_addresses_unsigned_too() {
    let (own, low, high) = ("fe80::7fff", "fe80::1", "fe80::8000");
    for (other, end) in [(low, "Active"), (high, "Backup")] {
        let mut router = active(config(), T0);
        tell(&mut router, T0, Event::Startup { source: own.parse().unwrap() });
        let advert = Heard { from: other.parse().unwrap(), ..heard(T0 + ms(1), 1, 100) };
        tell(&mut router, T0 + ms(1), Event::Advert(advert));
        assert_eq!(router.state().name(), end, "{other}");
    }
}

#[test]
fn rfc9568_49_the_owner_always_preempts() {
    for preempt in [Preempt::Never, Preempt::After(ms(60_000))] {
        let mut router = active(Config { priority: Priority::OWNER, preempt, ..config() }, T0);
        hear(&mut router, T0 + ms(1), 9, 255);
        assert_eq!(router.state().name(), "Backup");
        tell(&mut router, T0 + ms(1) + DRAIN, Event::Timeout);
        let due = router.next_deadline();
        hear(&mut router, T0 + ms(500), 9, 254);
        assert_eq!(router.next_deadline(), due, "{preempt:?}");
    }
}
