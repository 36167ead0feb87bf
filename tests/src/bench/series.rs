//! The rows of a failover bench, measured.

use std::{collections::BTreeMap, thread};

use super::{
    plan::Plan,
    run::{Course, measure as measure_once},
    sample::Sample,
    setting::Setting,
    table::{Row, show},
    tally::Tally,
};
use crate::{lab::Software, witness::Witness};

/// Measures every line, the programs in turn, so that whatever else the machine does disturbs both alike.
pub(super) fn measure(plans: &[&Plan], witness: &Witness) -> Vec<Row> {
    let mut tallies: BTreeMap<(usize, bool), Tally<Sample>> = BTreeMap::new();
    let most = plans.iter().map(|plan| plan.runs).max().unwrap_or_default();
    for run in 0..most {
        let due: Vec<(usize, &Plan)> =
            plans.iter().copied().enumerate().filter(|(_, plan)| run < plan.runs).collect();
        let is_slow = |plan: &Plan| plan.hadp.or(plan.keepalived).is_some_and(|setting| setting.parallel);
        for (index, plan) in due.iter().filter(|(_, plan)| !is_slow(plan)) {
            for (software, setting) in programs(plan) {
                let tally = tallies.entry((*index, software == Software::Hadp)).or_default();
                // What did not come about in a whole run's tries is not waited for in all the others.
                let hopeless = tally.runs > 0 && tally.measured.is_empty();
                tally.add(if hopeless {
                    Tally::not_tried()
                } else {
                    once(plan, software, setting, run, witness)
                });
            }
        }
        // Slow ones on LANs of their own, all at once: what is measured is seconds.
        thread::scope(|scope| {
            let slow = due.iter().filter(|(_, plan)| is_slow(plan));
            let threads: Vec<_> =
                slow.map(|(index, plan)| (*index, scope.spawn(move || pair(plan, run, witness)))).collect();
            for (index, thread) in threads {
                // A panic has been printed, and shows in the number of runs.
                for (hadp, tally) in thread.join().unwrap_or_default() {
                    tallies.entry((index, hadp)).or_default().add(tally);
                }
            }
        });
    }
    let mut tally = |index, hadp| tallies.remove(&(index, hadp));
    let row = |(index, plan): (usize, &&Plan)| Row {
        setting: plan.name,
        fault: plan.fault.to_string(),
        loaded: plan.loaded,
        keepalived: tally(index, false),
        hadp: tally(index, true),
    };
    plans.iter().enumerate().map(row).collect()
}

/// Returns the programs that a line is measured with.
fn programs(plan: &Plan) -> impl Iterator<Item = (Software, Setting)> {
    let programs = [(Software::Keepalived, plan.keepalived), (Software::Hadp, plan.hadp)];
    programs.into_iter().filter_map(|(software, setting)| Some((software, setting?)))
}

/// Measures one line once, with each program that has it: whether it is hadp, and what came of it.
fn pair(plan: &Plan, run: usize, witness: &Witness) -> Vec<(bool, Tally<Sample>)> {
    let measured = programs(plan)
        .map(|(software, setting)| (software == Software::Hadp, once(plan, software, setting, run, witness)));
    measured.collect()
}

/// Measures one line once, with one program.
fn once(plan: &Plan, software: Software, setting: Setting, run: usize, witness: &Witness) -> Tally<Sample> {
    let Plan { fault, loaded, .. } = *plan;
    let phase = (run as f64 + 0.5) / plan.runs as f64;
    let what = format!("{}, run {}/{}: {fault:<20} {software:<10}", plan.name, run + 1, plan.runs);
    let course = Course { software, setting: &setting, fault, phase, loaded, witness };
    let tally = Tally::run(&what, || measure_once(course));
    for sample in &tally.measured {
        let quiet = if sample.quiet { ", quiet" } else { "" };
        let (outage, stall) = (show(sample.outage), show(sample.stall));
        eprintln!("{what} {outage}, {} lost, stall {stall}{quiet}", sample.lost);
    }
    tally
}
