//! The table of a failover bench.

use std::{fmt::Write, time::Duration};

use super::{sample::Sample, tally::Tally};

/// Median, least and most of some times.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spread {
    pub(super) median: Duration,
    pub(super) least: Duration,
    pub(super) most: Duration,
}

impl Spread {
    /// Summarises, or `None` if there are no times.
    pub(super) fn of(times: impl Iterator<Item = Duration>) -> Option<Self> {
        let mut times: Vec<Duration> = times.collect();
        times.sort_unstable();
        let median = *times.get(times.len() / 2)?;
        Some(Self { median, least: *times.first()?, most: *times.last()? })
    }

    fn show(self) -> String {
        let Self { median, least, most } = self;
        if most.is_zero() {
            return "none".to_owned();
        }
        format!("{} ({} to {})", show(median), show(least), show(most))
    }
}

/// One row: setting, fault, and the two programs, where measured.
pub(super) struct Row {
    pub(super) setting: &'static str,
    pub(super) fault: String,
    /// Whether the machine had other work.
    pub(super) loaded: bool,
    pub(super) keepalived: Option<Tally<Sample>>,
    pub(super) hadp: Option<Tally<Sample>>,
}

/// Returns the outages of all runs, or of the quiet ones.
pub(super) fn outages(tally: Option<&Tally<Sample>>, quiet: bool) -> Option<Spread> {
    let samples = tally?.measured.iter().filter(|sample| !quiet || sample.quiet);
    Spread::of(samples.map(|sample| sample.outage))
}

/// Returns the rows as Markdown, one line a program, and what became of tries that were no measurement.
pub(super) fn markdown(rows: &[Row]) -> String {
    let mut text = String::from(
        "| setting | fault | program | runs measured | outage, median (min to max) | quiet runs | quiet: outage, median (min to \
         max) | keepalived / hadp | quiet | longest stall in the window, median (max) | probes lost | machines answering |\n\
         |---|---|---|---|---|---|---|---|---|---|---|---|\n",
    );
    let mut excuses = String::new();
    for row in rows {
        let programs = [("keepalived", &row.keepalived), ("hadp", &row.hadp)];
        for (program, tally) in
            programs.into_iter().filter_map(|(program, tally)| Some((program, tally.as_ref()?)))
        {
            let ratios = match program {
                "hadp" => [false, true].map(|quiet| ratio(row, quiet)),
                _ => ["-".to_owned(), "-".to_owned()],
            };
            let _ =
                writeln!(text, "| {} | {} | {program} | {} |", row.setting, row.fault, line(tally, ratios));
            if let Some(excuse) = tally.excuses() {
                let _ = writeln!(excuses, "- {}, {}, {program}: {excuse}", row.setting, row.fault);
            }
        }
    }
    if excuses.is_empty() { text } else { format!("{text}\n{excuses}") }
}

/// Returns how many times as long keepalived's median outage was as hadp's.
fn ratio(row: &Row, quiet: bool) -> String {
    match (outages(row.keepalived.as_ref(), quiet), outages(row.hadp.as_ref(), quiet)) {
        (Some(keepalived), Some(hadp)) if !keepalived.median.is_zero() && !hadp.median.is_zero() => {
            format!("{:.1}", keepalived.median.as_secs_f64() / hadp.median.as_secs_f64())
        }
        _ => "-".to_owned(),
    }
}

fn line(tally: &Tally<Sample>, [ratio, quiet_ratio]: [String; 2]) -> String {
    let samples = &tally.measured;
    let show_outages = |quiet| outages(Some(tally), quiet).map_or("-".to_owned(), Spread::show);
    let never = match samples.iter().filter(|sample| !sample.recovered).count() {
        0 => String::new(),
        never => format!(", {never} never came back"),
    };
    let quiet = samples.iter().filter(|sample| sample.quiet).count();
    let stall = Spread::of(samples.iter().map(|sample| sample.stall));
    let stall =
        stall.map_or("-".to_owned(), |stall| format!("{} ({})", show(stall.median), show(stall.most)));
    let lossy = samples.iter().filter(|sample| sample.lost > 0).count();
    let most = samples.iter().map(|sample| sample.lost).max().unwrap_or_default();
    let lost = match lossy {
        0 => format!("0 in {0} of {0}", samples.len()),
        _ => format!("up to {most} in {lossy} of {}", samples.len()),
    };
    let both = samples.iter().map(|sample| sample.both).max().unwrap_or_default();
    let owners = match (samples.iter().map(|sample| sample.answering).max(), both) {
        (None, _) => "-".to_owned(),
        (Some(1), Duration::ZERO) => "1".to_owned(),
        (Some(answering), both) => format!("{answering} (both for {})", show(both)),
    };
    let (count, all, only_quiet) = (tally.count(), show_outages(false), show_outages(true));
    format!(
        "{count} | {all}{never} | {quiet} of {} | {only_quiet} | {ratio} | {quiet_ratio} | {stall} | {lost} | {owners}",
        samples.len()
    )
}

/// Returns a time with three digits.
pub(super) fn show(time: Duration) -> String {
    let micros = time.as_secs_f64() * 1e6;
    match micros {
        ..1000.0 => format!("{micros:.0} us"),
        ..10_000.0 => format!("{:.2} ms", micros / 1e3),
        ..100_000.0 => format!("{:.1} ms", micros / 1e3),
        ..1_000_000.0 => format!("{:.0} ms", micros / 1e3),
        _ => format!("{:.2} s", micros / 1e6),
    }
}

#[cfg(test)]
mod tests {
    use anyhow::bail;

    use super::*;

    fn tally(millis: &[u64], quiet: u64) -> Tally<Sample> {
        let mut tally = Tally::default();
        for ms in millis.iter().copied() {
            let outage = Duration::from_millis(ms);
            let sample = Sample {
                outage,
                lost: ms as usize,
                recovered: true,
                answering: 1,
                quiet: ms <= quiet,
                ..Sample::default()
            };
            tally.add(Tally::run("", || Ok(sample)));
        }
        tally
    }

    #[test]
    fn a_row_shows_all_runs_and_the_quiet_ones() {
        let mut hadp = tally(&[15, 0, 20], 15);
        hadp.add(Tally::run("", || bail!("not elected")));
        let mut keepalived = tally(&[40, 20, 30], 25);
        keepalived.measured[0].both = Duration::from_micros(200);
        keepalived.measured[0].answering = 2;
        let row = Row {
            setting: "10 ms",
            fault: "silent".to_owned(),
            loaded: false,
            keepalived: Some(keepalived),
            hadp: Some(hadp),
        };
        let text = markdown(&[row]);
        let expected = [
            "| 10 ms | silent | keepalived | 3 of 3 | 30.0 ms (20.0 ms to 40.0 ms) | 1 of 3 | \
             20.0 ms (20.0 ms to 20.0 ms) | - | - | 0 us (0 us) | up to 40 in 3 of 3 | 2 (both for 200 us) |",
            "| 10 ms | silent | hadp | 3 of 4 | 15.0 ms (0 us to 20.0 ms) | 2 of 3 | \
             15.0 ms (0 us to 15.0 ms) | 2.0 | 1.3 | 0 us (0 us) | up to 20 in 2 of 3 | 1 |",
            "",
            "- 10 ms, silent, hadp: 3 of 4 runs measured; 4 tries failed: 4 x not elected",
        ];
        assert_eq!(text.lines().skip(2).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_row_without_a_measurement_says_so() {
        let hadp = Some(Tally::run("", || bail!("no root")));
        let text =
            markdown(&[Row { setting: "s", fault: "f".to_owned(), loaded: false, keepalived: None, hadp }]);
        let expected = "| s | f | hadp | 0 of 1 | - | 0 of 0 | - | - | - | - | 0 in 0 of 0 | - |";
        assert_eq!(text.lines().nth(2), Some(expected));
    }
}
