//! `cargo xtask bench ownership`: that an address never has two owners, and by how much.

use std::fmt::Write;

use anyhow::Result;
use clap::Args;

use super::{
    fault::Fault,
    owned::{Owned, measure},
    rows::Rows,
    setting::Setting,
    table::{Spread, show},
    tally::Tally,
};
use crate::witness::Witness;

/// How often to measure.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// Runs of each fault
    #[arg(long, default_value_t = 20)]
    runs: usize,
    #[command(flatten)]
    rows: Rows,
}

/// What befalls the owner, and `on_daemon_death`.
const FAULTS: [(Fault, &str); 4] = [
    (Fault::Kill, "failover"),
    (Fault::KillDaemon, "restart"),
    (Fault::KillDaemon, "failover"),
    (Fault::Stop, "failover"),
];

/// A time in a failover, by what it is called.
type Step = (&'static str, fn(&Owned) -> Option<i64>);

const STEPS: [Step; 5] = [
    ("the old owner's last answer", |owned| owned.last_old),
    ("its lease or guard ends", |owned| owned.lapse),
    ("the successor decides", |owned| owned.decided),
    ("it stores its lease", |owned| owned.stored),
    ("its first answer", |owned| owned.first_new),
];

/// Measures, reports progress on standard error, and returns the table.
///
/// # Errors
///
/// When the machine cannot be watched (this needs root).
pub fn run(options: &Options) -> Result<String> {
    let witness = Witness::start()?;
    let mut text = String::from(
        "A client asks by ARP every ms who has the address, until 1 s after the fault (3 s with SIGSTOP, whose processes go on \
         after 2 s). Two owners: both nodes' leases were in force when the maps were read, every 50 us; or the successor stored \
         its lease before the old owner's had ended. To and fro: the answers went to the other node and back within 2.5 ms. The \
         margin is the time from the end \
         of the old owner's lease or guard to that store. What is revoked ends between two readings of the maps, which are \
         50 us apart: the later one counts. All clocks are one. Medians, in ms after the fault.\n\n\
         | setting | fault | on_daemon_death | runs | kept by the old owner | two owners | to and fro | changes of the owner in all, most | \
         outage, median (max) | last answer of the old owner | its lease or guard ends | the successor decides | stores | first \
         answers | margin, median (least) |\n|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|\n",
    );
    let (mut notes, mut example) = (String::new(), None);
    let all = [Setting::FASTEST, Setting::BFD_250]
        .into_iter()
        .flat_map(|base| FAULTS.map(|(fault, on_daemon_death)| (Setting { on_daemon_death, ..base }, fault)));
    let name = |(setting, fault): &(Setting, Fault)| {
        format!("{}, {fault}, {}", setting.name, setting.on_daemon_death)
    };
    for chosen in options.rows.choose(all.collect(), name)? {
        let (name, (setting, fault)) = (name(&chosen), chosen);
        let mut tally = Tally::default();
        for run in 0..options.runs {
            let phase = (run as f64 + 0.5) / options.runs as f64;
            let what = format!("{name}, run {}/{}", run + 1, options.runs);
            let once = Tally::run(&what, || measure(&setting, fault, phase, &witness));
            once.measured.iter().for_each(|owned| eprintln!("{what}: {}", timeline(owned, ", ")));
            tally.add(once);
        }
        let _ =
            writeln!(text, "| {} | {fault} | {} | {} |", setting.name, setting.on_daemon_death, line(&tally));
        let all = &tally.measured;
        for owned in all {
            let mark = match (owned.two_owners(), owned.margin(), &owned.back_and_forth) {
                (true, ..) => "TWO OWNERS",
                (false, Some(..=0), _) => "not told apart: the maps were not read in between",
                (false, _, Some(_)) => "to and fro",
                (false, _, None) => continue,
            };
            let both = owned.both.as_deref().unwrap_or("never");
            let moves = owned.back_and_forth.as_deref().unwrap_or("-");
            let (course, stall) = (timeline(owned, ", "), show(owned.stall));
            let _ = writeln!(
                notes,
                "- {name}: {mark}; {course}; both leases in force: {both}; answers moved: {moves}; longest stall {stall}"
            );
        }
        if let Some(excuses) = tally.excuses() {
            let _ = writeln!(notes, "- {name}: {excuses}");
        }
        let whole = all.iter().find(|owned| owned.margin().is_some() && owned.first_new.is_some());
        if let Some(owned) = whole.filter(|_| fault == Fault::Stop) {
            example = Some(format!("{name}:\n\n```text\n{}\n```\n", timeline(owned, "\n")));
        }
    }
    Ok(format!("{text}\n{notes}\n{}", example.unwrap_or_default()))
}

fn line(tally: &Tally<Owned>) -> String {
    let all = &tally.measured;
    let kept = all.iter().filter(|owned| owned.first_new.is_none()).count();
    let two = all.iter().filter(|owned| owned.two_owners()).count();
    let to_and_fro = all.iter().filter(|owned| owned.back_and_forth.is_some()).count();
    let moves = all.iter().map(|owned| owned.moves).max().unwrap_or_default();
    let outages = Spread::of(all.iter().map(|owned| owned.outage))
        .map_or("- (-)".to_owned(), |outages| format!("{} ({})", show(outages.median), show(outages.most)));
    let median = |step: fn(&Owned) -> Option<i64>| sorted(all, step).1;
    let steps = STEPS.map(|(_, step)| millis(median(step))).join(" | ");
    let (least, middle) = sorted(all, Owned::margin);
    format!(
        "{} | {kept} | {two} | {to_and_fro} | {moves} | {outages} | {steps} | {} ({})",
        tally.count(),
        millis(middle),
        millis(least)
    )
}

/// Returns the least and the median.
fn sorted(all: &[Owned], step: fn(&Owned) -> Option<i64>) -> (Option<i64>, Option<i64>) {
    let mut times: Vec<i64> = all.iter().filter_map(step).collect();
    times.sort_unstable();
    (times.first().copied(), times.get(times.len() / 2).copied())
}

fn timeline(owned: &Owned, separator: &str) -> String {
    let steps = STEPS.map(|(what, step)| format!("{:>9} ms  {what}", millis(step(owned))));
    let margin = format!("{:>9} ms  nobody owned the address", millis(owned.margin()));
    let text = [&["    0.000 ms  the fault".to_owned()], &steps[..], &[margin]].concat().join(separator);
    if separator == "\n" { text } else { text.split_whitespace().collect::<Vec<_>>().join(" ") }
}

fn millis(nanos: Option<i64>) -> String {
    nanos.map_or("-".to_owned(), |nanos| format!("{:.3}", nanos as f64 / 1e6))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_margin_is_from_the_lapse_to_the_store() {
        let owned = |lapse, stored| Owned { lapse: Some(lapse), stored: Some(stored), ..Owned::default() };
        let mut tally = Tally::default();
        for stored in [3_000_000, 2_500_000, 1_000_000] {
            tally.add(Tally::once("", || Ok(owned(2_000_000, stored))));
        }
        assert_eq!(
            line(&tally),
            "3 of 3 | 3 | 0 | 0 | 0 | 0 us (0 us) | - | 2.000 | - | 2.500 | - | 0.500 (-1.000)"
        );
        let text = timeline(&tally.measured[0], "\n");
        assert!(text.contains("    1.000 ms  nobody owned the address"), "{text}");
    }
}
