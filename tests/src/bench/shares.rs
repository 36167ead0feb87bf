//! What an outage is made of: detection, decision, store, advert and announcement.

use std::fmt::Write;

use super::{
    sample::{Sample, Step},
    table::{Row, Spread, show},
};

/// The shares, as their columns are headed.
const SHARES: [Step; 6] = [
    ("fault to decision", |sample| sample.decided),
    ("decision to store", |sample| sample.stored),
    ("to first advert", |sample| sample.advertised),
    ("to first GARP at the client", |sample| sample.first_garp),
    ("to the address on the interface", |sample| sample.placed),
    ("outage", |sample| Some(sample.outage)),
];

/// Returns a table of hadp's rows, medians of the quiet runs; of all runs where none was quiet. Empty without such rows.
pub(super) fn markdown(rows: &[Row]) -> String {
    let mut text = String::new();
    for row in rows {
        let Some(tally) = &row.hadp else { continue };
        let some_quiet = tally.measured.iter().any(|sample| sample.quiet);
        let samples: Vec<&Sample> =
            tally.measured.iter().filter(|sample| sample.quiet || !some_quiet).collect();
        let shares = SHARES.map(|(_, share)| {
            let median = Spread::of(samples.iter().filter_map(|sample| share(sample)));
            median.map_or("-".to_owned(), |spread| show(spread.median))
        });
        let runs = match some_quiet {
            true => format!("{} quiet", samples.len()),
            false => format!("{}, none quiet", samples.len()),
        };
        let _ = writeln!(text, "| {} | {} | {runs} | {} |", row.setting, row.fault, shares.join(" | "));
    }
    if text.is_empty() {
        return text;
    }
    let heads = SHARES.map(|(head, _)| head).join(" | ");
    format!(
        "\nWhat hadp's outages are made of, medians:\n\n| setting | fault | runs | {heads} |\n|---|---|---|{}\n{text}",
        "---|".repeat(SHARES.len())
    )
}
