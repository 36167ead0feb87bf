//! The course of a failover from the decision on: what is the machine's and what is the protocol's.

use std::{fmt::Write, time::Duration};

use super::{
    brief,
    fault::Fault,
    run::{ASKING, Course, measure_asking},
    sample::Step,
    setting::Setting,
    table::show,
    tally::Tally,
    thousand,
};
use crate::{lab::Software, witness::Witness};

/// How often the client asks by ARP where the first answer is measured with it. Where 1,000 addresses are announced, each
/// request would take time from the node that announces, and from the switch.
const OFTEN: Duration = Duration::from_micros(100);

/// How often the client probes otherwise.
const PROBING: Duration = Duration::from_millis(1);

const STEPS: [Step; 9] = [
    ("the fault to the decision (detection)", |sample| sample.decided),
    ("the decision to the ownership store", |sample| sample.stored),
    ("the decision to the first ARP answer", |sample| sample.answered),
    ("the decision to the first advert sent", |sample| sample.advertised),
    ("the decision to the last address on its interface", |sample| sample.placed),
    ("the decision to the last address's first GARP, on the wire", |sample| sample.announced),
    ("the decision to the first GARP heard by the client", |sample| sample.first_garp),
    ("the decision to the last address's first GARP heard by the client", |sample| sample.last_garp),
    ("between two of the successor's adverts, every 10 ms, while it announces: the longest time", |sample| {
        sample.advert_gap
    }),
];

/// Measures `runs` failovers with one address and as many with 1,000, and returns a table each.
pub(super) fn run(runs: usize, witness: &Witness) -> String {
    // What counts is asked by ARP; the other probes would only take time from the nodes.
    let one = Setting { probe: PROBING, ..Setting::BFD_250 };
    let many = Setting { name: "1,000 addresses", vips: 1000, ..one };
    let mut text = String::new();
    let rows = [("One address", one, OFTEN), ("1,000 addresses on one router", many, ASKING)];
    for (title, setting, asking) in rows {
        let mut tally = Tally::default();
        for run in 0..runs {
            let phase = (run as f64 + 0.5) / runs as f64;
            let course = Course {
                software: Software::Hadp,
                setting: &setting,
                fault: Fault::Silent,
                phase,
                loaded: false,
                witness,
            };
            let what = format!("course, {title}, run {}/{runs}", run + 1);
            tally.add(Tally::run(&what, || measure_asking(course, asking)));
            eprintln!("{what}");
        }
        let quiet = tally.measured.iter().filter(|sample| sample.quiet).count();
        let _ = writeln!(
            text,
            "{title}, asked for by ARP every {}, {} runs measured, {quiet} of them quiet:\n\n\
             | from | median | p99 | max | quiet: median | p99 | max |\n|---|---|---|---|---|---|---|",
            show(asking),
            tally.count()
        );
        for (what, step) in STEPS {
            let all = figures(tally.measured.iter().filter_map(step));
            let quiet = figures(tally.measured.iter().filter(|sample| sample.quiet).filter_map(step));
            let _ = writeln!(text, "| {what} | {all} | {quiet} |");
        }
        if let Some(excuses) = tally.excuses() {
            let _ = writeln!(text, "\n- {title}: {excuses}");
        }
        text.push('\n');
    }
    match thousand::run(runs, witness) {
        Ok(table) => text.push_str(&table),
        Err(error) => {
            text.push_str(&format!("{} routers on one session: {}\n", crate::thousand::ALL, brief(&error)))
        }
    }
    text
}

/// Returns median, 99th percentile and most.
fn figures(spans: impl Iterator<Item = Duration>) -> String {
    let mut spans: Vec<Duration> = spans.collect();
    spans.sort_unstable();
    let at = |per_cent: usize| {
        let index = (spans.len() * per_cent / 100).min(spans.len().saturating_sub(1));
        spans.get(index).map_or("-".to_owned(), |span| show(*span))
    };
    [at(50), at(99), at(100)].join(" | ")
}
