//! The table of a failover bench.

use std::{fmt::Write, time::Duration};

use super::run::Sample;

/// Median, least and most of a series of runs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Summary {
    pub(super) median: Duration,
    pub(super) least: Duration,
    pub(super) most: Duration,
    /// The most probes that were lost in a run, and in how many runs there were any.
    lost: usize,
    runs_with_loss: usize,
    runs: usize,
    /// The longest that two machines answered.
    both: Duration,
    /// The most machines that answered afterwards.
    answering: usize,
    /// How many runs did not recover.
    never: usize,
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
            lost: samples.iter().map(|sample| sample.lost).max()?,
            runs_with_loss: samples.iter().filter(|sample| sample.lost > 0).count(),
            runs: samples.len(),
            both: samples.iter().map(|sample| sample.both).max()?,
            answering: samples.iter().map(|sample| sample.answering).max()?,
            never: samples.iter().filter(|sample| !sample.recovered).count(),
        })
    }

    fn outage(&self) -> String {
        let Self { median, least, most, never, .. } = *self;
        let never = if never > 0 { format!(", {never} never came back") } else { String::new() };
        if most.is_zero() {
            return "none".to_owned();
        }
        format!("{} ({} to {}){never}", show(median), show(least), show(most))
    }

    fn lost(&self) -> String {
        match self.runs_with_loss {
            0 => format!("0 in {} of {}", self.runs, self.runs),
            _ => format!("up to {} in {} of {}", self.lost, self.runs_with_loss, self.runs),
        }
    }

    fn owners(&self) -> String {
        match (self.answering, self.both) {
            (1, Duration::ZERO) => "1".to_owned(),
            (answering, both) => format!("{answering} (both for {})", show(both)),
        }
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
        "| setting | fault | keepalived: outage, median (min to max) | hadp | keepalived / hadp | \
         probes lost: keepalived | hadp | machines answering: keepalived | hadp |\n\
         |---|---|---|---|---|---|---|---|---|\n",
    );
    for row in rows {
        let cell = |summary: &Option<Summary>, show: fn(&Summary) -> String| {
            summary.as_ref().map_or("-".to_owned(), show)
        };
        let ratio = match (row.keepalived, row.hadp) {
            (Some(keepalived), Some(hadp)) if !keepalived.median.is_zero() && !hadp.median.is_zero() => {
                format!("{:.1}", keepalived.median.as_secs_f64() / hadp.median.as_secs_f64())
            }
            _ => "-".to_owned(),
        };
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {ratio} | {} | {} | {} | {} |",
            row.setting,
            row.fault,
            cell(&row.keepalived, Summary::outage),
            cell(&row.hadp, Summary::outage),
            cell(&row.keepalived, Summary::lost),
            cell(&row.hadp, Summary::lost),
            cell(&row.keepalived, Summary::owners),
            cell(&row.hadp, Summary::owners),
        );
    }
    text
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
    use super::*;

    #[test]
    fn a_row_shows_the_median_and_the_ratio() {
        let samples = |millis: [u64; 3], answering| {
            millis.map(|ms| Sample {
                outage: Duration::from_millis(ms),
                lost: ms as usize,
                recovered: true,
                answering,
                both: Duration::from_micros(200 * (answering as u64 - 1)),
                ..Sample::default()
            })
        };
        let row = Row {
            setting: "10 ms",
            fault: "silent".to_owned(),
            keepalived: Summary::of(&samples([40, 20, 30], 2)),
            hadp: Summary::of(&samples([15, 0, 20], 1)),
        };
        let text = markdown(&[row]);
        let expected = "| 10 ms | silent | 30.0 ms (20.0 ms to 40.0 ms) | 15.0 ms (0 us to 20.0 ms) | 2.0 | \
                        up to 40 in 3 of 3 | up to 20 in 2 of 3 | 2 (both for 200 us) | 1 |";
        assert_eq!(text.lines().last(), Some(expected));
        assert!(Summary::of(&[]).is_none());
    }
}
