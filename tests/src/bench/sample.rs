//! What one failover did to the client, and whether the machine stood still meanwhile.

use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};

use super::{fault::Fault, owned::both};
use crate::{
    client::{Answer, Mac, Report},
    witness::Witness,
};

/// A run is quiet if no processor stood still for longer than this near its fault and near its takeover.
pub(super) const QUIET: Duration = Duration::from_micros(200);
/// What is near: so long before the fault, when the last heartbeat left; after it; and before the successor's first answer,
/// when it decided. The same for both programs, whatever lies between.
const BEFORE_FAULT: Duration = Duration::from_millis(1);
const NEAR: Duration = Duration::from_millis(3);
/// For how long before the fault nobody but the old owner may have answered.
const ALONE: Duration = Duration::from_millis(20);

/// The rule as reports state it.
pub(super) const RULE: &str = "`quiet` runs are those in which no processor stood still for longer than 200 us between 1 ms \
     before the fault and 3 ms after it, and in the 3 ms before the successor's first answer. The rule is the same for both \
     programs. A pause in the client's probes counts like a processor that stands still. `stall` is the longest between the fault \
     and that answer.";

/// What one failover did to the client, and how the successor went about it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sample {
    /// The longest time without answers; zero if every probe was answered.
    pub(super) outage: Duration,
    /// How many probes were lost.
    pub(super) lost: usize,
    /// Whether the address was served at the end.
    pub(super) recovered: bool,
    /// For how long both machines answered ARP requests in turn.
    pub(super) both: Duration,
    /// How many machines answered at the end.
    pub(super) answering: usize,
    /// The longest time that a processor stood still, or the client did not probe, between the fault and the successor's
    /// first answer.
    pub(super) stall: Duration,
    /// Whether none did near the fault and near the takeover.
    pub(super) quiet: bool,
    /// From the fault to the successor's decision; and from there on, hadp's successor only.
    pub(super) decided: Option<Duration>,
    pub(super) stored: Option<Duration>,
    pub(super) advertised: Option<Duration>,
    pub(super) placed: Option<Duration>,
    pub(super) answered: Option<Duration>,
    pub(super) announced: Option<Duration>,
    pub(super) first_garp: Option<Duration>,
    pub(super) last_garp: Option<Duration>,
    /// The longest time between two of the successor's adverts, while it announces.
    pub(super) advert_gap: Option<Duration>,
}

/// A step of a failover, by what it is called and where it is in a sample.
pub(super) type Step = (&'static str, fn(&Sample) -> Option<Duration>);

/// What the client has recorded of one failover.
pub(super) struct Record<'a> {
    pub(super) report: &'a Report,
    pub(super) answers: &'a [Answer],
    /// How often the client probes.
    pub(super) probing: Duration,
    /// Who should have been the owner until the fault, and who after it.
    pub(super) old: Mac,
    pub(super) new: Mac,
    /// When the fault was ordered, and when it had happened for certain.
    pub(super) ordered: Instant,
    pub(super) happened: Instant,
}

impl Record<'_> {
    /// Makes sure that the one that failed was the one that served.
    ///
    /// # Errors
    ///
    /// When it was not, so that there was no failover to measure.
    pub(super) fn is_failover(&self, fault: Fault) -> Result<()> {
        let before = |at: Instant| at <= self.ordered && at + ALONE > self.ordered;
        let probed = self.report.probes.iter().rev().find(|probe| probe.at <= self.ordered);
        match probed.map(|probe| probe.answered_by) {
            None => bail!("no probe was sent before the fault"),
            Some(None) => bail!("the last probe before the fault was lost"),
            Some(Some(by)) => ensure!(by == self.old, "{by} served before the fault, not {}", self.old),
        }
        let claimed = self.answers.iter().filter(|answer| before(answer.at)).map(|answer| answer.mac);
        let probed =
            self.report.probes.iter().filter(|probe| before(probe.at)).filter_map(|probe| probe.answered_by);
        if let Some(other) = claimed.chain(probed).find(|mac| *mac != self.old) {
            bail!("{other} answered too before the fault");
        }
        if fault.cuts() {
            let Some(outage) = self.report.outage(self.ordered) else {
                bail!("nothing was lost: another one served when the line was cut");
            };
            let last = self.report.probes.iter().find(|probe| probe.at == outage.from);
            ensure!(
                last.is_some_and(|probe| probe.answered_by == Some(self.old)),
                "another one served when the line was cut"
            );
        }
        Ok(())
    }

    /// Returns when the fault took effect: when it had happened for certain or, if that was earlier, when the last
    /// probe was sent that the old owner answered, or ARP request answered by it. A command that cuts a line takes milliseconds, and does it somewhere in them.
    pub(super) fn fault(&self) -> Instant {
        let probes = self.report.probes.iter().rev();
        let served = probes.filter(|probe| probe.answered_by == Some(self.old)).map(|probe| probe.at).next();
        let answers = self.answers.iter().rev();
        let answered = answers.filter(|answer| answer.mac == self.old).map(|answer| answer.at).next();
        let last = served.max(answered);
        last.map_or(self.happened, |last| last.min(self.happened)).max(self.ordered)
    }

    /// Returns the first ARP answer of the successor.
    pub(super) fn first_answer(&self) -> Option<Instant> {
        self.answers
            .iter()
            .find(|answer| answer.at > self.ordered && answer.mac == self.new)
            .map(|answer| answer.at)
    }

    /// Returns for how much longer than it should the client did not probe in this time: what it did not ask it cannot miss.
    fn pause(&self, from: Instant, to: Instant) -> Duration {
        let times =
            self.report.probes.windows(2).filter_map(|pair| Some((pair.first()?.at, pair.last()?.at)));
        let within = times.filter(|(before, after)| *before <= to && *after >= from);
        within.map(|(before, after)| (after - before).saturating_sub(self.probing)).max().unwrap_or_default()
    }

    /// Returns what the client had of it.
    pub(super) fn sample(&self, witness: &Witness) -> Sample {
        let outage = self.report.outage(self.ordered);
        let probes = self.report.probes.iter().filter(|probe| probe.at > self.ordered);
        let served = probes
            .clone()
            .find(|probe| probe.answered_by == Some(self.new))
            .and_then(|probe| probe.answered_at);
        let end =
            served.or_else(|| probes.clone().next_back().map(|probe| probe.at)).unwrap_or(self.happened);
        let begin = self.fault().checked_sub(BEFORE_FAULT).unwrap_or(self.ordered);
        let stall = |from, to| witness.longest(from, to).max(self.pause(from, to));
        let near_fault = stall(begin, end.min(self.fault() + NEAR));
        let near_takeover = stall(end.checked_sub(NEAR).map_or(begin, |near| near.max(begin)), end);
        Sample {
            outage: outage.as_ref().map_or(Duration::ZERO, |outage| outage.duration),
            lost: self.report.lost_since(self.ordered),
            recovered: outage.is_none_or(|outage| outage.until.is_some()),
            both: both(self.answers),
            stall: stall(begin, end),
            quiet: near_fault.max(near_takeover) <= QUIET,
            ..Sample::default()
        }
    }
}
