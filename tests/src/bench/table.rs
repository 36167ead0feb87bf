//! The table of a failover bench.

use std::{fmt::Write, time::Duration};

use super::run::Sample;

/// Median, least and most of a series of runs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Summary {
    median: Duration,
    least: Duration,
    most: Duration,
    /// The most machines that answered afterwards.
    answering: usize,
    /// How many runs did not recover.
    lost: usize,
}

impl Summary {
    /// Summarises, or `None` if there was no run.
    pub(super) fn of(samples: &[Sample]) -> Option<Self> {
        let mut outages: Vec<Duration> = samples.iter().map(|sample| sample.outage).collect();
        outages.sort();
        Some(Self {
            median: *outages.get(outages.len() / 2)?,
            least: *outages.first()?,
            most: *outages.last()?,
            answering: samples.iter().map(|sample| sample.answering).max()?,
            lost: samples.iter().filter(|sample| !sample.recovered).count(),
        })
    }

    fn outage(&self) -> String {
        let Self { median, least, most, lost, .. } = *self;
        let never = if lost > 0 { format!(", {lost} never came back") } else { String::new() };
        if most.is_zero() {
            return "none".to_owned();
        }
        format!("{} ({} to {}){never}", show(median), show(least), show(most))
    }
}

/// One row: setting, fault, and the two programs, where measured.
pub(super) struct Row {
    pub(super) setting: &'static str,
    pub(super) fault: String,
    pub(super) keepalived: Option<Summary>,
    pub(super) hadp: Option<Summary>,
}

/// Returns the rows as Markdown.
pub(super) fn markdown(rows: &[Row]) -> String {
    let mut text = String::from(
        "| setting | fault | keepalived: outage, median (min to max) | hadp | hadp / keepalived | answering ARP afterwards: keepalived, hadp |\n\
         |---|---|---|---|---|---|\n",
    );
    for row in rows {
        let outage = |summary: &Option<Summary>| summary.as_ref().map_or("-".to_owned(), Summary::outage);
        let answering = |summary: &Option<Summary>| {
            summary.map_or("-".to_owned(), |summary| summary.answering.to_string())
        };
        let ratio = match (row.keepalived, row.hadp) {
            (Some(keepalived), Some(hadp)) if !keepalived.median.is_zero() => {
                let ratio = hadp.median.as_secs_f64() / keepalived.median.as_secs_f64();
                format!("{ratio:.*}", if ratio < 0.1 { 4 } else { 2 })
            }
            _ => "-".to_owned(),
        };
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {ratio} | {}, {} |",
            row.setting,
            row.fault,
            outage(&row.keepalived),
            outage(&row.hadp),
            answering(&row.keepalived),
            answering(&row.hadp),
        );
    }
    text
}

/// Returns a time with three digits.
pub(super) fn show(time: Duration) -> String {
    let millis = time.as_secs_f64() * 1e3;
    match millis {
        ..10.0 => format!("{millis:.2} ms"),
        ..100.0 => format!("{millis:.1} ms"),
        ..1000.0 => format!("{millis:.0} ms"),
        _ => format!("{:.2} s", millis / 1e3),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_shows_the_median_and_the_ratio() {
        let samples = |millis: [u64; 3], answering| {
            millis.map(|ms| Sample { outage: Duration::from_millis(ms), recovered: true, answering })
        };
        let row = Row {
            setting: "10 ms",
            fault: "silent".to_owned(),
            keepalived: Summary::of(&samples([40, 20, 30], 2)),
            hadp: Summary::of(&samples([15, 5, 20], 1)),
        };
        let text = markdown(&[row]);
        let last = text.lines().last();
        let expected =
            "| 10 ms | silent | 30.0 ms (20.0 ms to 40.0 ms) | 15.0 ms (5.00 ms to 20.0 ms) | 0.50 | 2, 1 |";
        assert_eq!(last, Some(expected));
        assert!(Summary::of(&[]).is_none());
    }
}
