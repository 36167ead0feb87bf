//! One failover, measured at both nodes: when the old owner ceased to own the address, and when the new one began.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::Result;
use serde_json::Value;

use super::{
    fault::Fault,
    lease_watch::LeaseWatch,
    run::wait_armed,
    sample::Record,
    setting::{Setting, VIP},
};
use crate::{
    client::{Answer, ArpProber, Capture, Mac, Prober},
    lab::{Lan, Pair, Software, hadp_status},
    witness::{Witness, nanos},
};

/// How often the client asks by ARP, through everything.
const ASKING: Duration = Duration::from_millis(1);
/// How long daemons that were stopped stay so.
const STOPPED: Duration = Duration::from_secs(2);
/// When the failover is over for certain: a daemon that is started again takes longer.
const TAKEN_OVER: Duration = Duration::from_millis(80);
/// How long is looked at what comes after: daemons that were killed are back, and have preempted their successors.
const AFTERMATH: Duration = Duration::from_secs(1);
/// An owner that is another one for less than this, two requests, and then itself again, was never the only one: it takes
/// the old owner longer to be well again, and to preempt its successor.
const FLICKER: Duration = Duration::from_micros(2500);

/// What happened in one failover, in nanoseconds since the fault where it is a time.
#[derive(Clone, Debug, Default)]
pub(super) struct Owned {
    /// How long the client had no answer to its probes.
    pub(super) outage: Duration,
    /// When both nodes' leases were read to be in force at once.
    pub(super) both: Option<String>,
    /// Where the answers went to the other node, and back within [`FLICKER`].
    pub(super) back_and_forth: Option<String>,
    /// How often the answers changed from one to the other, in the whole time.
    pub(super) moves: usize,
    pub(super) stall: Duration,
    /// When the old owner last answered before the successor did.
    pub(super) last_old: Option<i64>,
    /// When it ceased to own the address: its lease or its guard ran out, or was revoked. The latest that it may have been,
    /// and the earliest.
    pub(super) lapse: Option<i64>,
    pub(super) lapse_earliest: Option<i64>,
    /// The successor's decision, its store, and its first answer.
    pub(super) decided: Option<i64>,
    pub(super) stored: Option<i64>,
    pub(super) first_new: Option<i64>,
}

impl Owned {
    /// Returns for how long at least nobody owned the address; negative if two may have.
    pub(super) fn margin(&self) -> Option<i64> {
        Some(self.stored? - self.lapse?)
    }

    /// Tells whether both owned the address at once, for certain: both leases were in force when they were read, or the
    /// successor stored its lease before the old owner ceased to own the address.
    pub(super) fn two_owners(&self) -> bool {
        let stored_early =
            matches!((self.stored, self.lapse_earliest), (Some(stored), Some(lapse)) if stored < lapse);
        stored_early || self.both.is_some()
    }
}

/// Lets the fault happen to hadp, at `phase` between two adverts.
///
/// # Errors
///
/// When there is no failover to measure.
pub(super) fn measure(setting: &Setting, fault: Fault, phase: f64, witness: &Witness) -> Result<Owned> {
    let lan = Lan::new(2)?;
    let (n1, n2) = lan.pair()?;
    let files = [
        n1.write("daemon.conf", &setting.conf(0, Software::Hadp))?,
        n2.write("daemon.conf", &setting.conf(1, Software::Hadp))?,
    ];
    let mut pair = Pair::start(&lan, Software::Hadp, files.each_ref().map(|file| file.as_path()))?;
    pair.wait_elected(&lan, VIP)?;
    let prober = Prober::start(lan.client(), VIP, setting.probe)?;
    prober.wait_served(Duration::from_secs(15))?;
    let capture = Capture::start(lan.client())?;
    let asker = ArpProber::start(lan.client(), VIP, ASKING)?;
    thread::sleep(Duration::from_millis(200));
    if setting.bfd_us.is_some() {
        wait_armed([n1, n2])?;
    }
    let watch = LeaseWatch::start([n1, n2])?;
    capture.wait_next(Duration::from_millis(500))?;
    let at = Instant::now() + setting.interval.mul_f64(phase);

    let [ordered, happened] = fault.befall(at, &mut pair, n1, &files)?;
    // Before anything else can make the successor take over again.
    thread::sleep(TAKEN_OVER);
    let status = hadp_status(n2)?;
    if fault == Fault::Stop {
        thread::sleep(STOPPED);
        pair.first.thaw_all()?;
    }
    thread::sleep(AFTERMATH);
    let watched = watch.end()?;
    let (answers, mut report) = (asker.answers(), prober.stop());
    // What comes later, such as a preemption, is another story.
    report.probes.retain(|probe| probe.at <= happened + TAKEN_OVER);
    let (old, new) = (Mac(n1.mac()), Mac(n2.mac()));
    let record =
        Record { report: &report, answers: &answers, probing: setting.probe, old, new, ordered, happened };
    record.is_failover(fault)?;

    let at = nanos(record.fault());
    let since = |then: u64| then.cast_signed() - at.cast_signed();
    let number = |name: &str| status.pointer(&format!("/routers/0/takeover/{name}")).and_then(Value::as_u64);
    let decided = number("decided_ns").filter(|decided| *decided >= nanos(ordered));
    let answers: Vec<Answer> = answers.iter().filter(|answer| answer.at > ordered).copied().collect();
    let first_new = answers.iter().find(|answer| answer.mac == new).map(|answer| answer.at);
    let stored = decided.and_then(|decided| Some(decided + number("stored_after_ns")?));
    // One that answered earlier has taken over since once more: that is not the takeover to be measured.
    let first = first_new.map_or(u64::MAX, nanos);
    let (decided, stored) = (decided.filter(|ns| *ns <= first), stored.filter(|ns| *ns <= first));
    let of_old = |answer: &&Answer| answer.mac == old && first_new.is_none_or(|first| answer.at < first);
    let sample = record.sample(witness);
    let lapse = watched.lapse(nanos(ordered))?;
    Ok(Owned {
        outage: sample.outage,
        stall: sample.stall,
        both: watched.both().map(|(first, last, count)| {
            let millis = |ns| since(ns) as f64 / 1e6;
            format!("read {count} times from {:.3} to {:.3} ms", millis(first), millis(last))
        }),
        back_and_forth: back_and_forth(&answers, record.fault()),
        moves: moves(&answers).len(),
        last_old: answers.iter().rfind(of_old).map(|answer| since(nanos(answer.at))),
        lapse: lapse.map(|lapse| since(lapse.latest)),
        lapse_earliest: lapse.map(|lapse| since(lapse.earliest)),
        decided: decided.map(since),
        stored: stored.map(since),
        first_new: first_new.map(|first| since(nanos(first))),
    })
}

/// Returns the answers that came from another machine than the one before.
fn moves(answers: &[Answer]) -> Vec<Answer> {
    let pairs = answers.windows(2);
    pairs
        .filter_map(|pair| <[Answer; 2]>::try_from(pair).ok())
        .filter(|[a, b]| a.mac != b.mac)
        .map(|[_, b]| b)
        .collect()
}

/// Returns where one answered, then the other one, and then the first one again at once.
fn back_and_forth(answers: &[Answer], fault: Instant) -> Option<String> {
    let flickers = flickers(answers).into_iter().map(|[there, back]| {
        let millis = |at: Instant| at.saturating_duration_since(fault).as_secs_f64() * 1e3;
        format!("{} {:.2} ms, {} {:.2} ms", there.mac, millis(there.at), back.mac, millis(back.at))
    });
    let flickers: Vec<String> = flickers.collect();
    (!flickers.is_empty()).then(|| flickers.join("; "))
}

/// Returns where one answered, then the other one, and then the first one again: the first answers of the last two.
fn flickers(answers: &[Answer]) -> Vec<[Answer; 2]> {
    let moves = moves(answers);
    let pairs = moves.windows(2).filter_map(|pair| <[Answer; 2]>::try_from(pair).ok());
    pairs.filter(|[there, back]| back.at - there.at < FLICKER).collect()
}

/// Returns for how long two answered in turn. One that takes over and is preempted again does not.
pub(super) fn both(answers: &[Answer]) -> Duration {
    match flickers(answers).as_slice() {
        [] => Duration::ZERO,
        [[first, _], .., [_, last]] | [[first, last]] => last.at - first.at,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answers(picture: &str) -> (Instant, Vec<Answer>) {
        let start = Instant::now();
        let answer = |(ms, who): (usize, char)| Answer {
            at: start + Duration::from_millis(ms as u64),
            mac: Mac([0, 0, 0, 0, 0, u8::from(who == 'b')]),
        };
        (start, picture.chars().enumerate().map(answer).collect())
    }

    #[test]
    fn answers_that_go_over_and_back_at_once_are_seen() {
        for (picture, moved, two) in
            [("aaa", 0, false), ("aabb", 1, false), ("aabbbbaa", 2, false), ("aababb", 3, true)]
        {
            let (start, answers) = answers(picture);
            assert_eq!(
                (moves(&answers).len(), back_and_forth(&answers, start).is_some()),
                (moved, two),
                "{picture}"
            );
        }
    }
}
