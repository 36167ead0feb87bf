//! A thousand routers that fail over by one BFD session.

use std::{fmt::Write as _, time::Duration};

use anyhow::Result;

use super::{
    sample::QUIET,
    table::{self, show},
};
use crate::{
    lab::Lan,
    thousand::{self, Spread},
    witness::Witness,
};

/// The BFD interval in microseconds.
const EVERY_US: u32 = 1000;

/// A step, by what it is called and where it is in a course.
type Step = (&'static str, fn(&Spread) -> Duration);

/// Measures `runs` failovers of a thousand routers that follow one session, and returns a table.
///
/// # Errors
///
/// When the nodes do not come to agree, or do not fail over.
pub(super) fn run(runs: usize, witness: &Witness) -> Result<String> {
    let mut spreads = Vec::new();
    for run in 1..=runs {
        let lan = Lan::new(2)?;
        let [mut first, mut second] = thousand::start(&lan, EVERY_US)?;
        let (_, n2) = lan.pair()?;
        first.freeze_all()?;
        let spread = Spread::wait(n2)?;
        let ([_, stored], [_, advertised]) = (spread.stored, spread.advertised);
        let last = spread.decided_ns + stored.max(advertised).as_nanos() as u64;
        let stall = witness.longest_at(spread.decided_ns, last);
        eprintln!("1,000 routers on one session, run {run}/{runs}: {spread:?}, stall {}", show(stall));
        spreads.push((spread, stall));
        first.crash()?;
        second.stop()?;
    }
    let is_quiet = |(_, stall): &&(Spread, Duration)| *stall <= QUIET;
    let mut text = format!(
        "{} routers that follow one session ({EVERY_US} us x 3), {runs} runs, {} of them quiet until the last advert:\n\n| from | median | max | quiet: median | max |\n|---|---|---|---|---|\n",
        thousand::ALL,
        spreads.iter().filter(is_quiet).count(),
    );
    let steps: [Step; 4] = [
        ("the first ownership store to the last", Spread::storing),
        ("the first decision to the last ownership store", |Spread { stored: [_, last], .. }| *last),
        ("the first decision to the first advert", |Spread { advertised: [first, _], .. }| *first),
        ("the first decision to the last advert", |Spread { advertised: [_, last], .. }| *last),
    ];
    for (what, step) in steps {
        let all = median_and_most(spreads.iter().map(|(spread, _)| step(spread)));
        let quiet = median_and_most(spreads.iter().filter(is_quiet).map(|(spread, _)| step(spread)));
        let _ = writeln!(text, "| {what} | {all} | {quiet} |");
    }
    Ok(text)
}

fn median_and_most(spans: impl Iterator<Item = Duration>) -> String {
    let spans = table::Spread::of(spans);
    spans.map_or("- | -".to_owned(), |spans| format!("{} | {}", show(spans.median), show(spans.most)))
}
