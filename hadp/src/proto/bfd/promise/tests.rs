//! What guards are worth, step by step.

use proptest::{prelude::prop, prop_assert, prop_assert_eq, proptest, strategy::Strategy};

use super::*;

const GUARD: u32 = 3;
const D: Duration = Duration::from_micros(750);
const SLOW: Duration = Duration::from_secs(3);

fn us(micros: u64) -> Time {
    Time::from_nanos(1_000_000_000 + micros * 1000)
}

fn id(index: u32) -> SessionId {
    SessionId::new(index).unwrap()
}

fn stored(until: Time) -> Verdict {
    Verdict::Store(until)
}

fn with(sessions: &[u32]) -> Promises {
    let mut guards = Promises::default();
    for &session in sessions {
        guards.join(GUARD, id(session), us(0));
    }
    guards
}

/// A packet sent at `at`, the time read behind it a microsecond later.
fn send(guards: &mut Promises, session: u32, at: u64, after: Option<Duration>) -> Verdict {
    guards.sent(GUARD, id(session), us(at), after, us(at + 1))
}

#[test]
fn the_margin_is_never_below_twenty_microseconds_nor_three_percent() {
    assert_eq!(margin(Duration::from_micros(300)), Duration::from_micros(20));
    assert_eq!(margin(D), Duration::from_nanos(23_437));
    assert_eq!(margin(SLOW), SLOW / 32);
}

#[test]
fn a_guard_is_the_least_promise() {
    let mut guards = with(&[1, 2]);
    assert_eq!(send(&mut guards, 1, 0, Some(SLOW)), stored(us(0) + SLOW - SLOW / 32));
    assert_eq!(send(&mut guards, 2, 10, Some(D)), stored(us(10) + D - margin(D)));
    assert_eq!(send(&mut guards, 1, 20, Some(SLOW)), Verdict::Keep, "the other one is nearer");
    assert_eq!(send(&mut guards, 2, 260, Some(D)), stored(us(260) + D - margin(D)));
}

#[test]
fn sessions_come_and_go_without_a_lapse() {
    let mut guards = with(&[1]);
    assert_eq!(send(&mut guards, 1, 0, None), Verdict::Keep, "not up yet: open");
    assert_eq!(guards.look(GUARD, us(5_000_000)), Verdict::Keep);
    assert_eq!(send(&mut guards, 1, 5_000_000, Some(D)), stored(us(5_000_000) + D - margin(D)));
    // A second one joins while the first runs, and its first packet is far off.
    assert_eq!(guards.join(GUARD, id(2), us(5_000_250)), Verdict::Keep);
    assert_eq!(send(&mut guards, 1, 5_000_250, Some(D)), stored(us(5_000_250) + D - margin(D)));
    assert_eq!(send(&mut guards, 2, 5_000_260, Some(SLOW)), Verdict::Keep);
    // The first goes down: its next packet, at its old pace, says so.
    assert_eq!(send(&mut guards, 1, 5_000_500, None), stored(us(5_000_260) + SLOW - margin(SLOW)));
    assert_eq!(guards.look(GUARD, us(5_900_000)), Verdict::Keep);
    assert_eq!(guards.leave(GUARD, id(2), us(6_000_000)), stored(OPEN));
    assert_eq!(guards.look(GUARD, us(60_000_000)), Verdict::Keep);
}

#[test]
fn a_guard_that_a_session_joins_later_has_its_promise_at_once() {
    const OTHER: u32 = 4;
    let mut guards = with(&[1]);
    send(&mut guards, 1, 0, Some(D));
    assert_eq!(guards.join(OTHER, id(1), us(10)), stored(us(0) + D - margin(D)));
    assert_eq!(guards.join(OTHER, id(1), us(10)), Verdict::Keep, "it is in it");
    assert_eq!(guards.leave(GUARD, id(1), us(20)), stored(OPEN));
    assert_eq!(guards.look(OTHER, us(800)), Verdict::Lapsed);
}

#[test]
fn a_slower_pace_begins_with_the_packet_that_promises_more() {
    let mut guards = with(&[1]);
    send(&mut guards, 1, 0, Some(D));
    assert_eq!(send(&mut guards, 1, 250, Some(SLOW)), stored(us(250) + SLOW - margin(SLOW)));
    assert_eq!(guards.look(GUARD, us(1_000_000)), Verdict::Keep);
    assert_eq!(send(&mut guards, 1, 1_000_000, Some(D)), stored(us(1_000_000) + D - margin(D)));
}

#[test]
fn a_change_that_is_told_beside_the_pace_shortens_the_promise_at_once() {
    let mut guards = with(&[1]);
    send(&mut guards, 1, 0, Some(SLOW));
    let tighten = |guards: &mut Promises, at| guards.tighten(GUARD, id(1), us(at), D, us(at + 1));
    assert_eq!(tighten(&mut guards, 900_000), stored(us(900_000) + D - margin(D)));
    assert_eq!(tighten(&mut guards, 900_100), Verdict::Keep, "it does not lengthen it");
    assert_eq!(send(&mut guards, 1, 900_250, Some(D)), stored(us(900_250) + D - margin(D)));
}

#[test]
fn a_packet_that_leaves_late_does_not_bring_a_guard_back() {
    let mut guards = with(&[1]);
    send(&mut guards, 1, 0, Some(D));
    // Read in time, stopped, sent after the promise ran out.
    assert_eq!(guards.sent(GUARD, id(1), us(700), Some(D), us(727)), Verdict::Lapsed);
    assert_eq!(send(&mut guards, 1, 950, Some(D)), Verdict::Keep, "until the election has stepped down");
    assert_eq!(guards.look(GUARD, us(1000)), Verdict::Keep, "told once");
    assert_eq!(guards.rearm(GUARD, us(1010)), stored(us(950) + D - margin(D)));
    assert_eq!(send(&mut guards, 1, 1200, Some(D)), stored(us(1200) + D - margin(D)));
    assert_eq!(guards.rearm(GUARD, us(1210)), Verdict::Keep, "nothing to acknowledge");
}

#[test]
fn a_packet_that_left_in_time_counts_whenever_that_is_noted() {
    let mut guards = with(&[1]);
    send(&mut guards, 1, 0, Some(D));
    assert_eq!(guards.sent(GUARD, id(1), us(720), Some(D), us(726)), stored(us(720) + D - margin(D)));
}

#[test]
fn a_silent_session_lapses_the_guard_that_others_keep_renewing() {
    let mut guards = with(&[1, 2]);
    send(&mut guards, 1, 0, Some(D));
    send(&mut guards, 2, 0, Some(D));
    // The packets of session 2 do not leave any more.
    assert_eq!(send(&mut guards, 1, 250, Some(D)), Verdict::Keep);
    assert_eq!(send(&mut guards, 1, 500, Some(D)), Verdict::Keep);
    assert_eq!(send(&mut guards, 1, 750, Some(D)), Verdict::Lapsed);
    // Its neighbour has given up on this node: the promise is no more, until a packet leaves again.
    assert_eq!(guards.rearm(GUARD, us(800)), stored(us(750) + D - margin(D)));
}

#[test]
fn a_session_that_stops_within_its_promise_opens_the_guard_and_one_beyond_does_not() {
    for (at, verdict) in [(700, stored(OPEN)), (727, Verdict::Lapsed)] {
        let mut guards = with(&[1]);
        send(&mut guards, 1, 0, Some(D));
        assert_eq!(guards.silence(GUARD, id(1), us(at)), verdict);
    }
    let mut guards = with(&[1]);
    send(&mut guards, 1, 0, Some(D));
    assert_eq!(guards.leave(GUARD, id(1), us(727)), Verdict::Lapsed);
    assert_eq!(guards.rearm(GUARD, us(800)), stored(OPEN));
}

#[test]
fn a_guard_that_the_datapath_has_ended_is_in_force_again_only_when_it_is_re_armed() {
    let mut guards = with(&[1]);
    send(&mut guards, 1, 0, Some(D));
    assert_eq!(send(&mut guards, 1, 250, Some(D)), stored(us(250) + D - margin(D)));
    // That store finds it ended.
    guards.ended(GUARD);
    assert_eq!(send(&mut guards, 1, 500, Some(D)), Verdict::Keep);
    assert_eq!(guards.rearm(GUARD, us(510)), stored(us(500) + D - margin(D)));
    guards.ended(MAX_GUARDS);
}

#[test]
fn a_guard_is_reopened_before_its_routers_have_stepped_down_and_the_answer_is_still_due() {
    let mut guards = with(&[1]);
    send(&mut guards, 1, 0, Some(D));
    assert_eq!(guards.look(GUARD, us(800)), Verdict::Lapsed);
    // Not by force: the datapath may have ended it in between, which the store finds out.
    assert_eq!(guards.reopen(GUARD, us(810)), stored(OPEN));
    send(&mut guards, 1, 1000, Some(D));
    assert_eq!(guards.look(GUARD, us(1800)), Verdict::Lapsed);
    assert_eq!(guards.rearm(GUARD, us(1810)), Verdict::Keep, "that is the answer to the first lapse");
    assert_eq!(guards.rearm(GUARD, us(1820)), stored(OPEN));
}

#[test]
fn one_that_is_reopened_before_its_lapse_was_found_owes_no_answer() {
    let mut guards = with(&[1]);
    send(&mut guards, 1, 0, Some(D));
    assert_eq!(guards.reopen(GUARD, us(800)), stored(OPEN));
    assert_eq!(guards.look(GUARD, us(810)), Verdict::Keep);
    guards.ended(GUARD);
    assert_eq!(guards.rearm(GUARD, us(820)), stored(OPEN));
}

/// The election may have answered the first lapse, and taken over, before the neighbour said that it had given this node up.
#[test]
fn one_that_is_ended_while_a_lapse_is_answered_waits_for_another_answer() {
    let mut guards = with(&[1]);
    send(&mut guards, 1, 0, Some(D));
    assert_eq!(guards.look(GUARD, us(800)), Verdict::Lapsed);
    guards.ended(GUARD);
    assert_eq!(guards.rearm(GUARD, us(820)), Verdict::Keep);
    assert_eq!(guards.rearm(GUARD, us(830)), stored(OPEN));
    // Ended as it is re-armed, which the store finds out.
    guards.ended(GUARD);
    assert_eq!(guards.rearm(GUARD, us(840)), stored(OPEN));
}

#[test]
fn guards_beyond_the_map_are_nothing() {
    let mut guards = with(&[1]);
    assert_eq!(guards.join(MAX_GUARDS, id(1), us(0)), Verdict::Keep);
    assert_eq!(guards.sent(MAX_GUARDS, id(1), us(0), Some(D), us(0)), Verdict::Keep);
}

/// One step: how much later, to which guard, by which session, what, and how soon the neighbour gives up after it.
fn steps() -> impl Strategy<Value = Vec<(u64, u32, u32, u8, u64)>> {
    let guards = prop::sample::select(vec![0, 1, 2, 3, MAX_GUARDS - 1, MAX_GUARDS]);
    prop::collection::vec((0..400_u64, guards, 1..4_u32, 0..9_u8, 0..2_000_u64), 1..200)
}

proptest! {
    /// The guard that lapses next is found without a search, and is the one that a search finds.
    #[test]
    fn the_next_lapse_is_the_least_of_all(steps in steps()) {
        let mut guards = Promises::default();
        let mut now = us(0);
        for (later, guard, session, what, after) in steps {
            let (at, session) = (now, id(session));
            now = at + Duration::from_micros(later);
            let after = Duration::from_micros(after);
            let _: Verdict = match what {
                0 => guards.join(guard, session, now),
                1 => guards.leave(guard, session, now),
                2 | 3 => guards.sent(guard, session, at, Some(after), now),
                4 => guards.sent(guard, session, at, None, now),
                5 => guards.tighten(guard, session, at, after, now),
                6 => guards.silence(guard, session, now),
                7 => guards.rearm(guard, now),
                _ if after.as_micros().is_multiple_of(2) => guards.look(guard, now),
                _ if after.as_micros().is_multiple_of(3) => guards.reopen(guard, now),
                _ => {
                    guards.ended(guard);
                    Verdict::Lapsed
                }
            };
            let lapses = |guard: &Guard| guard.stored.filter(|_| !guard.lapsed);
            prop_assert_eq!(guards.next_lapse(), guards.guards.iter().filter_map(lapses).min());
            for by in [at, now, now + Duration::from_micros(300)] {
                let lapsed = guards.guards.iter().any(|guard| lapses(guard).is_some_and(|at| at <= by));
                let found = guards.lapsed_by(by);
                prop_assert_eq!(found.is_some(), lapsed);
                let found = found.map(|number| &guards.guards[number as usize]);
                prop_assert!(found.is_none_or(|guard| lapses(guard) == guards.next_lapse()));
            }
        }
    }
}
