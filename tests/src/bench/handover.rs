//! `cargo xtask bench handover`: what a client loses in planned handovers.

use std::{fmt::Write, time::Duration};

use anyhow::Result;
use clap::Args;

use super::{
    rows::Rows,
    table::{Spread, show},
    tally::Tally,
};
use crate::{
    handover::{Course, Handover, Reason},
    lab::Software,
    witness::Witness,
};

/// How long around the sending of a lost probe the machine is looked at.
const AROUND: Duration = Duration::from_millis(1);

/// How often to measure.
#[derive(Args, Debug)]
pub struct Options {
    /// Runs of each handover
    #[arg(long, default_value_t = Self::default().runs)]
    runs: usize,
    #[command(flatten)]
    rows: Rows,
}

impl Default for Options {
    fn default() -> Self {
        Self { runs: 20, rows: Rows::default() }
    }
}

/// Measures, reports progress on standard error, and returns the table. Each run is done once, and counted.
///
/// # Errors
///
/// When the machine cannot be watched (this needs root).
pub fn run(options: &Options) -> Result<String> {
    let witness = Witness::start()?;
    let mut text = String::from(
        "A run is clean if the client, which sends a probe every 100 us, loses none. A loss in a time in which every processor \
         stood still is marked, and counted.\n\n\
         | adverts every | handover | successor | clean | carried out | probes lost, most in a run | GARP after the successor's \
         first advert, median (max) |\n|---|---|---|---|---|---|---|\n",
    );
    let mut notes = String::new();
    let all = [1, 100].into_iter().flat_map(|centis| {
        let successors = [Software::Hadp, Software::Keepalived];
        Reason::ALL
            .into_iter()
            .flat_map(move |reason| successors.map(|successor| Handover { reason, successor, centis }))
    });
    for handover in options.rows.choose(all.collect(), Handover::to_string)? {
        let Handover { reason, successor, .. } = handover;
        let name = handover.to_string();
        let tally = repeat(&handover, &name, options.runs);
        let courses = &tally.measured;
        let clean = courses.iter().filter(|course| course.lost.is_empty()).count();
        let most = courses.iter().map(|course| course.lost.len()).max().unwrap_or_default();
        let after = Spread::of(courses.iter().filter_map(Course::announced_after));
        let (median, longest) = after.map(|after| (after.median, after.most)).unwrap_or_default();
        let _ = writeln!(
            text,
            "| {} | {reason} | {successor} | {clean} of {} | {} | {most} | {} ({}) |",
            show(handover.interval()),
            tally.runs,
            tally.count(),
            show(median),
            show(longest),
        );
        for course in courses.iter().filter(|course| !course.lost.is_empty()) {
            let _ = writeln!(notes, "- {name}: {course}; {}", machine(course, &witness));
        }
        if let Some(excuses) = tally.excuses() {
            let _ = writeln!(notes, "- {name}: {excuses}");
        }
    }
    Ok(if notes.is_empty() { text } else { format!("{text}\n{notes}") })
}

fn repeat(handover: &Handover, name: &str, runs: usize) -> Tally<Course> {
    let mut tally = Tally::default();
    for run in 1..=runs {
        let phase = (run as f64 - 0.5) / runs as f64;
        let what = format!("{name}, run {run}/{runs}");
        let once = Tally::once(&what, || handover.run(phase));
        once.measured.iter().for_each(|course| eprintln!("{what}: {course}"));
        tally.add(once);
    }
    tally
}

/// Says what the machine did in a run that lost something.
fn machine(course: &Course, witness: &Witness) -> String {
    let (Some(first), Some(last)) = (course.lost.first(), course.lost.last()) else { return String::new() };
    let around = |at: Duration| {
        let at = course.start + at;
        (at.checked_sub(AROUND).unwrap_or(at), at + AROUND)
    };
    let longest = witness.longest(course.start, course.start + *last + AROUND);
    let near = witness.longest(around(*first).0, around(*last).1);
    let still = course.lost.iter().filter(|at| {
        let (from, to) = around(**at);
        !witness.longest_of_all(from, to).is_zero()
    });
    let mark = match still.count() {
        0 => String::new(),
        lost => format!("; {lost} LOST WHILE THE MACHINE STOOD STILL"),
    };
    format!("longest stall of a processor {}, {} around the losses{mark}", show(longest), show(near))
}
