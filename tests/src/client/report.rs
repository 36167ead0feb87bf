//! What came of a series of probes.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use super::Mac;

/// One probe.
#[derive(Clone, Copy, Debug)]
pub struct Probe {
    /// When it was sent.
    pub at: Instant,
    /// Who answered, if anybody.
    pub answered_by: Option<Mac>,
    /// When the answer came.
    pub answered_at: Option<Instant>,
}

/// One ARP frame, gratuitous or an answer, in which a node claimed the address.
#[derive(Clone, Copy, Debug)]
pub struct Claim {
    /// When it came.
    pub at: Instant,
    /// Where it says the address is.
    pub mac: Mac,
}

/// All probes in the order of sending, and all claims heard.
#[derive(Clone, Debug)]
pub struct Report {
    /// The probes.
    pub probes: Vec<Probe>,
    /// The claims.
    pub claims: Vec<Claim>,
}

/// The longest time without an answer.
#[derive(Clone, Debug)]
pub struct Outage {
    /// The last probe before it that was answered.
    pub from: Instant,
    /// The first probe after it that was answered; `None` if the address never came back.
    pub until: Option<Instant>,
    /// How long it took, from the one to the other; to the last probe if it did not end.
    pub duration: Duration,
    /// How many probes were lost in it.
    pub lost: usize,
}

impl Report {
    /// Returns the longest outage that ended after `fault`, or `None` if every probe around it was answered.
    ///
    /// Measured between the sending times of two answered probes with lost ones between them: a probe that this machine
    /// was too busy to send is no outage.
    pub fn outage(&self, fault: Instant) -> Option<Outage> {
        let mut longest: Option<Outage> = None;
        let mut keep = |outage: Outage| {
            if outage.lost > 0 && longest.as_ref().is_none_or(|longest| longest.duration < outage.duration) {
                longest = Some(outage);
            }
        };
        let (mut from, mut lost) = (self.probes.first()?.at, 0);
        for probe in &self.probes {
            if probe.answered_by.is_none() {
                lost += 1;
                continue;
            }
            if probe.at > fault {
                keep(Outage { from, until: Some(probe.at), duration: probe.at - from, lost });
            }
            (from, lost) = (probe.at, 0);
        }
        let end = self.probes.last()?.at;
        if end > fault {
            keep(Outage { from, until: None, duration: end - from, lost });
        }
        longest
    }

    /// Returns who answered the probes that were sent since `start`.
    pub fn answering_since(&self, start: Instant) -> BTreeSet<Mac> {
        self.probes.iter().filter(|probe| probe.at >= start).filter_map(|probe| probe.answered_by).collect()
    }

    /// Returns how many of the probes sent since `start` were lost.
    pub fn lost_since(&self, start: Instant) -> usize {
        self.probes.iter().filter(|probe| probe.at >= start && probe.answered_by.is_none()).count()
    }

    /// Returns how many probes were lost.
    pub fn lost(&self) -> usize {
        self.probes.iter().filter(|probe| probe.answered_by.is_none()).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NODE: Mac = Mac([2, 0, 10, 77, 0, 1]);

    /// One probe per millisecond; `.` is answered, `x` is lost.
    fn report(start: Instant, picture: &str) -> Report {
        let probes = picture.chars().enumerate().map(|(ms, what)| Probe {
            at: start + Duration::from_millis(ms as u64),
            answered_by: (what == '.').then_some(NODE),
            answered_at: None,
        });
        Report { probes: probes.collect(), claims: vec![] }
    }

    #[test]
    fn the_outage_is_the_longest_gap_that_ends_after_the_fault() {
        let start = Instant::now();
        #[rustfmt::skip]
        let table = [
            // probes             fault  (ms, lost, ended)
            ("..........",        2,     None),
            ("...xx.....",        2,     Some((3, 2, true))),
            (".xxxxx...x..",      7,     Some((2, 1, true))),  // the long one was over before
            ("..x..xxx..x.",      1,     Some((4, 3, true))),
            ("....xxx",           4,     Some((3, 3, false))), // never came back
        ];
        for (picture, fault, expected) in table {
            let outage = report(start, picture).outage(start + Duration::from_millis(fault));
            let got = outage.map(|outage| (outage.duration.as_millis(), outage.lost, outage.until.is_some()));
            assert_eq!(got, expected, "{picture}");
        }
    }
}
