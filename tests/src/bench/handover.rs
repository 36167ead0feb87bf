//! `cargo xtask bench handover`: what a client loses in planned handovers.

use std::{fmt::Write, time::Duration};

use anyhow::{Context, Result};
use clap::Args;

use super::table::show;
use crate::{
    handover::{Course, Handover, Reason},
    lab::Software,
};

/// How often to measure.
#[derive(Args, Debug)]
pub struct Options {
    /// Runs of each handover
    #[arg(long, default_value_t = Self::default().runs)]
    runs: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { runs: 20 }
    }
}

/// Measures, reports progress on standard error, and returns the table.
///
/// # Errors
///
/// When a handover does not take place.
pub fn run(options: &Options) -> Result<String> {
    let mut text = String::from(
        "| adverts every | handover | successor | runs without a loss | probes lost, most in a run | GARP after the successor's first advert, median (max) |\n\
         |---|---|---|---|---|---|\n",
    );
    for centis in [1, 100] {
        for reason in Reason::ALL {
            for successor in [Software::Hadp, Software::Keepalived] {
                let handover = Handover { reason, successor, centis };
                let courses = repeat(&handover, options.runs)?;
                let clean = courses.iter().filter(|course| course.lost.is_empty()).count();
                let most = courses.iter().map(|course| course.lost.len()).max().unwrap_or_default();
                let mut after: Vec<Duration> = courses.iter().filter_map(Course::announced_after).collect();
                after.sort();
                let median = after.get(after.len() / 2).copied().unwrap_or_default();
                let longest = after.last().copied().unwrap_or_default();
                let _ = writeln!(
                    text,
                    "| {} | {reason} | {successor} | {clean} of {} | {most} | {} ({}) |",
                    show(handover.interval()),
                    courses.len(),
                    show(median),
                    show(longest),
                );
            }
        }
    }
    Ok(text)
}

fn repeat(handover: &Handover, runs: usize) -> Result<Vec<Course>> {
    let Handover { reason, successor, .. } = handover;
    (1..=runs)
        .map(|run| {
            let phase = (run as f64 - 0.5) / runs as f64;
            let course = handover.run(phase).with_context(|| format!("{reason} to {successor}"))?;
            eprintln!("{reason} to {successor}, {}, run {run}/{runs}: {course}", show(handover.interval()));
            Ok(course)
        })
        .collect()
}
