//! The rows of a failover bench, measured.

use std::{collections::BTreeMap, thread};

use super::{
    plan::Plan,
    run::{Course, measure as measure_once},
    sample::Sample,
    table::{Row, show},
    tally::Tally,
    witness::Witness,
};
use crate::lab::Software;

/// Measures every line, the programs in turn, so that whatever else the machine does disturbs both alike.
pub(super) fn measure(plans: &[Plan], witness: &Witness) -> Vec<Row> {
    let mut tallies: BTreeMap<(usize, bool), Tally<Sample>> = BTreeMap::new();
    let most = plans.iter().map(|plan| plan.runs).max().unwrap_or_default();
    for run in 0..most {
        let due: Vec<(usize, &Plan)> = plans.iter().enumerate().filter(|(_, plan)| run < plan.runs).collect();
        let is_slow = |plan: &Plan| plan.hadp.or(plan.keepalived).is_some_and(|setting| setting.parallel);
        let mut keep = |index, measured: Vec<(bool, Tally<Sample>)>| {
            for (hadp, tally) in measured {
                tallies.entry((index, hadp)).or_default().add(tally);
            }
        };
        for (index, plan) in due.iter().filter(|(_, plan)| !is_slow(plan)) {
            keep(*index, pair(plan, run, witness));
        }
        // Slow ones on LANs of their own, all at once: what is measured is seconds.
        thread::scope(|scope| {
            let slow = due.iter().filter(|(_, plan)| is_slow(plan));
            let threads: Vec<_> =
                slow.map(|(index, plan)| (*index, scope.spawn(move || pair(plan, run, witness)))).collect();
            for (index, thread) in threads {
                // A panic has been printed, and shows in the number of runs.
                keep(index, thread.join().unwrap_or_default());
            }
        });
    }
    let mut tally = |index, hadp| tallies.remove(&(index, hadp));
    let row = |(index, plan): (usize, &Plan)| Row {
        setting: plan.name,
        fault: plan.fault.to_string(),
        keepalived: tally(index, false),
        hadp: tally(index, true),
    };
    plans.iter().enumerate().map(row).collect()
}

/// Measures one line once, with each program that has it: whether it is hadp, and what came of it.
fn pair(plan: &Plan, run: usize, witness: &Witness) -> Vec<(bool, Tally<Sample>)> {
    let Plan { fault, loaded, .. } = *plan;
    let phase = (run as f64 + 0.5) / plan.runs as f64;
    let programs = [(Software::Keepalived, plan.keepalived), (Software::Hadp, plan.hadp)];
    let programs = programs.into_iter().filter_map(|(software, setting)| Some((software, setting?)));
    programs
        .map(|(software, setting)| {
            let what = format!("{}, run {}/{}: {fault:<20} {software:<10}", plan.name, run + 1, plan.runs);
            let course = Course { software, setting: &setting, fault, phase, loaded, witness };
            let tally = Tally::run(&what, || measure_once(course));
            for sample in &tally.measured {
                let quiet = if sample.quiet { ", quiet" } else { "" };
                let (outage, stall) = (show(sample.outage), show(sample.stall));
                eprintln!("{what} {outage}, {} lost, stall {stall}{quiet}", sample.lost);
            }
            (software == Software::Hadp, tally)
        })
        .collect()
}
