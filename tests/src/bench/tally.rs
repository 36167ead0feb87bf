//! Runs of one measurement: those that were measured, and what became of the others.

use std::collections::BTreeMap;

use anyhow::Result;

use super::brief::brief;

/// How often a run is tried before it counts as not measured.
const TRIES: usize = 4;

/// What came of a number of runs.
#[derive(Clone, Debug)]
pub(super) struct Tally<T> {
    /// The runs that were measured.
    pub(super) measured: Vec<T>,
    /// How many there should have been.
    pub(super) runs: usize,
    /// How many tries were no measurement, by the reason.
    reasons: BTreeMap<String, usize>,
}

impl<T> Default for Tally<T> {
    fn default() -> Self {
        Self { measured: Vec::new(), runs: 0, reasons: BTreeMap::new() }
    }
}

impl<T> Tally<T> {
    /// Measures one run, tried again while it is no measurement; `what` says on standard error which one it is.
    pub(super) fn run(what: &str, measure: impl Fn() -> Result<T>) -> Self {
        Self::tried(what, TRIES, measure)
    }

    /// Measures one run as it comes.
    pub(super) fn once(what: &str, measure: impl Fn() -> Result<T>) -> Self {
        Self::tried(what, 1, measure)
    }

    /// A run that was not tried, since none before it came about.
    pub(super) fn not_tried() -> Self {
        Self { runs: 1, ..Self::default() }
    }

    fn tried(what: &str, tries: usize, measure: impl Fn() -> Result<T>) -> Self {
        let mut tally = Self { runs: 1, ..Self::default() };
        for _ in 0..tries {
            match measure() {
                Ok(measured) => {
                    tally.measured.push(measured);
                    return tally;
                }
                Err(error) => {
                    let why = brief(&error);
                    eprintln!("{what}: not ready: {why}");
                    *tally.reasons.entry(why).or_default() += 1;
                }
            }
        }
        tally
    }

    /// Adds other runs of the same measurement.
    pub(super) fn add(&mut self, other: Self) {
        self.measured.extend(other.measured);
        self.runs += other.runs;
        for (why, times) in other.reasons {
            *self.reasons.entry(why).or_default() += times;
        }
    }

    /// Returns how many runs were measured, as `6 of 7`.
    pub(super) fn count(&self) -> String {
        format!("{} of {}", self.measured.len(), self.runs)
    }

    /// Returns what became of the other tries, or `None` if there were none.
    pub(super) fn excuses(&self) -> Option<String> {
        let tries: usize = self.reasons.values().sum();
        let reasons: Vec<_> = self.reasons.iter().map(|(why, times)| format!("{times} x {why}")).collect();
        let said = reasons.join("; ");
        let given_up = if self.measured.is_empty() && self.runs > 1 { "; not tried again" } else { "" };
        (tries > 0).then(|| format!("{} runs measured; {tries} tries failed: {said}{given_up}", self.count()))
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use anyhow::bail;

    use super::*;

    #[test]
    fn a_run_that_fails_is_tried_again_and_counted() {
        let left = Cell::new(2);
        let flaky = || match left.replace(left.get() - 1) {
            0 => Ok(7),
            _ => bail!("too early"),
        };
        let mut tally = Tally::run("a run", flaky);
        assert_eq!((tally.measured.as_slice(), tally.count().as_str()), (&[7][..], "1 of 1"));
        tally.add(Tally::run("a run", || bail!("never")));
        let said = "1 of 2 runs measured; 6 tries failed: 4 x never; 2 x too early";
        assert_eq!(tally.excuses().as_deref(), Some(said));
        assert_eq!(Tally::run("a run", || Ok(1)).excuses(), None);
    }
}
