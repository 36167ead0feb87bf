//! The outages as a picture: one bar a program and row, on a logarithmic scale.

use std::{fmt::Write, time::Duration};

use super::table::{Row, Spread, outages, show};

const LEFT: f64 = 400.0;
const WIDTH: f64 = 560.0;
const ROW: f64 = 34.0;
const TOP: f64 = 70.0;
/// The scale: from 100 us to 10 s, five decades.
const LEAST_US: f64 = 100.0;
const DECADES: f64 = 5.0;

/// Returns an SVG document: the median of each row, with a line from the least to the most.
pub(super) fn svg(rows: &[Row]) -> String {
    let height = TOP + ROW * rows.len() as f64 + 30.0;
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{:.0}\" height=\"{height:.0}\" \
         font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n\
         <text x=\"16\" y=\"24\" font-size=\"16\">Outage seen by a client: median, with the least and the most</text>\n\
         <rect x=\"16\" y=\"36\" width=\"12\" height=\"12\" fill=\"#1f6f8b\"/><text x=\"34\" y=\"46\">hadp</text>\n\
         <rect x=\"90\" y=\"36\" width=\"12\" height=\"12\" fill=\"#c9744a\"/><text x=\"108\" y=\"46\">keepalived</text>\n",
        LEFT + WIDTH + 110.0
    );
    for decade in 0..=5 {
        let us = LEAST_US * 10f64.powi(decade);
        let x = place(us);
        let label = show(Duration::from_micros(us as u64)).replace(".00", "").replace(".0", "");
        let _ = writeln!(
            text,
            "<line x1=\"{x:.1}\" y1=\"{TOP}\" x2=\"{x:.1}\" y2=\"{:.1}\" stroke=\"#dddddd\"/>\
             <text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\" fill=\"#555555\">{label}</text>",
            height - 30.0,
            TOP - 6.0
        );
    }
    for (index, row) in rows.iter().enumerate() {
        let y = TOP + ROW * index as f64;
        let _ = writeln!(
            text,
            "<text x=\"{:.0}\" y=\"{:.1}\" text-anchor=\"end\">{}{}: {}</text>",
            LEFT - 10.0,
            y + 20.0,
            if row.loaded { "busy machine, " } else { "" },
            escape(row.setting),
            escape(&row.fault)
        );
        for (tally, y, colour) in [(&row.hadp, y + 4.0, "#1f6f8b"), (&row.keepalived, y + 18.0, "#c9744a")] {
            match (tally, outages(tally.as_ref(), false)) {
                (_, Some(outages)) => bar(&mut text, y, outages, colour),
                (Some(_), None) => missing(&mut text, y, colour),
                (None, None) => {}
            }
        }
    }
    text.push_str("</svg>\n");
    text
}

/// Says that what was tried did not come about.
fn missing(text: &mut String, y: f64, colour: &str) {
    let (x, y) = (LEFT + 7.0, y + 10.0);
    let _ = writeln!(text, "<text x=\"{x}\" y=\"{y:.1}\" fill=\"{colour}\">not measured</text>");
}

fn bar(text: &mut String, y: f64, summary: Spread, colour: &str) {
    let x = |span: Duration| place(span.as_secs_f64() * 1e6);
    let label = if summary.most.is_zero() { "none".to_owned() } else { show(summary.median) };
    let (median, least, most) = (x(summary.median), x(summary.least), x(summary.most));
    let middle = y + 6.0;
    let _ = writeln!(
        text,
        "<rect x=\"{LEFT}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"12\" fill=\"{colour}\"/>\
         <line x1=\"{least:.1}\" y1=\"{middle:.1}\" x2=\"{most:.1}\" y2=\"{middle:.1}\" stroke=\"#222222\"/>\
         <text x=\"{:.1}\" y=\"{:.1}\">{label}</text>",
        (median - LEFT).max(1.0),
        most.max(median) + 6.0,
        y + 10.0
    );
}

/// Returns where so many microseconds are; nothing lies left of the scale.
fn place(us: f64) -> f64 {
    LEFT + WIDTH * ((us.max(LEAST_US) / LEAST_US).log10() / DECADES).min(1.0)
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

#[cfg(test)]
mod tests {
    use super::{
        super::{sample::Sample, tally::Tally},
        *,
    };

    #[test]
    fn a_bar_is_as_long_as_its_median() {
        let sample = |us| Sample { outage: Duration::from_micros(us), answering: 1, ..Sample::default() };
        let row = Row {
            setting: "a < b",
            fault: "silent".to_owned(),
            loaded: true,
            keepalived: Some(Tally::run("", || Ok(sample(31_600)))),
            hadp: Some(Tally::run("", || Ok(sample(1000)))),
        };
        let text = svg(&[row]);
        assert!(text.contains("busy machine, a &lt; b: silent"));
        // One decade of five.
        assert!(text.contains("width=\"112.0\" height=\"12\" fill=\"#1f6f8b\""), "{text}");
        assert!(text.contains(">1.00 ms<"), "{text}");
    }
}
