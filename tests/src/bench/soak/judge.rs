//! What a client saw in a soak, beside what had been done.

use std::time::{Duration, Instant};

use super::befall::{Fault, Kind, LASTS};
use crate::client::Mac;

/// How long after a fault has come, or passed, the owner may change.
const CONSEQUENCE: Duration = Duration::from_millis(1200);
/// For how long before a change without a fault the machine is looked at: what a lease that ran out in a stall sets going, there
/// and back, is over by then.
pub(super) const LOOK_BACK: Duration = Duration::from_millis(300);
/// An owner that is another one for less than this and then itself again was never the only one.
const FLICKER: Duration = Duration::from_millis(5);
/// How long two that were cut off from each other may take to agree, and how late a fault is noted.
const HEALING: Duration = Duration::from_millis(20);

/// The answers came from another machine than before.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Change {
    pub(super) at: Instant,
    pub(super) old: Mac,
    pub(super) new: Mac,
}

/// What was seen.
#[derive(Clone, Debug, Default)]
pub(super) struct Verdict {
    pub(super) changes: usize,
    /// Changes that no fault explains, but that the machine itself stood still for longer than a lease is sure to last.
    pub(super) stalled: Vec<Change>,
    /// Changes that nothing explains.
    pub(super) unexplained: Vec<Change>,
    /// The beginnings of times in which two answered by turns, with a fault as the only reason that could be.
    pub(super) flickers: Vec<Change>,
    /// How often that was the time in which two that had been cut off from each other had yet to hear each other.
    pub(super) healed: usize,
    /// The longest time without an answer.
    pub(super) longest: Duration,
}

impl Verdict {
    /// Judges the answers of a run; `stalled` tells whether, shortly before a time, a processor stood still for longer than this
    /// machine can without losing a lease.
    ///
    /// A stall excuses a change and the way back, no more.
    pub(super) fn of(
        answers: &[(Instant, Mac)],
        faults: &[Fault],
        stalled: impl Fn(Instant, Mac) -> bool,
    ) -> Self {
        let mut verdict = Self::default();
        let mut changes: Vec<Change> = Vec::new();
        for pair in answers.windows(2) {
            let [(before, old), (at, new)] = *pair else { continue };
            verdict.longest = verdict.longest.max(at - before);
            if old != new {
                changes.push(Change { at, old, new });
            }
        }
        for pair in changes.windows(2) {
            let [first, second] = pair else { continue };
            if first.old == second.new && second.at - first.at < FLICKER {
                if heals(first.at, faults) {
                    verdict.healed += 1;
                } else {
                    verdict.flickers.push(*first);
                }
            }
        }
        verdict.changes = changes.len();
        for change in changes.into_iter().filter(|change| !explained(change, faults)) {
            let lately = |other: &&Change| change.at - other.at < LOOK_BACK;
            let few = verdict.stalled.iter().rev().take_while(lately).count() < 2;
            let excused = few && stalled(change.at, change.old);
            if excused { verdict.stalled.push(change) } else { verdict.unexplained.push(change) }
        }
        verdict
    }
}

/// Tells whether a fault explains a change: one of the two was befallen. What befalls a third one is no reason.
fn explained(change: &Change, faults: &[Fault]) -> bool {
    let Change { at, old, new } = *change;
    faults.iter().any(|fault| {
        let concerned = fault.victim == old || fault.victim == new;
        let came = at >= fault.came && at < fault.came + LASTS + CONSEQUENCE;
        let passed = at >= fault.passing && at < fault.passed + CONSEQUENCE;
        concerned && (came || passed)
    })
}

/// Tells whether two that could not hear each other have just begun to: both answer until the first advert gets through.
fn heals(at: Instant, faults: &[Fault]) -> bool {
    let cut = faults.iter().filter(|fault| fault.kind == Kind::Silent);
    cut.into_iter().any(|fault| at >= fault.passing && at < fault.passed + HEALING)
}

/// Returns the last fault before a time, and how long after its beginning and its end that was.
pub(super) fn relative(at: Instant, faults: &[Fault]) -> String {
    let Some(fault) = faults.iter().rev().find(|fault| fault.came <= at) else {
        return "before the first fault".to_owned();
    };
    let millis = |since: Instant| at.saturating_duration_since(since).as_secs_f64() * 1e3;
    let Fault { kind, victim, came, passing, .. } = *fault;
    let passed =
        if at >= passing { format!(", {:.1} ms after it passed", millis(passing)) } else { String::new() };
    format!("{:.1} ms after {kind:?} befell {victim}{passed}", millis(came))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NODES: [Mac; 3] = [Mac([1; 6]), Mac([2; 6]), Mac([3; 6])];

    /// One answer a millisecond, by the node with this number.
    fn answers(start: Instant, picture: &str) -> Vec<(Instant, Mac)> {
        let node = |who: char| NODES[who as usize - '1' as usize];
        let at = |ms: usize| start + Duration::from_millis(ms as u64);
        picture.chars().enumerate().map(|(ms, who)| (at(ms), node(who))).collect()
    }

    fn fault(start: Instant, kind: Kind, victim: Mac, came: u64, passing: u64) -> Fault {
        let at = |ms| start + Duration::from_millis(ms);
        Fault { kind, victim, came: at(came), passing: at(passing), passed: at(passing + 1) }
    }

    #[test]
    fn a_change_is_explained_by_what_befell_one_of_the_two() {
        let start = Instant::now();
        let [n1, _, n3] = NODES;
        let seen = answers(start, "1112222");
        #[rustfmt::skip]
        let table = [
            (vec![],                                    1),
            (vec![fault(start, Kind::Kill, n1, 2, 9)],  0),
            (vec![fault(start, Kind::Kill, n3, 2, 9)],  1), // a bystander
            (vec![fault(start, Kind::Kill, n1, 5, 9)],  1), // later
        ];
        for (faults, unexplained) in table {
            let verdict = Verdict::of(&seen, &faults, |_, _| false);
            assert_eq!(verdict.unexplained.len(), unexplained, "{faults:?}");
        }
    }

    #[test]
    fn a_stall_excuses_a_change_and_the_way_back() {
        let start = Instant::now();
        let [n1, n2, _] = NODES;
        for (picture, excused, unexplained) in [("1112222", 1, 0), ("1112221", 2, 0), ("1122112211", 2, 2)] {
            let seen = answers(start, picture);
            let verdict = Verdict::of(&seen, &[], |_, _| true);
            assert_eq!(
                (verdict.stalled.len(), verdict.unexplained.len()),
                (excused, unexplained),
                "{picture}"
            );
            let others = Verdict::of(&seen, &[], |_, old| ![n1, n2].contains(&old));
            assert_eq!((others.stalled.len(), others.unexplained.len()), (0, excused + unexplained));
        }
    }

    #[test]
    fn two_that_answer_by_turns_are_found() {
        let start = Instant::now();
        let faults = [fault(start, Kind::Silent, NODES[0], 0, 8)];
        let verdict = Verdict::of(&answers(start, "1121122222122"), &faults, |_, _| false);
        assert_eq!((verdict.flickers.len(), verdict.healed, verdict.changes), (2, 1, 5));
        assert_eq!(relative(verdict.flickers[0].at, &faults), "2.0 ms after Silent befell 01:01:01:01:01:01");
    }
}
