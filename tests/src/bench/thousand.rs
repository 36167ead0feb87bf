//! A thousand routers that fail over by one BFD session.

use std::{fmt::Write as _, time::Duration};

use anyhow::Result;

use super::table::{self, show};
use crate::{
    lab::Lan,
    thousand::{self, Spread},
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
pub(super) fn run(runs: usize) -> Result<String> {
    let mut spreads = Vec::new();
    for run in 1..=runs {
        let lan = Lan::new(2)?;
        let [mut first, mut second] = thousand::start(&lan, EVERY_US)?;
        let (_, n2) = lan.pair()?;
        first.freeze_all()?;
        let spread = Spread::wait(n2)?;
        eprintln!("1,000 routers on one session, run {run}/{runs}: {spread:?}");
        spreads.push(spread);
        first.crash()?;
        second.stop()?;
    }
    let mut text = format!(
        "{} routers that follow one session ({EVERY_US} us x 3), {runs} runs:\n\n| from | median | max |\n|---|---|---|\n",
        thousand::ALL
    );
    let steps: [Step; 4] = [
        ("the first ownership store to the last", Spread::storing),
        ("the first decision to the last ownership store", |Spread { stored: [_, last], .. }| *last),
        ("the first decision to the first advert", |Spread { advertised: [first, _], .. }| *first),
        ("the first decision to the last advert", |Spread { advertised: [_, last], .. }| *last),
    ];
    for (what, step) in steps {
        let spans = table::Spread::of(spreads.iter().map(step));
        let at =
            |which: fn(table::Spread) -> Duration| spans.map_or("-".to_owned(), |spans| show(which(spans)));
        let _ = writeln!(text, "| {what} | {} | {} |", at(|spans| spans.median), at(|spans| spans.most));
    }
    Ok(text)
}
